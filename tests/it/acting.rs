//! Operators act on one attempt or one job: each act is told, and what does not fit changes nothing.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use vouch_cli::simulator::Script;
use vouch_common::{
    domain::effect::Queue,
    operations::{api_keys, hand_out_jobs},
    store::jobs::Lease,
};
use vouch_tests::{TestApp, Wishes, percent, samples, wait_for};
use vouch_worker::sweep;

pub(crate) const WHY: &str = "the vendor is well again";

/// A vendor that accepts and never calls back.
pub(crate) fn silent() -> Wishes {
    Wishes { script: Script::parse(br#"{"callback": {"copies": 0}}"#).unwrap(), ..Wishes::default() }
}

/// A vendor that refuses.
pub(crate) fn refusing() -> Wishes {
    let script = Script::parse(br#"{"answer": {"fault": {"kind": "status", "status": 400}}}"#).unwrap();
    Wishes { script, ..Wishes::default() }
}

pub(crate) async fn post(app: &TestApp, path: &str, body: &Value) -> (u16, Value) {
    let answer = app.api(Method::POST, path).json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

pub(crate) async fn delete(app: &TestApp, path: &str) -> (u16, Value) {
    let answer = app.api(Method::DELETE, path).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

pub(crate) async fn text(app: &TestApp, sql: &str) -> String {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&app.db).await.unwrap()
}

/// All that an operator can change, as one text.
pub(crate) async fn everything(app: &TestApp) -> String {
    let mut whole = String::new();
    for table in
        ["jobs", "attempts", "attempt_events", "checkpoint_statuses", "retries", "retry_items", "retry_keys", "operator_actions"]
    {
        whole +=
            &text(app, &format!("SELECT coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {table} AS t")).await;
    }
    whole
}

/// A key with one scope.
pub(crate) async fn key(app: &TestApp, scope: &str) -> String {
    let key = api_keys::create(app.services().db(), scope, &[scope.to_owned()], None, app.now()).await.unwrap();
    String::from_utf8(key.expose().to_vec()).unwrap()
}

async fn wait_for_dead(app: &TestApp, receipt: &str) -> i64 {
    wait_for("a dead job", async || {
        let attempt = app.attempt(receipt).await;
        let job = attempt["jobs"].as_array().unwrap().iter().find(|job| job["state"] == "dead")?.clone();
        job["id"].as_i64()
    })
    .await
}

fn kinds(attempt: &Value) -> Vec<&str> {
    attempt["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect()
}

fn verdict(receipt: &str, result: &str) -> Value {
    json!({ "EdX-ID": receipt, "Result": result, "Reason": [{ "photoIdReasons": ["Invalid Id"] }], "MessageType": "said so" })
}

#[tokio::test]
async fn a_dead_submission_is_retried_and_the_history_and_the_audit_tell_by_whom_and_why() {
    let app = TestApp::start_with(refusing()).await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    let job = wait_for_dead(&app, &receipt).await;
    app.vendor.set_script(Script::default()).unwrap();
    let (status, answer) = post(&app, &format!("attempts/{receipt}/retry"), &json!({ "reason": WHY })).await;
    assert_eq!((status, answer), (200, json!({ "receipt_id": receipt, "status": "must_retry", "jobs": [job] })));
    let attempt = app.wait_for_status(&receipt, "approved").await;
    let told = attempt["events"].as_array().unwrap().iter().find(|event| event["kind"] == "retried_by_hand").unwrap();
    assert_eq!((&told["actor"], &told["detail"]), (&json!("bootstrap"), &json!(WHY)));
    let audit = "SELECT count(*) FROM operator_actions WHERE actor = 'bootstrap' AND action = 'attempt.retry' AND reason = '";
    assert_eq!(app.count(&format!("{audit}{WHY}' AND target = '{receipt}'")).await, 1);
    app.finish().await;
}

#[tokio::test]
async fn an_open_attempt_without_a_job_gets_one_also_when_the_vendor_never_called_back() {
    let app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    for (status, kind) in [
        ("created", "prepare_photos"),
        ("ready", "submit_to_vendor"),
        ("must_retry", "submit_to_vendor"),
        ("submitted", "submit_to_vendor"),
    ] {
        app.sql("DELETE FROM jobs").await;
        app.sql(&format!("UPDATE attempts SET status = '{status}'")).await;
        let (code, answer) = post(&app, &format!("attempts/{receipt}/retry"), &json!({ "reason": WHY })).await;
        assert_eq!((code, &answer["status"]), (200, &json!(status)));
        let attempt = app.attempt(&receipt).await;
        assert_eq!((&attempt["jobs"][0]["kind"], attempt["jobs"].as_array().unwrap().len()), (&json!(kind), 1));
        assert_eq!(answer["jobs"], json!([attempt["jobs"][0]["id"]]));
        let before = everything(&app).await;
        let (code, answer) = post(&app, &format!("attempts/{receipt}/retry"), &json!({ "reason": WHY })).await;
        assert_eq!(code, 409, "it waits for its turn: {answer}");
        assert_eq!(everything(&app).await, before);
    }
}

#[tokio::test]
async fn a_scheduled_try_comes_at_once_and_has_all_its_tries_again() {
    let app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.sql("UPDATE jobs SET due_at = now() + interval '1 hour', failures = 9, deliveries = 2").await;
    let (code, answer) = post(&app, &format!("attempts/{receipt}/retry"), &json!({ "reason": WHY })).await;
    assert_eq!((code, answer["jobs"].as_array().unwrap().len()), (200, 2), "the photos and the mail");
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE due_at <= now() AND failures = 0 AND deliveries = 0").await, 2);
    app.sql("UPDATE jobs SET due_at = now() + interval '1 hour', failures = 9").await;
    let job = app.count("SELECT min(id) FROM jobs").await;
    let (code, answer) = post(&app, &format!("jobs/{job}/retry"), &json!({ "reason": WHY })).await;
    assert_eq!((code, answer), (200, json!({ "id": job, "state": "due" })));
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE due_at <= now() AND failures = 0").await, 1);
    assert_eq!(app.count("SELECT count(*) FROM operator_actions WHERE action = 'job.retry'").await, 1);
}

#[tokio::test]
async fn what_does_not_fit_changes_nothing() {
    let app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    let job = app.count("SELECT min(id) FROM jobs").await;
    let unknown = "00000000-0000-4000-8000-000000000000";
    let why = json!({ "reason": WHY });
    let refused = async |what: &str, expected: u16, got: (u16, Value), before: &str| {
        assert_eq!(got.0, expected, "{what}: {}", got.1);
        assert!(got.1["detail"].as_str().unwrap().contains("hanged"), "{what}: {}", got.1);
        assert_eq!(everything(&app).await, before, "{what}");
    };
    let before = everything(&app).await;
    for act in ["retry", "approve", "deny"] {
        for reason in [json!({}), json!({ "reason": "" }), json!({ "reason": "a\nb" }), json!({ "reason": "x".repeat(501) })] {
            refused(act, 400, post(&app, &format!("attempts/{receipt}/{act}"), &reason).await, &before).await;
        }
        for receipt in [unknown, "nonsense", &receipt.to_uppercase()] {
            refused(act, 404, post(&app, &format!("attempts/{receipt}/{act}"), &why).await, &before).await;
        }
    }
    refused("not sent yet", 409, post(&app, &format!("attempts/{receipt}/approve"), &why).await, &before).await;
    let odd = json!({ "reason": WHY, "learner_reasons": { "photoIdReasons": ["Ugly"] } });
    refused("no such reason", 400, post(&app, &format!("attempts/{receipt}/deny"), &odd).await, &before).await;
    refused("due", 409, post(&app, &format!("jobs/{job}/retry"), &why).await, &before).await;
    refused("alive", 409, delete(&app, &format!("jobs/{job}?reason=x")).await, &before).await;
    refused("no reason", 400, post(&app, &format!("jobs/{job}/retry"), &json!({})).await, &before).await;
    refused("no reason", 400, delete(&app, &format!("jobs/{job}")).await, &before).await;
    refused("no such job", 404, post(&app, "jobs/999999/retry", &why).await, &before).await;
    refused("no such job", 404, delete(&app, "jobs/999999?reason=x").await, &before).await;
    hand_out_jobs::hand_out(app.services().db(), Queue::Photos, 10).await.unwrap();
    let before = everything(&app).await;
    refused("handed out", 409, post(&app, &format!("attempts/{receipt}/retry"), &why).await, &before).await;
    refused("handed out", 409, post(&app, &format!("jobs/{job}/retry"), &why).await, &before).await;
    app.sql("DELETE FROM jobs").await;
    for status in ["approved", "denied"] {
        app.sql(&format!("UPDATE attempts SET status = '{status}'")).await;
        let before = everything(&app).await;
        refused("finished", 409, post(&app, &format!("attempts/{receipt}/retry"), &why).await, &before).await;
    }
}

#[tokio::test]
async fn a_key_without_the_right_is_told_so_and_changes_nothing() {
    let app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.sql("UPDATE attempts SET status = 'submitted'").await;
    app.sql("UPDATE jobs SET dead_at = now()").await;
    let job = app.count("SELECT min(id) FROM jobs").await;
    let (viewer, operator) = (key(&app, "attempts:read").await, key(&app, "attempts:operate").await);
    let before = everything(&app).await;
    let bodies = json!({ "reason": WHY, "filter": { "state": "dead" } });
    for (method, path) in [
        (Method::POST, format!("attempts/{receipt}/retry")),
        (Method::POST, format!("attempts/{receipt}/approve")),
        (Method::POST, format!("attempts/{receipt}/deny")),
        (Method::POST, format!("jobs/{job}/retry")),
        (Method::DELETE, format!("jobs/{job}?reason=x")),
        (Method::POST, "retries".to_owned()),
        (Method::DELETE, "retries/00000000-0000-4000-8000-000000000000?reason=x".to_owned()),
    ] {
        for (key, expected) in [(viewer.as_str(), 403), ("vk_guessed", 401)] {
            let request = app.client.request(method.clone(), format!("{}/api/v1/{path}", app.url)).bearer_auth(key).json(&bodies);
            assert_eq!(request.send().await.unwrap().status(), expected, "{method} {path}");
        }
    }
    assert_eq!(everything(&app).await, before);
    let url = format!("{}/api/v1/attempts/{receipt}/approve", app.url);
    assert_eq!(app.client.post(url).bearer_auth(operator).json(&bodies).send().await.unwrap().status(), 200);
    assert_eq!(app.attempt(&receipt).await["reviewing_user"], "attempts:operate", "the name of the key");
}

#[tokio::test]
async fn an_approval_by_hand_does_all_that_the_vendors_does() {
    let app = TestApp::start_with(silent()).await;
    app.put_course().await;
    let receipt = app.submit(7, "Sofia Marek", json!({ "course_key": samples::COURSE, "checkpoint": samples::USAGE })).await;
    app.wait_for_status(&receipt, "submitted").await;
    let (code, answer) = post(&app, &format!("attempts/{receipt}/approve"), &json!({ "reason": WHY })).await;
    assert_eq!((code, answer), (200, json!({ "receipt_id": receipt, "status": "approved" })));
    app.wait_until_idle().await;
    let attempt = app.attempt(&receipt).await;
    assert_eq!(kinds(&attempt), ["received", "prepared", "submitted", "approved_by_hand"]);
    assert_eq!((&attempt["reviewing_service"], &attempt["reviewing_user"]), (&json!("operator"), &json!("bootstrap")));
    assert_eq!(app.get("users/7/verification").await["status"], "approved");
    let credit = app.get(&format!("users/7/credit/{}", percent(samples::COURSE))).await;
    assert_eq!((&credit["eligible"], &credit["requirements"][0]["status"]), (&json!(true), &json!("satisfied")));
    let mut subjects: Vec<_> = app.mail.mails().into_iter().map(|mail| mail.subject).collect();
    subjects.sort_unstable();
    assert_eq!(subjects.len(), 3, "{subjects:?}");
    assert_eq!(subjects[2], "Your Vouch verification has been approved");
    let before = everything(&app).await;
    let (code, answer) = post(&app, &format!("attempts/{receipt}/approve"), &json!({ "reason": WHY })).await;
    assert_eq!(code, 409);
    assert!(answer["detail"].as_str().unwrap().contains("is approved"), "{answer}");
    assert_eq!(everything(&app).await, before, "and mails nothing");
    app.finish().await;
}

#[tokio::test]
async fn a_verdict_of_the_vendor_after_a_decision_by_hand_changes_nothing_and_is_told() {
    for (act, status) in [("approve", "approved"), ("deny", "denied")] {
        let app = TestApp::start_with(silent()).await;
        app.put_course().await;
        let fields = json!({ "course_key": samples::COURSE, "checkpoint": samples::USAGE });
        let receipt = app.submit(7, "Sofia Marek", fields).await;
        app.wait_for_status(&receipt, "submitted").await;
        assert_eq!(post(&app, &format!("attempts/{receipt}/{act}"), &json!({ "reason": WHY })).await.0, 200);
        app.wait_until_idle().await;
        let (mails, statuses) = (app.mail.mails().len(), app.count("SELECT count(*) FROM checkpoint_statuses").await);
        let credit = app.get(&format!("users/7/credit/{}", percent(samples::COURSE))).await;
        let other = if act == "approve" { "FAIL" } else { "PASS" };
        for (seconds, expected) in [(-60, "late"), (60, "contradiction")] {
            let body = verdict(&receipt, other);
            let mut callback = app.callback(&body);
            callback.date += TimeDelta::seconds(seconds);
            assert_eq!(callback.send().await, (200, "OK!".to_owned()));
            app.wait_until_idle().await;
            let attempt = app.attempt(&receipt).await;
            assert_eq!(attempt["status"], status, "signed {seconds} s after");
            let last = attempt["events"].as_array().unwrap().last().unwrap().clone();
            assert_eq!((&last["kind"], &last["detail"]), (&json!("verdict_ignored"), &json!(expected)));
        }
        assert_eq!(app.mail.mails().len(), mails);
        assert_eq!(app.count("SELECT count(*) FROM checkpoint_statuses").await, statuses);
        assert_eq!(app.get(&format!("users/7/credit/{}", percent(samples::COURSE))).await, credit);
        app.finish().await;
    }
}

#[tokio::test]
async fn a_denial_by_hand_tells_the_learner_the_given_reasons_or_a_general_sentence_and_never_the_operators() {
    let reasons = json!({ "photoIdReasons": ["Not provided"] });
    for (given, sentence) in
        [(reasons, "No photo ID was provided."), (Value::Null, "There was an error verifying your ID photos.")]
    {
        let app = TestApp::start_with(silent()).await;
        app.put_course().await;
        let fields = json!({ "course_key": samples::COURSE, "checkpoint": samples::USAGE });
        let receipt = app.submit(7, "Sofia Marek", fields).await;
        app.wait_for_status(&receipt, "submitted").await;
        let body = json!({ "reason": "a fraud, says ticket 99", "learner_reasons": given });
        let (code, answer) = post(&app, &format!("attempts/{receipt}/deny"), &body).await;
        assert_eq!((code, answer), (200, json!({ "receipt_id": receipt, "status": "denied" })));
        app.wait_until_idle().await;
        assert_eq!(app.attempt(&receipt).await["reasons"], json!([sentence]));
        assert_eq!(app.get("users/7/verification").await["reasons"], json!([sentence]));
        let credit = app.get(&format!("users/7/credit/{}", percent(samples::COURSE))).await;
        assert_eq!(credit["requirements"][0]["status"], "failed");
        let mails = app.mail.mails();
        assert_eq!(mails.len(), 2);
        assert!(mails.iter().any(|mail| mail.text.contains(sentence)));
        assert!(!mails.iter().any(|mail| mail.text.contains("fraud") || mail.html.contains("fraud")));
        assert!(!credit.to_string().contains("fraud"));
        app.finish().await;
    }
}

#[tokio::test]
async fn what_was_denied_by_hand_can_be_approved_by_hand_and_the_other_way_round() {
    let app = TestApp::start_with(silent()).await;
    app.put_course().await;
    let receipt = app.submit(7, "Sofia Marek", json!({ "course_key": samples::COURSE, "checkpoint": samples::USAGE })).await;
    app.wait_for_status(&receipt, "submitted").await;
    for (act, status) in [("deny", "denied"), ("deny", "denied"), ("approve", "approved"), ("deny", "denied")] {
        let (code, answer) = post(&app, &format!("attempts/{receipt}/{act}"), &json!({ "reason": WHY })).await;
        assert_eq!((code, &answer["status"]), (200, &json!(status)));
        app.wait_until_idle().await;
    }
    let standing = text(&app, "SELECT string_agg(status, ' ' ORDER BY id) FROM checkpoint_statuses").await;
    assert_eq!(standing, "submitted denied denied approved denied");
    assert_eq!(app.mail.mails().iter().filter(|mail| mail.subject.contains("has been approved")).count(), 1);
    app.finish().await;
}

#[tokio::test]
async fn a_decision_takes_away_the_way_to_the_vendor_and_mails_of_another_verdict() {
    let app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.sql("UPDATE attempts SET status = 'must_retry'").await;
    app.sql("UPDATE jobs SET kind = 'submit_to_vendor', dead_at = now() WHERE kind = 'prepare_photos'").await;
    let mails = async || {
        text(&app, "SELECT string_agg(kind || coalesce(':' || (args ->> 'template'), ''), ' ' ORDER BY id) FROM jobs").await
    };
    assert_eq!(mails().await, "submit_to_vendor send_email:photos_received");
    assert_eq!(post(&app, &format!("attempts/{receipt}/deny"), &json!({ "reason": WHY })).await.0, 200);
    assert_eq!(mails().await, "send_email:photos_received send_email:denied");
    assert_eq!(post(&app, &format!("attempts/{receipt}/approve"), &json!({ "reason": WHY })).await.0, 200);
    assert_eq!(mails().await, "send_email:photos_received send_email:approved");
}

#[tokio::test]
async fn a_decision_stands_when_the_attempt_is_just_on_its_way_to_the_vendor() {
    let app = TestApp::start_with(silent()).await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.wait_for_status(&receipt, "submitted").await;
    app.wait_until_idle().await;
    app.vendor.set_script(Script::parse(br#"{"answer": {"delay_ms": 700}, "callback": {"copies": 0}}"#).unwrap()).unwrap();
    assert_eq!(post(&app, &format!("attempts/{receipt}/retry"), &json!({ "reason": WHY })).await.0, 200);
    wait_for("the job to run", async || {
        (app.count("SELECT count(*) FROM jobs WHERE kind = 'submit_to_vendor' AND phase = 'running'").await == 1).then_some(())
    })
    .await;
    assert_eq!(post(&app, &format!("attempts/{receipt}/retry"), &json!({ "reason": WHY })).await.0, 409, "it runs");
    assert_eq!(post(&app, &format!("attempts/{receipt}/approve"), &json!({ "reason": WHY })).await.0, 200);
    app.wait_until_idle().await;
    assert_eq!(app.attempt(&receipt).await["status"], "approved");
    app.finish().await;
}

#[tokio::test]
async fn a_dead_job_that_nobody_needs_is_dropped_and_one_that_is_needed_is_not() {
    let app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.sql("UPDATE jobs SET dead_at = now()").await;
    let (way, mail) = (app.count("SELECT min(id) FROM jobs").await, app.count("SELECT max(id) FROM jobs").await);
    let before = everything(&app).await;
    let (code, answer) = delete(&app, &format!("jobs/{way}?reason=x")).await;
    assert_eq!(code, 409);
    assert!(answer["detail"].as_str().unwrap().contains("retry it, or approve or deny"), "{answer}");
    assert_eq!(everything(&app).await, before);
    assert_eq!(delete(&app, &format!("jobs/{mail}?reason=nobody+waits")).await.0, 204);
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 1);
    assert_eq!(kinds(&app.attempt(&receipt).await), ["received", "job_dropped"]);
    let audit = "SELECT count(*) FROM operator_actions WHERE action = 'job.drop' AND reason = 'nobody waits'";
    assert_eq!(app.count(audit).await, 1);
    app.sql("UPDATE attempts SET status = 'denied'").await;
    assert_eq!(delete(&app, &format!("jobs/{way}?reason=x")).await.0, 204, "a finished attempt needs it no more");
}

#[tokio::test]
async fn a_dropped_verdict_is_not_brought_back_by_the_sweep() {
    let app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.sql("DELETE FROM jobs").await;
    app.sql("UPDATE attempts SET status = 'submitted'").await;
    assert_eq!(app.callback(&verdict(&receipt, "PASS")).send().await.0, 200);
    app.sql("UPDATE jobs SET dead_at = now()").await;
    let job = app.count("SELECT min(id) FROM jobs").await;
    assert_eq!(delete(&app, &format!("jobs/{job}?reason=x")).await.0, 409, "an open attempt needs its verdict");
    assert_eq!(post(&app, &format!("attempts/{receipt}/approve"), &json!({ "reason": WHY })).await.0, 200);
    assert_eq!(delete(&app, &format!("jobs/{job}?reason=x")).await.0, 204);
    app.clock.advance(TimeDelta::minutes(2));
    assert_eq!(sweep::mend(&app.services()).await, 0);
    assert_eq!(text(&app, "SELECT outcome FROM vendor_callbacks").await, "dropped");
}

#[tokio::test]
async fn a_worker_that_comes_back_from_the_dead_can_not_touch_a_job_that_was_retried() {
    let app = TestApp::without_worker().await;
    app.submit(7, "Sofia Marek", json!({})).await;
    let services = app.services();
    let db = services.db();
    let ticket = &hand_out_jobs::hand_out(db, Queue::Photos, 10).await.unwrap().tickets[0];
    let lease = Lease { job: ticket.id, generation: ticket.generation };
    hand_out_jobs::claim(db, Queue::Photos, &[lease], std::time::Duration::from_secs(60)).await.unwrap();
    app.sql("UPDATE jobs SET dead_at = now() WHERE kind = 'prepare_photos'").await;
    assert_eq!(post(&app, &format!("jobs/{}/retry", ticket.id), &json!({ "reason": WHY })).await.0, 200);
    assert!(vouch_common::operations::settle_job::finish(db, lease).await.is_err());
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE kind = 'prepare_photos' AND dead_at IS NULL").await, 1);
}
