//! A learner is erased: nothing of them is left, what was decided stays, and nothing brings them back.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;
use vouch_common::{
    domain::{
        effect::Queue,
        ids::{ErasureId, JobId},
    },
    receipts::Signed,
    store::jobs::Lease,
};
use vouch_tests::{TestApp, Wishes, percent, samples, wait_for};
use vouch_worker::{jobs::erase_learner, runtime::job::Delivery, services::Services};

use super::services_behind_proxy;

/// What is planted of the learner, wherever a text about them can stand.
const MARKER: &str = "Zqxvmark";

/// Asks for an erasure; status and document of the answer.
pub(super) async fn ask(app: &TestApp, user: i64) -> (u16, Value) {
    let why = json!({ "reason": "asked by the learner" });
    let answer = app.api(Method::POST, &format!("users/{user}/erasure")).json(&why).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

pub(super) async fn ask_well(app: &TestApp, user: i64) -> ErasureId {
    let (status, document) = ask(app, user).await;
    assert_eq!(status, 202, "{document}");
    ErasureId::parse(document["erasure_id"].as_str().unwrap()).unwrap()
}

/// Runs the erasure's job once, as a worker would that claimed it.
pub(super) async fn run_once(app: &TestApp, services: &Services, erasure: ErasureId) -> Result<(), erase_learner::EraseError> {
    let job: Option<i64> =
        sqlx::query_scalar("SELECT id FROM jobs WHERE kind = 'erase_learner'").fetch_optional(&app.db).await.unwrap();
    let lease = Lease { job: JobId(job.unwrap_or(-1)), generation: 0 };
    erase_learner::run(services, Delivery { lease, claimed_at: app.now(), failures: 0, subject: None }, erasure).await
}

pub(super) async fn shown(app: &TestApp, erasure: ErasureId) -> Value {
    app.get(&format!("erasures/{erasure}")).await
}

/// Every row of every table, as text.
pub(super) async fn dump(app: &TestApp) -> String {
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1")
            .fetch_all(&app.db)
            .await
            .unwrap();
    let mut all = String::new();
    for table in tables {
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!("SELECT '{table}: ' || row::text FROM {table} AS row")))
            .fetch_all(&app.db)
            .await
            .unwrap();
        all += &rows.join("\n");
        all.push('\n');
    }
    all
}

