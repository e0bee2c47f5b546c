//! Operators find attempts, jobs, groups of failures and what was done.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use vouch_cli::simulator::Script;
use vouch_common::operations::{api_keys, compact_tallies};
use vouch_tests::{TestApp, Wishes, wait_for};

const SOME: &str = "Sofia Marek";

/// Status and document of an answer to a key.
async fn ask(app: &TestApp, key: &str, path: &str) -> (u16, Value) {
    let answer = app.client.get(format!("{}/api/v1/{path}", app.url)).bearer_auth(key).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn key(app: &TestApp, name: &str, scope: &str) -> String {
    let made = api_keys::create(app.services().db(), name, &[scope.to_owned()], None, app.now()).await.unwrap();
    String::from_utf8(made.expose().to_vec()).unwrap()
}

fn texts(list: &Value, field: &str) -> Vec<String> {
    list["items"].as_array().unwrap().iter().map(|item| item[field].as_str().unwrap().to_owned()).collect()
}

async fn receipts(app: &TestApp, query: &str) -> Vec<String> {
    texts(&app.get(&format!("attempts?{query}")).await, "receipt_id")
}

/// What jobs are found, as `queue/kind`.
async fn jobs(app: &TestApp, query: &str) -> Vec<String> {
    let found = app.get(&format!("jobs?{query}")).await;
    let items = found["items"].as_array().unwrap_or_else(|| panic!("{query}: {found}"));
    items.iter().map(|job| format!("{}/{}", job["queue"].as_str().unwrap(), job["state"].as_str().unwrap())).collect()
}

/// Makes a job of `receipt` fail as a worker would, and die.
fn failed(receipt: &str, queue: &str, kind: &str, (class, code): (&str, &str)) -> String {
    format!(
        "INSERT INTO error_groups (fingerprint, queue, kind, error_class, error_code, message)
         VALUES ('{class}{code}', '{queue}', '{kind}', '{class}', '{code}', 'no #') ON CONFLICT DO NOTHING;
         INSERT INTO jobs (queue, kind, args, subject, failures, error_class, error_code, last_error, fingerprint, failed_at, dead_at)
         VALUES ('{queue}', '{kind}', '{{\"v\": 1}}', '{receipt}', 3, '{class}', '{code}', 'the vendor refused: no 5', '{class}{code}', now(), now())"
    )
}

async fn run(app: &TestApp, sql: &str) {
    for statement in sql.split(';') {
        app.sql(statement).await;
    }
}

#[tokio::test]
async fn each_filter_of_attempts_finds_what_fits_and_nothing_else() {
    let app = TestApp::without_worker().await;
    let mut all = Vec::new();
    for user in [7, 7, 8, 9] {
        app.clock.advance(chrono::TimeDelta::minutes(1));
        all.push(app.submit(user, SOME, json!({})).await);
    }
    let [first, second, third, fourth] = [&all[0], &all[1], &all[2], &all[3]];
    run(
        &app,
        &format!(
            "DELETE FROM jobs; \
         UPDATE attempts SET status = 'submitted', submitted_at = created_at WHERE receipt_id = '{first}'; \
         UPDATE attempts SET status = 'denied', error_code = 'EDX-1' WHERE receipt_id = '{second}'; \
         {}; {}",
            failed(third, "vendor", "submit_to_vendor", ("vendor_refused", "400")),
            failed(fourth, "mail", "send_email", ("smtp", "550")),
        ),
    )
    .await;
    let created: Value = app.attempt(second).await["created_at"].clone();
    let created = vouch_tests::percent(created.as_str().unwrap());
    for (query, expected) in [
        ("".to_owned(), vec![fourth, third, second, first]),
        ("status=submitted".to_owned(), vec![first]),
        ("status=denied,submitted".to_owned(), vec![second, first]),
        ("user_id=7".to_owned(), vec![second, first]),
        ("user_id=7&status=denied".to_owned(), vec![second]),
        ("user_id=99".to_owned(), vec![]),
        (format!("receipt={third}"), vec![third]),
        (format!("receipt={third}&user_id=7"), vec![]),
        (format!("receipt={third}&queue=mail"), vec![]),
        ("receipt=00000000-0000-4000-8000-000000000000".to_owned(), vec![]),
        ("queue=vendor".to_owned(), vec![third]),
        ("kind=send_email".to_owned(), vec![fourth]),
        ("queue=vendor&kind=send_email".to_owned(), vec![]),
        ("error_class=vendor_refused".to_owned(), vec![third]),
        ("http_status=550".to_owned(), vec![fourth]),
        ("http_status=550&status=created".to_owned(), vec![fourth]),
        ("http_status=550&status=denied".to_owned(), vec![]),
        ("error_class=nonsense".to_owned(), vec![]),
        ("user_id=8&error_class=vendor_refused".to_owned(), vec![third]),
        ("vendor_code=EDX-1".to_owned(), vec![second]),
        ("vendor_code=EDX-1&status=approved".to_owned(), vec![]),
        (format!("created_after={created}"), vec![fourth, third, second]),
        (format!("created_before={created}"), vec![first]),
        (format!("submitted_before={created}"), vec![first]),
        ("status=created&submitted_before=2100-01-01T00:00:00Z".to_owned(), vec![]),
    ] {
        let found = receipts(&app, &query).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
    }
    let item = app.get(&format!("attempts?receipt={third}")).await["items"][0].clone();
    assert_eq!(item["waits_for"]["what"], "operator");
    assert!(item.get("name").is_none(), "a list names nobody");
}

#[tokio::test]
async fn an_attempt_with_two_jobs_that_fit_is_found_once() {
    let app = TestApp::without_worker().await;
    let receipt = app.submit(7, SOME, json!({})).await;
    let dead = failed(&receipt, "mail", "send_email", ("smtp", "550"));
    run(&app, &format!("{dead}; {dead}")).await;
    for query in ["queue=mail", "error_class=smtp", "kind=send_email&limit=1"] {
        let page = app.get(&format!("attempts?{query}")).await;
        assert_eq!((texts(&page, "receipt_id"), &page["next_cursor"]), (vec![receipt.clone()], &Value::Null), "{query}");
    }
}

#[tokio::test]
async fn each_filter_of_jobs_finds_what_fits_and_nothing_else() {
    let app = TestApp::without_worker().await;
    let receipt = app.submit(7, SOME, json!({})).await;
    let other = app.submit(8, SOME, json!({})).await;
    run(
        &app,
        &format!(
            "DELETE FROM jobs; \
         INSERT INTO jobs (queue, kind, args, subject, due_at, phase, created_at) VALUES \
             ('photos', 'prepare_photos', '{{}}', '{receipt}', now(), 'waiting', now() - interval '3 hours'), \
             ('results', 'apply_vendor_result', '{{}}', '{receipt}', now() + interval '1 minute', 'dispatched', now()), \
             ('credit', 'update_credit_requirement', '{{}}', '{other}', now() + interval '1 minute', 'running', now()); \
         {}; {}; UPDATE jobs SET dead_at = NULL, due_at = now() + interval '1 hour' WHERE queue = 'mail'",
            failed(&receipt, "vendor", "submit_to_vendor", ("vendor_refused", "400")),
            failed(&other, "mail", "send_email", ("smtp", "451")),
        ),
    )
    .await;
    for (query, expected) in [
        ("", &["mail/scheduled", "vendor/dead", "credit/running", "results/dispatched", "photos/due"][..]),
        ("state=due", &["photos/due"]),
        ("state=dispatched", &["results/dispatched"]),
        ("state=running", &["credit/running"]),
        ("state=scheduled", &["mail/scheduled"]),
        ("state=dead", &["vendor/dead"]),
        ("queue=mail", &["mail/scheduled"]),
        ("queue=mail&state=dead", &[]),
        ("kind=prepare_photos", &["photos/due"]),
        ("kind=prepare_photos&queue=mail", &[]),
        ("error_class=smtp", &["mail/scheduled"]),
        ("error_class=smtp&state=scheduled", &["mail/scheduled"]),
        ("error_class=smtp&state=dead", &[]),
        ("http_status=400", &["vendor/dead"]),
        ("http_status=400&state=dead&queue=vendor", &["vendor/dead"]),
        ("http_status=400&queue=mail", &[]),
        ("fingerprint=vendor_refused400", &["vendor/dead"]),
        ("fingerprint=nonsense", &[]),
        ("older_than=1h", &["photos/due"]),
        ("older_than=1h&state=due", &["photos/due"]),
        ("older_than=1h&state=dead", &[]),
        ("older_than=0s&state=dead", &["vendor/dead"]),
        ("user_id=7", &["vendor/dead", "results/dispatched", "photos/due"]),
        ("user_id=7&state=dead", &["vendor/dead"]),
        ("user_id=99", &[]),
    ] {
        assert_eq!(jobs(&app, query).await, expected, "{query}");
    }
    let of_other = jobs(&app, &format!("receipt={other}")).await;
    assert_eq!(of_other, ["mail/scheduled", "credit/running"]);
}

#[tokio::test]
async fn pages_neither_skip_nor_repeat_while_more_arrives() {
    let app = TestApp::without_worker().await;
    let seed = "INSERT INTO attempts (receipt_id, user_id, status, name, created_at, updated_at)
                SELECT gen_random_uuid(), 7, CASE WHEN i % 2 = 0 THEN 'created' ELSE 'denied' END, '', now() - i % 4 * interval '1 second', now()
                FROM generate_series(1, 25) AS i";
    let seed_jobs = "INSERT INTO jobs (queue, kind, args, subject, due_at) SELECT 'vendor', 'submit_to_vendor', '{}', receipt_id, now() FROM attempts";
    app.put_user(7, SOME).await;
    run(&app, &format!("{seed}; {seed_jobs}")).await;
    let before: BTreeSet<String> = receipts(&app, "limit=200").await.into_iter().collect();
    assert_eq!(before.len(), 25);
    for path in [
        "attempts?",
        "attempts?user_id=7&",
        "attempts?status=created,denied&",
        "attempts?queue=vendor&",
        "jobs?",
        "jobs?state=due&",
        "jobs?user_id=7&",
    ] {
        let (mut cursor, mut seen) = (String::new(), Vec::new());
        loop {
            let page = app.get(&format!("{path}limit=4{cursor}")).await;
            assert!(page["items"].as_array().unwrap().len() <= 4);
            seen.extend(texts(&page, "receipt_id"));
            run(&app, "INSERT INTO attempts (receipt_id, user_id, status, name, created_at, updated_at)
                       VALUES (gen_random_uuid(), 7, 'created', '', now(), now());
                       INSERT INTO jobs (queue, kind, args, subject) SELECT 'vendor', 'submit_to_vendor', '{}', receipt_id FROM attempts ORDER BY id DESC LIMIT 1")
            .await;
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let distinct: BTreeSet<String> = seen.iter().cloned().collect();
        assert_eq!(distinct.len(), seen.len(), "{path}: something came twice");
        assert!(before.is_subset(&distinct), "{path}: something was skipped");
    }
}

#[tokio::test]
async fn a_viewer_reads_a_service_does_not_and_each_learns_who_it_is() {
    let app = TestApp::without_worker().await;
    let (viewer, operator) = (key(&app, "eyes", "attempts:read").await, key(&app, "hands", "attempts:operate").await);
    let service = key(&app, "lms", "lms:write").await;
    for path in ["attempts", "jobs", "errors", "audit"] {
        assert_eq!(ask(&app, &viewer, path).await.0, 200, "{path}");
        assert_eq!(ask(&app, &operator, path).await.0, 200, "{path}");
        assert_eq!(ask(&app, &service, path).await.0, 403, "{path}");
        assert_eq!(ask(&app, "vk_nobody's", path).await.0, 401, "{path}");
    }
    assert_eq!(ask(&app, "vk_nobody's", "me").await.0, 401);
    for (key, name, role) in [(&viewer, "eyes", "viewer"), (&operator, "hands", "operator"), (&service, "lms", "service")] {
        let (status, me) = ask(&app, key, "me").await;
        assert_eq!((status, &me["name"], &me["role"]), (200, &json!(name), &json!(role)));
    }
    assert_eq!(app.get("me").await, json!({ "name": "bootstrap", "scopes": ["admin"], "role": "admin" }));
}

#[tokio::test]
async fn what_makes_no_sense_is_told_and_what_is_not_there_is_404() {
    let app = TestApp::without_worker().await;
    for (path, told) in [
        ("attempts?cursor=x", "cursor can't be read"),
        ("jobs?cursor=%00", "cursor can't be read"),
        ("audit?cursor=MQ", "cursor can't be read"),
        ("attempts?limit=0", "1 to 200"),
        ("jobs?limit=201", "1 to 200"),
        ("errors?limit=x", "limit can't be read"),
        ("attempts?status=lost", "created, ready, submitted, must_retry, approved, denied"),
        ("jobs?state=lost", "due, dispatched, running, scheduled, dead"),
        ("jobs?queue=lost", "photos, vendor, results"),
        ("attempts?kind=lost", "prepare_photos, submit_to_vendor"),
        ("attempts?receipt=5", "36 characters"),
        ("attempts?http_status=many", "http_status can't be read"),
        ("attempts?created_after=yesterday", "created_after can't be read"),
        ("jobs?older_than=long", "such as 90s"),
        ("audit?action=lost", "attempt.approve"),
    ] {
        let (status, problem) = ask(&app, vouch_tests::API_KEY, path).await;
        assert_eq!(status, 400, "{path}");
        assert!(problem["detail"].as_str().unwrap().contains(told), "{path}: {problem}");
    }
    for path in ["attempts/00000000-0000-4000-8000-000000000000", "attempts/x", "jobs/999999"] {
        assert_eq!(ask(&app, vouch_tests::API_KEY, path).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn groups_count_exactly_through_death_retry_and_drop() {
    let app = TestApp::without_worker().await;
    let receipt = app.submit(7, SOME, json!({})).await;
    let services = app.services();
    let counted = async || {
        let found = app.get("errors").await;
        let items = found["items"].as_array().unwrap().clone();
        items
            .iter()
            .map(|group| (group["error_class"].as_str().unwrap().to_owned(), group["dead"].as_i64().unwrap()))
            .collect::<Vec<_>>()
    };
    let refused = failed(&receipt, "vendor", "submit_to_vendor", ("vendor_refused", "400"));
    run(&app, &format!("{refused}; {refused}; {refused}; {}", failed(&receipt, "mail", "send_email", ("smtp", "550")))).await;
    let expect = |refused: i64| vec![("vendor_refused".to_owned(), refused), ("smtp".to_owned(), 1)];
    assert_eq!(counted().await, expect(3));
    assert!(compact_tallies::compact(services.db()).await.unwrap() > 0);
    assert_eq!(app.count("SELECT count(*) FROM dead_tallies").await, 2);
    assert_eq!(counted().await, expect(3));
    // One is set going again, one is dropped, one dies anew; some of it is added up in between.
    app.sql(
        "UPDATE jobs SET dead_at = NULL, failures = 0 WHERE id = (SELECT min(id) FROM jobs WHERE error_class = 'vendor_refused')",
    )
    .await;
    assert_eq!(counted().await[0].1 + counted().await[1].1, 3);
    compact_tallies::compact(services.db()).await.unwrap();
    app.sql("UPDATE jobs SET dead_at = now() WHERE error_class = 'vendor_refused'").await;
    app.sql(refused.split_once(';').unwrap().1).await;
    app.sql("DELETE FROM jobs WHERE id = (SELECT max(id) FROM jobs WHERE error_class = 'vendor_refused')").await;
    assert_eq!(counted().await, expect(3));
    let both = tokio::join!(compact_tallies::compact(services.db()), compact_tallies::compact(services.db()));
    both.0.and(both.1).unwrap();
    assert_eq!(counted().await, expect(3));
    let group = app.get("errors?queue=vendor").await["items"][0].clone();
    assert_eq!(
        (&group["vendor"], &group["error_code"], &group["message"]),
        (&json!("software-secure"), &json!("400"), &json!("no #"))
    );
    assert_eq!(
        (&group["sample"]["receipt_id"], &group["sample"]["last_error"]),
        (&json!(receipt), &json!("the vendor refused: no 5"))
    );
    assert!(group["first_seen"].as_str() <= group["last_seen"].as_str());
    let mail = app.get("errors?kind=send_email&error_class=smtp&limit=1").await["items"][0].clone();
    assert_eq!((&mail["vendor"], &mail["dead"]), (&Value::Null, &json!(1)));
    app.sql("DELETE FROM jobs WHERE dead_at IS NOT NULL").await;
    assert_eq!(counted().await, []);
    compact_tallies::compact(services.db()).await.unwrap();
    assert_eq!(app.count("SELECT count(*) FROM dead_tallies").await, 0);
}

#[tokio::test]
async fn a_dead_job_is_shown_with_its_causes_its_tries_and_its_group() {
    let script = Script::parse(br#"{"answer": {"fault": {"kind": "status", "status": 400}}}"#).unwrap();
    let app = TestApp::start_with(Wishes { script, ..Wishes::default() }).await;
    let receipt = app.submit(7, SOME, json!({})).await;
    let dead = wait_for("a dead job", async || app.get("jobs?state=dead").await["items"].get(0).cloned()).await;
    assert_eq!((&dead["receipt_id"], &dead["error_code"], &dead["failures"]), (&json!(receipt), &json!("400"), &json!(1)));
    let job = app.get(&format!("jobs/{}", dead["id"])).await;
    assert_eq!(job["args"], json!({ "v": 1, "receipt": receipt }));
    assert!(!job["causes"].as_array().unwrap().is_empty());
    assert_eq!((job["runs"].as_array().unwrap().len(), &job["runs"][0]["outcome"]), (1, &json!("dead")));
    assert_eq!(job["fingerprint"], app.get("errors").await["items"][0]["fingerprint"]);
    let attempt = app.attempt(&receipt).await;
    assert_eq!((&attempt["waits_for"]["what"], &attempt["waits_for"]["job_id"]), (&json!("operator"), &dead["id"]));
    assert!(attempt["waits_for"]["text"].as_str().unwrap().contains("400); an operator decides."), "{}", attempt["waits_for"]);
    let found = texts(&app.get("attempts?http_status=400").await, "receipt_id");
    assert_eq!(found, [receipt]);
}

#[tokio::test]
async fn the_audit_is_read_by_who_what_and_to_what() {
    let app = TestApp::without_worker().await;
    app.sql(
        "INSERT INTO operator_actions (at, actor, action, target, reason, detail) VALUES
             ('2026-01-01', 'ann', 'queue.pause', 'vendor', 'night', '{\"n\": 1}'),
             ('2026-01-02', 'bob', 'queue.resume', 'vendor', 'day', '{}'),
             ('2026-01-02', 'ann', 'job.drop', '5', 'poison', '{}')",
    )
    .await;
    for (query, expected) in [
        ("", &["poison", "day", "night"][..]),
        ("target=vendor", &["day", "night"]),
        ("actor=ann", &["poison", "night"]),
        ("action=queue.pause", &["night"]),
        ("actor=ann&target=vendor", &["night"]),
        ("after=2026-01-01T12:00:00Z", &["poison", "day"]),
        ("actor=nobody", &[]),
    ] {
        assert_eq!(texts(&app.get(&format!("audit?{query}")).await, "reason"), expected, "{query}");
    }
    let first = app.get("audit?limit=1").await;
    let rest = app.get(&format!("audit?cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!(
        (texts(&rest, "reason"), &rest["items"][1]["detail"]),
        (vec!["day".to_owned(), "night".to_owned()], &json!({ "n": 1 }))
    );
    let written = app.api(Method::POST, "audit").send().await.unwrap();
    assert_eq!((written.status().as_u16(), &written.headers()["allow"]), (405, &"GET".parse().unwrap()), "nobody writes it");
}