/// A learner with something of every kind, all of it marked: a decided attempt and an open one, with photos.
pub(super) async fn plant(app: &TestApp, user: i64) -> [String; 2] {
    let profile = json!({ "username": format!("{MARKER}{user}"), "email": format!("{MARKER}@example.com"), "full_name": MARKER, "country": "CZ" });
    app.put(&format!("users/{user}"), &profile).await;
    app.put_course().await;
    app.put(&format!("users/{user}/enrollments/{}", percent(samples::COURSE)), &json!({ "mode": "verified", "is_active": true }))
        .await;
    let mut receipts = Vec::new();
    for name in ["first", "second"] {
        let fields = json!({ "face_image": samples::good("face.jpg"), "photo_id_image": samples::good("id.jpg"),
                             "full_name": format!("{MARKER} {name}"), "course_key": samples::COURSE, "checkpoint": samples::USAGE });
        let sent = app.submission(user, &fields).header("Idempotency-Key", name).send().await.unwrap();
        receipts.push(vouch_tests::receipt(&sent));
    }
    let [decided, open] = [&receipts[0], &receipts[1]];
    let [face, photo_id] = ["face", "photo_id"].map(|kind| samples::stored(kind, decided, "1-1"));
    for object in [&face, &photo_id] {
        let path = app.folder.path().join(object);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, MARKER).unwrap();
    }
    app.sql(&format!(
        "UPDATE attempts SET status = 'approved', face_upload = NULL, photo_id_upload = NULL, face_object = '{face}',
                photo_id_object = '{photo_id}', face_key = '{MARKER}', photo_id_key = '{MARKER}', error_msg = '{MARKER}'
         WHERE receipt_id = '{decided}'"
    ))
    .await;
    for sql in [
        "INSERT INTO attempt_events (attempt_id, at, actor, kind, detail) SELECT id, now(), 'intake', 'denied', 'M' FROM attempts WHERE user_id = U",
        "INSERT INTO job_runs (subject, job_id, queue, kind, queued_at, ended_at, outcome, error)
         SELECT receipt_id, 1, 'mail', 'send_email', now(), now(), 'dead', 'M' FROM attempts WHERE user_id = U",
        "INSERT INTO vendor_callbacks (event_key, outcome, received_at, vendor, receipt, attempt_id, verdict, signature_valid, body_sealed)
         SELECT receipt_id::text::bytea, 'unknown_result', now(), 'sealed', receipt_id::text, id, 'M', true, 'M' FROM attempts WHERE user_id = U",
        "INSERT INTO vendor_callbacks (event_key, outcome, received_at, vendor, receipt, verdict, signature_valid, body_sealed)
         SELECT 'o' || receipt_id::text::bytea, 'orphan', now(), 'sealed', receipt_id::text, 'M', true, 'M' FROM attempts WHERE user_id = U",
        "INSERT INTO operator_actions (at, actor, action, target, reason) SELECT now(), 'ann', 'attempt.retry', receipt_id::text, 'M' FROM attempts WHERE user_id = U",
        "INSERT INTO operator_actions (at, actor, action, target, reason, detail)
         SELECT now(), 'ann', 'job.drop', '1', 'M', jsonb_build_object('receipt', receipt_id) FROM attempts WHERE user_id = U",
        "INSERT INTO retries (id, status, filter, rate, reason, created_by, created_at, total)
         SELECT gen_random_uuid(), 'done', jsonb_build_object('user_id', U, 'state', 'dead'), 1, 'M', 'ann', now(), 1",
        "INSERT INTO analytics_events (user_id, name, properties, message_id, at) VALUES (U, 'a', '{\"name\": \"M\"}', gen_random_uuid(), now())",
        "INSERT INTO flow_choices (user_id, course_key, contribution, updated_at) SELECT U, course_key, 'M', now() FROM courses",
        "INSERT INTO orders (user_id, status, currency, created_at, updated_at, billed_to) VALUES (U, 'purchased', 'eur', now(), now(), '{\"city\": \"M\"}')",
        "INSERT INTO credit_requests (uuid, user_id, course_key, provider_id, parameters, status, created_at, updated_at)
         SELECT gen_random_uuid(), U, course_key, 'u', '{\"name\": \"M\"}', 'pending', now(), now() FROM credit_courses",
        "INSERT INTO credit_requirement_statuses (user_id, requirement_id, status, reason, status_date) SELECT U, id, 'satisfied', '{\"why\": \"M\"}', now() FROM credit_requirements",
        "INSERT INTO jobs (queue, kind, args, dead_at, last_error) VALUES ('mail', 'send_email', '{\"v\": 1, \"user\": U, \"template\": \"approved\", \"receipt\": null, \"course\": null}', now(), 'M')",
    ] {
        app.sql(&sql.replace("'M'", &format!("'{MARKER}'")).replace("\"M\"", &format!("\"{MARKER}\"")).replace("= U", &format!("= {user}")).replace("(U", &format!("({user}")).replace("T U", &format!("T {user}")).replace(", U,", &format!(", {user},")).replace(": U,", &format!(": {user},"))).await;
    }
    [decided.clone(), open.clone()]
}

/// What a planted learner's receipt says, however often the erasure was cut off.
fn expected() -> Value {
    json!({ "uploads": 2, "faces": 1, "id_photos": 1, "attempt_details": 2, "former_names": 2, "callbacks": 4, "profiles": 2,
            "credit_reasons": 1, "credit_applications": 1, "payers": 1, "drafts": 1, "events": 1, "submission_keys": 2, "audit": 5 })
}

fn erased(document: &Value) -> Value {
    let mut receipt: Value = serde_json::from_str(document["receipt"].as_str().unwrap()).unwrap();
    let jobs = receipt["erased"].as_object_mut().unwrap().remove("jobs").unwrap();
    assert!(jobs.as_u64().unwrap() >= 3, "{jobs}");
    receipt["erased"].take()
}

async fn check_nothing_is_left(app: &TestApp, receipts: &[String; 2]) {
    let left: Vec<String> = dump(app).await.lines().filter(|line| line.contains(MARKER)).map(str::to_owned).collect();
    assert!(left.is_empty(), "{left:#?}");
    let hidden = app.count("SELECT count(*) FROM vendor_callbacks WHERE body_sealed <> ''").await;
    assert_eq!(hidden, 0, "no sealed body is left");
    for path in app.objects() {
        let name = path.to_str().unwrap();
        assert!(!receipts.iter().any(|receipt| name.contains(receipt.as_str())), "{name}");
    }
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 0);
}

#[tokio::test]
async fn nothing_of_an_erased_learner_is_left_and_what_was_decided_stays() {
    let mut app = TestApp::without_worker().await;
    let receipts = plant(&app, 7).await;
    assert!(dump(&app).await.contains(MARKER), "what is looked for can be found");
    let erasure = ask_well(&app, 7).await;
    app.start_worker(&[Queue::Upkeep]);
    let document = wait_for("the erasure to be done", async || {
        let document = shown(&app, erasure).await;
        (document["status"] == "done").then_some(document)
    })
    .await;
    check_nothing_is_left(&app, &receipts).await;
    assert_eq!(erased(&document), expected());
    let [decided, open] = &receipts;
    assert_eq!(app.attempt(decided).await["status"], "approved");
    assert_eq!(app.attempt(open).await["status"], "denied");
    assert_eq!(app.get("users/7/verification").await["status"], "approved");
    assert_eq!(app.count("SELECT count(*) FROM orders WHERE status = 'purchased'").await, 1);
    assert_eq!(app.count("SELECT count(*) FROM credit_requirement_statuses WHERE status = 'satisfied'").await, 1);
    assert_eq!(app.count("SELECT count(*) FROM operator_actions WHERE action = 'user.erase' AND actor = 'bootstrap'").await, 1);
    app.stop_worker().await;
    assert!(app.mail.mails().is_empty(), "nobody is written to");
}

#[tokio::test]
async fn a_receipt_proves_itself_and_names_nobody() {
    let app = TestApp::without_worker().await;
    plant(&app, 7_654_321).await;
    let erasure = ask_well(&app, 7_654_321).await;
    run_once(&app, &app.services(), erasure).await.unwrap();
    let document = shown(&app, erasure).await;
    let text = |name: &str| document[name].as_str().unwrap().to_owned();
    let signed = Signed { receipt: text("receipt"), signature: text("signature"), public_key: text("public_key") };
    assert!(signed.is_proved_by(&signed.public_key));
    assert!(!signed.receipt.contains("7654321") && !signed.receipt.contains(MARKER), "{}", signed.receipt);
    assert!(signed.receipt.contains(&erasure.to_string()) && signed.receipt.contains(r#""requested_by":"bootstrap""#));
    let changed = Signed { receipt: signed.receipt.replace("\"faces\":1", "\"faces\":2"), ..signed.clone() };
    assert_ne!(changed, signed);
    assert!(!changed.is_proved_by(&signed.public_key));
}

#[tokio::test]
async fn whoever_may_not_or_asks_badly_erases_nobody_and_asking_again_tells_of_the_same() {
    let app = TestApp::without_worker().await;
    plant(&app, 7).await;
    let path = "users/7/erasure";
    let why = json!({ "reason": "asked by the learner" });
    for (key, status) in [("vk_wrong", 401), ("", 401)] {
        let request = app.client.post(format!("{}/api/v1/{path}", app.url)).bearer_auth(key).json(&why);
        assert_eq!(request.send().await.unwrap().status(), status);
    }
    let db = vouch_common::store::Db::new(&app.settings[0].1, 2).unwrap();
    for scope in ["attempts:read", "attempts:operate", "lms:write"] {
        let key = vouch_common::operations::api_keys::create(&db, "k", &[scope.to_owned()], None, app.now()).await.unwrap();
        let key = String::from_utf8(key.expose().to_vec()).unwrap();
        for request in [
            app.client.post(format!("{}/api/v1/{path}", app.url)).json(&why),
            app.client.get(format!("{}/api/v1/erasures/{}", app.url, Uuid::nil())),
        ] {
            assert_eq!(request.bearer_auth(&key).send().await.unwrap().status(), 403, "{scope}");
        }
    }
    for bad in [json!({}), json!({ "reason": " " }), json!({ "reason": "a", "more": 1 })] {
        assert_eq!(app.api(Method::POST, path).json(&bad).send().await.unwrap().status(), 400, "{bad}");
    }
    assert_eq!(ask(&app, 8).await.0, 404);
    assert_eq!(app.api(Method::GET, "erasures/x").send().await.unwrap().status(), 404);
    assert_eq!(app.count("SELECT count(*) FROM users WHERE erased_at IS NOT NULL").await, 0);
    let answers = futures_util::future::join_all((0..8).map(|_| ask(&app, 7))).await;
    assert!(answers.iter().all(|answer| answer == &answers[0] && answer.0 == 202), "{answers:?}");
    let erasure = ErasureId::parse(answers[0].1["erasure_id"].as_str().unwrap()).unwrap();
    run_once(&app, &app.services(), erasure).await.unwrap();
    let receipt = shown(&app, erasure).await;
    assert_eq!(ask(&app, 7).await, answers[0], "also when it is done");
    run_once(&app, &app.services(), erasure).await.unwrap_err();
    assert_eq!(shown(&app, erasure).await, receipt);
    assert_eq!(app.count("SELECT count(*) FROM operator_actions WHERE action = 'user.erase'").await, 1);
}

#[tokio::test]
async fn without_a_key_that_signs_nobody_is_erased() {
    let settings = vec![("VOUCH_ERASURE_KEY", String::new())];
    let app = TestApp::start_with(Wishes { settings, is_without_worker: true, ..Wishes::default() }).await;
    app.put_user(7, "Sofia Marek").await;
    let (status, document) = ask(&app, 7).await;
    assert_eq!((status, document["detail"].as_str().unwrap().contains("VOUCH_ERASURE_KEY")), (409, true), "{document}");
    assert_eq!(app.count("SELECT count(*) FROM users WHERE full_name = 'Sofia Marek'").await, 1);
}

#[tokio::test]
async fn nothing_brings_an_erased_learner_back() {
    let app = TestApp::without_worker().await;
    let receipts = plant(&app, 7).await;
    let erasure = ask_well(&app, 7).await;
    // Before the job has run, and after.
    for is_done in [false, true] {
        if is_done {
            run_once(&app, &app.services(), erasure).await.unwrap();
        }
        let profile = json!({ "username": MARKER, "email": format!("{MARKER}@example.com"), "full_name": MARKER });
        assert_eq!(app.api(Method::PUT, "users/7").json(&profile).send().await.unwrap().status(), 410);
        let enrolment = format!("users/7/enrollments/{}", percent(samples::COURSE));
        let document = json!({ "mode": "verified", "is_active": true });
        assert_eq!(app.api(Method::PUT, &enrolment).json(&document).send().await.unwrap().status(), 404);
        let before = app.objects().len();
        let claims = json!({ "sub": "7", "exp": (app.now() + TimeDelta::hours(1)).timestamp(), "username": MARKER, "email": "m@example.com", "name": MARKER });
        let fields =
            json!({ "face_image": samples::good("face.jpg"), "photo_id_image": samples::good("id.jpg"), "full_name": MARKER });
        let sent = app
            .client
            .post(format!("{}/verify_student/submit-photos/", app.url))
            .bearer_auth(app.token_of(&claims))
            .json(&fields);
        assert_eq!(sent.send().await.unwrap().status(), 410);
        assert_eq!(app.objects().len(), before, "what was stored for it is gone");
        for receipt in &receipts {
            let body = json!({ "EdX-ID": receipt, "Result": "FAIL", "Reason": MARKER, "MessageType": MARKER });
            assert_eq!(app.callback(&body).send().await.0, 200);
        }
        let verify = app.api(Method::POST, "users/7/verifications").json(&json!({ "reason": "seen" })).send().await.unwrap();
        assert_eq!(verify.status(), 404);
    }
    app.sql("UPDATE orders SET billed_to = '{\"city\": \"Zqxvmark\"}'").await;
    app.clock.advance(TimeDelta::days(366));
    assert_eq!(vouch_worker::sweep::remind(&app.services()).await, 0, "no mail is due");
    vouch_worker::sweep::mend(&app.services()).await;
    vouch_worker::sweep::match_orphans(&app.services()).await;
    check_nothing_is_left(&app, &receipts).await;
}

#[tokio::test]
async fn an_erasure_that_is_cut_off_before_any_request_or_answer_is_finished_and_counts_each_thing_once() {
    let app = TestApp::without_worker().await;
    for (step, count) in (0..400).step_by(13).enumerate() {
        let user = 1000 + i64::try_from(count).unwrap();
        let receipts = plant(&app, user).await;
        let erasure = ask_well(&app, user).await;
        let (services, proxy) = services_behind_proxy(&app).await;
        if step % 2 == 0 {
            proxy.cut_after_requests(count)
        } else {
            proxy.cut_before_answer(count)
        }
        let result = run_once(&app, &services, erasure).await;
        let is_whole = result.is_ok();
        let names = format!("SELECT count(*) FROM attempts WHERE user_id = {user} AND face_object IS NULL AND face_key <> ''");
        assert_eq!(app.count(&names).await, 0);
        // A kill is the end of the process; what it began is taken up by another.
        let _ = run_once(&app, &app.services(), erasure).await;
        check_nothing_is_left(&app, &receipts).await;
        assert_eq!(erased(&shown(&app, erasure).await), expected(), "cut at {count}");
        if is_whole {
            assert!(count > 60, "an erasure makes only {count} requests");
            return;
        }
    }
    panic!("an erasure makes more requests than were tried");
}

#[tokio::test]
async fn what_a_worker_had_in_its_hands_is_looked_for_once_more_before_the_receipt_is_signed() {
    let app = TestApp::without_worker().await;
    let receipts = plant(&app, 7).await;
    app.sql("UPDATE jobs SET phase = 'running', due_at = now() + interval '15 seconds', claimed_at = now() WHERE kind = 'prepare_photos'")
        .await;
    let erasure = ask_well(&app, 7).await;
    let services = app.services();
    run_once(&app, &services, erasure).await.unwrap();
    assert_eq!(shown(&app, erasure).await["status"], "running");
    let late = app.folder.path().join(samples::stored("face", &receipts[1], "9-9"));
    std::fs::create_dir_all(late.parent().unwrap()).unwrap();
    std::fs::write(&late, MARKER).unwrap();
    app.sql("UPDATE erasures SET quiet_at = now()").await;
    run_once(&app, &services, erasure).await.unwrap();
    assert!(!late.exists());
    check_nothing_is_left(&app, &receipts).await;
    assert_eq!(erased(&shown(&app, erasure).await), expected());
}

#[tokio::test]
async fn a_submission_and_a_callback_at_the_moment_of_the_erasure_leave_nothing() {
    let app = TestApp::without_worker().await;
    for user in 1..12 {
        let receipts = plant(&app, user).await;
        let fields =
            json!({ "face_image": samples::good("face.jpg"), "photo_id_image": samples::good("id.jpg"), "full_name": MARKER });
        let submission = app.submission(user, &fields);
        let body = json!({ "EdX-ID": receipts[0], "Result": "FAIL", "Reason": MARKER, "MessageType": MARKER });
        let callback = app.callback(&body);
        let (sent, _, erasure) = tokio::join!(submission.send(), callback.send(), ask_well(&app, user));
        let status = sent.unwrap().status().as_u16();
        assert!([200, 400, 410].contains(&status), "{status}");
        run_once(&app, &app.services(), erasure).await.unwrap();
        check_nothing_is_left(&app, &receipts).await;
        let taken = format!("SELECT count(*) FROM attempts WHERE user_id = {user}");
        assert_eq!(app.count(&taken).await, if status == 200 { 3 } else { 2 });
    }
    assert!(app.objects().is_empty());
}

#[tokio::test]
async fn an_attempt_that_waits_at_the_vendor_ends_and_the_verdict_is_refused_when_it_comes() {
    let mut app = TestApp::without_worker().await;
    let [_, open] = plant(&app, 7).await;
    app.sql(&format!("UPDATE attempts SET status = 'submitted', submitted_at = now() WHERE receipt_id = '{open}'")).await;
    let erasure = ask_well(&app, 7).await;
    run_once(&app, &app.services(), erasure).await.unwrap();
    let body = json!({ "EdX-ID": open, "Result": "PASS", "Reason": MARKER, "MessageType": MARKER });
    let before = app.count("SELECT count(*) FROM vendor_callbacks").await;
    assert_eq!(app.callback(&body).send().await.0, 200, "the vendor is not asked to call again");
    assert_eq!(app.count("SELECT count(*) FROM vendor_callbacks").await, before);
    app.start_worker(&Queue::ALL);
    app.wait_until_idle().await;
    let attempt = app.attempt(&open).await;
    assert_eq!((attempt["status"].as_str(), attempt["reviewing_service"].as_str()), (Some("denied"), Some("erasure")));
    app.stop_worker().await;
}

#[tokio::test]
async fn another_learner_keeps_everything() {
    let app = TestApp::without_worker().await;
    plant(&app, 7).await;
    let others = "SELECT (SELECT count(*) FROM attempts WHERE user_id = 8 AND name <> '') + (SELECT count(*) FROM users WHERE user_id = 8 AND email <> '')
                + (SELECT count(*) FROM vendor_callbacks JOIN attempts ON attempts.id = attempt_id WHERE user_id = 8 AND body_sealed <> '')
                + (SELECT count(*) FROM jobs JOIN attempts ON receipt_id = subject WHERE user_id = 8)
                + (SELECT count(*) FROM analytics_events WHERE user_id = 8) + (SELECT count(*) FROM enrollments WHERE user_id = 8)";
    plant(&app, 8).await;
    let (before, objects) = (app.count(others).await, app.objects().len());
    let erasure = ask_well(&app, 7).await;
    run_once(&app, &app.services(), erasure).await.unwrap();
    assert_eq!(app.count(others).await, before);
    assert_eq!(app.objects().len(), objects / 2);
}
