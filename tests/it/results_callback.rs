//! The vendor's callback, over real HTTP: every answer, in the order of the contract.

use chrono::TimeDelta;
use serde_json::{Value, json};
use vouch_common::domain::effect::Queue;
use vouch_tests::{FORMER_SECRET, TestApp, Wishes, answer, samples, wait_for};

use vouch_cli::simulator::Script;

/// A vendor that accepts and never calls back, so that the test can.
fn silent() -> Wishes {
    Wishes { script: Script::parse(br#"{"callback": {"copies": 0}}"#).unwrap(), ..Wishes::default() }
}

async fn submitted() -> (TestApp, String) {
    let app = TestApp::start_with(silent()).await;
    app.put_course().await;
    let receipt = app.submit(7, "Sofia Marek", json!({ "course_key": samples::COURSE, "checkpoint": samples::USAGE })).await;
    app.wait_for_status(&receipt, "submitted").await;
    (app, receipt)
}

fn verdict(receipt: &str, result: &str) -> Value {
    json!({ "EdX-ID": receipt, "Result": result, "Reason": "", "MessageType": "said so" })
}

async fn untouched(app: &TestApp, receipt: &str) {
    assert_eq!(app.attempt(receipt).await["status"], "submitted");
    assert_eq!(
        app.count("SELECT count(*) FROM vendor_callbacks WHERE outcome <> 'orphan' AND outcome <> 'unknown_result'").await,
        0
    );
}

#[tokio::test]
async fn each_refusal_has_its_text_and_changes_nothing() {
    let (app, receipt) = submitted().await;
    let pass = verdict(&receipt, "PASS");
    let text = |text: &str| (400, text.to_owned());
    let with_body = |body: &str| {
        let mut callback = app.callback(&pass);
        callback.body = body.to_owned();
        callback
    };
    assert_eq!(with_body(&"x".repeat(64 * 1024 + 1)).send().await.0, 413);
    assert_eq!(with_body("not json").send().await, text("Invalid JSON"));
    assert_eq!(with_body("\"a string\"").send().await, text("JSON should be dict"));
    let twice = format!(r#"{{"EdX-ID":"{receipt}","Result":"FAIL","Result":"PASS"}}"#);
    assert_eq!(with_body(&twice).send().await, text("Invalid JSON"));
    let unsigned = app.callback(&pass).unsigned();
    assert_eq!(answer(unsigned.send().await.unwrap()).await, text("Access key invalid"));
    for header in ["", "SSI", "SSI key", "SSI: a:b", "SSI key:a:b", "SSI  key:sig"] {
        let request = app.callback(&pass).unsigned().header("Authorization", header);
        assert_eq!(answer(request.send().await.unwrap()).await, text("Access key invalid"), "{header}");
    }
    let mut callback = app.callback(&pass);
    callback.access_key = "somebody else";
    assert_eq!(callback.send().await, text("Access key invalid"));
    callback = app.callback(&pass);
    callback.secret = "guessed";
    assert_eq!(callback.send().await, text("Signature is invalid"));
    for minutes in [-6, 6] {
        callback = app.callback(&pass);
        callback.date += TimeDelta::minutes(minutes);
        assert_eq!(callback.send().await, text("Signature is invalid"), "{minutes}");
    }
    let mut odd = pass.clone();
    odd["MessageType"] = json!("a\nResult:PASS");
    assert_eq!(app.callback(&odd).send().await, text("Signature is invalid"));
    odd["MessageType"] = json!(5);
    assert_eq!(app.callback(&odd).send().await, text("Signature is invalid"));
    assert_eq!(app.callback(&verdict("Invalid-Id", "PASS")).send().await, text("edX ID Invalid-Id not found"));
    assert_eq!(app.callback(&json!({ "Result": "PASS" })).send().await, text("edX ID None not found"));
    let unknown = "Result Unknown not understood. Known results: PASS, FAIL, SYSTEM FAIL";
    assert_eq!(app.callback(&verdict(&receipt, "Unknown")).send().await, text(unknown));
    assert_eq!(app.callback(&verdict("a\u{0}", "PASS")).send().await, text("edX ID a\u{0} not found"));
    let unknown = "Result \u{0} not understood. Known results: PASS, FAIL, SYSTEM FAIL";
    assert_eq!(app.callback(&verdict(&receipt, "\u{0}")).send().await, text(unknown));
    untouched(&app, &receipt).await;
    assert_eq!(app.count("SELECT count(*) FROM vendor_callbacks WHERE outcome = 'orphan'").await, 3);
    app.finish().await;
}

#[tokio::test]
async fn a_verdict_may_be_signed_with_the_former_secret_and_over_the_content_type_too() {
    for (secret, covers_type) in [(FORMER_SECRET, false), (vouch_tests::SECRET, true)] {
        let (app, receipt) = submitted().await;
        let body = verdict(&receipt, "PASS");
        let mut callback = app.callback(&body);
        (callback.secret, callback.covers_type) = (secret, covers_type);
        assert_eq!(callback.send().await, (200, "OK!".to_owned()));
        app.wait_for_status(&receipt, "approved").await;
        app.finish().await;
    }
}

#[tokio::test]
async fn fifty_duplicates_at_once_make_one_transition_and_one_mail() {
    let (app, receipt) = submitted().await;
    let body = verdict(&receipt, "PASS");
    let callback = app.callback(&body);
    let requests: Vec<_> = (0..50).map(|_| tokio::spawn(callback.request().send())).collect();
    for request in requests {
        assert_eq!(answer(request.await.unwrap().unwrap()).await, (200, "OK!".to_owned()));
    }
    app.wait_for_status(&receipt, "approved").await;
    app.wait_until_idle().await;
    assert_eq!(app.count("SELECT count(*) FROM attempt_events WHERE to_status = 'approved'").await, 1);
    assert_eq!(app.count("SELECT count(*) FROM checkpoint_statuses WHERE status = 'approved'").await, 1);
    assert_eq!(app.mail.mails().iter().filter(|mail| mail.subject.contains("approved")).count(), 1);
    app.finish().await;
}

#[tokio::test]
async fn late_and_contradicting_verdicts_change_nothing_and_mail_nothing() {
    for (first, second) in [("PASS", "FAIL"), ("FAIL", "PASS"), ("PASS", "SYSTEM FAIL"), ("FAIL", "FAIL")] {
        let (app, receipt) = submitted().await;
        assert_eq!(app.callback(&verdict(&receipt, first)).send().await.0, 200);
        let status = if first == "PASS" { "approved" } else { "denied" };
        app.wait_for_status(&receipt, status).await;
        app.wait_until_idle().await;
        let (mails, statuses) = (app.mail.mails().len(), app.count("SELECT count(*) FROM checkpoint_statuses").await);
        for seconds in [-60, 60] {
            let body = verdict(&receipt, second);
            let mut callback = app.callback(&body);
            callback.date += TimeDelta::seconds(seconds);
            assert_eq!(callback.send().await, (200, "OK!".to_owned()));
        }
        app.wait_until_idle().await;
        assert_eq!(app.attempt(&receipt).await["status"], status, "{second} after {first}");
        assert_eq!(app.mail.mails().len(), mails);
        assert_eq!(app.count("SELECT count(*) FROM checkpoint_statuses").await, statuses);
        app.finish().await;
    }
}

#[tokio::test]
async fn a_system_failure_is_told_and_the_attempt_waits_for_another_try() {
    let (app, receipt) = submitted().await;
    let body =
        json!({ "EdX-ID": receipt, "Result": "SYSTEM FAIL", "Reason": "Memory overflow", "MessageType": "You must retry." });
    assert_eq!(app.callback(&body).send().await, (200, "OK!".to_owned()));
    let attempt = app.wait_for_status(&receipt, "must_retry").await;
    assert_eq!(attempt["error_msg"], r#""Memory overflow""#);
    assert_eq!(attempt["error_code"], "You must retry.");
    assert_eq!(attempt["jobs"][0]["kind"], "submit_to_vendor");
    assert_eq!(attempt["jobs"][0]["state"], "scheduled");
    assert_eq!(app.get("users/7/verification").await["status"], "pending");
    assert_eq!(app.callback(&verdict(&receipt, "PASS")).send().await.0, 200);
    app.wait_for_status(&receipt, "approved").await;
}

#[tokio::test]
async fn a_system_failure_ends_the_order_that_it_answers_even_if_that_waits_for_another_try_or_is_dead() {
    let order = "SELECT id FROM jobs WHERE kind = 'submit_to_vendor'";
    for end in ["due_at = now() + interval '2 seconds'", "due_at = now(), phase = 'running'", "dead_at = now()"] {
        let script = Script::parse(br#"{"answer": {"fault": {"kind": "status", "status": 503}}}"#).unwrap();
        let mut app = TestApp::start_with(Wishes { script, ..Wishes::default() }).await;
        let receipt = app.submit(7, "Sofia Marek", json!({})).await;
        app.wait_for_status(&receipt, "must_retry").await;
        app.stop_worker().await;
        app.sql(&format!("UPDATE jobs SET {end}")).await;
        let former = app.count(order).await;
        app.start_worker(&[Queue::Results]);
        assert_eq!(app.callback(&verdict(&receipt, "SYSTEM FAIL")).send().await.0, 200);
        wait_for("the verdict to be applied", async || {
            (app.count("SELECT count(*) FROM vendor_callbacks WHERE outcome = 'applied'").await == 1).then_some(())
        })
        .await;
        let next = app.count(&format!("{order} AND dead_at IS NULL AND due_at > now() + interval '5 minutes'")).await;
        assert_ne!(next, former, "{end}: the vendor would take it for the order that it has judged");
        assert_eq!(app.count("SELECT count(*) FROM jobs WHERE kind = 'submit_to_vendor'").await, 1);
        app.stop_worker().await;
    }
}

#[tokio::test]
async fn the_same_system_failure_again_counts_once_unless_the_attempt_was_tried_in_between() {
    let (mut app, receipt) = submitted().await;
    let order = "SELECT id FROM jobs WHERE kind = 'submit_to_vendor'";
    let tell = async |app: &TestApp, seconds: i64| {
        let body = verdict(&receipt, "SYSTEM FAIL");
        let mut callback = app.callback(&body);
        callback.date += TimeDelta::seconds(seconds);
        assert_eq!(callback.send().await.0, 200);
        wait_for("the verdict to be heard", async || {
            (app.count("SELECT count(*) FROM vendor_callbacks WHERE outcome = 'received'").await == 0).then_some(())
        })
        .await;
    };
    tell(&app, 0).await;
    let second = app.count(order).await;
    tell(&app, 1).await;
    assert_eq!(app.count(order).await, second, "nothing was sent since");
    // The worker was killed after it had sent the second order, so only the vendor knows of it.
    app.stop_worker().await;
    app.sql("UPDATE jobs SET claimed_at = now(), phase = 'running', due_at = now()").await;
    app.start_worker(&[Queue::Results]);
    tell(&app, 2).await;
    assert_ne!(app.count(order).await, second, "the vendor would take it for the order that it has judged");
    assert_eq!(app.count("SELECT count(*) FROM vendor_callbacks WHERE outcome = 'duplicate'").await, 1);
    app.stop_worker().await;
}

#[tokio::test]
async fn a_verdict_with_a_character_that_postgres_cant_keep_is_applied_without_it() {
    let (app, receipt) = submitted().await;
    let mut body = verdict(&receipt, "FAIL");
    (body["MessageType"], body["Reason"]) = (json!("a\u{0}b"), json!([{ "generalReasons": ["x\u{0}y"] }]));
    assert_eq!(app.callback(&body).send().await, (200, "OK!".to_owned()));
    let attempt = app.wait_for_status(&receipt, "denied").await;
    assert_eq!(attempt["error_code"], "ab");
    app.finish().await;
}

#[tokio::test]
async fn any_shape_of_reason_survives() {
    for (reason, texts) in [
        (json!([{ "photoIdReasons": ["Not provided"] }]), json!(["No photo ID was provided."])),
        (json!("Invalid photo"), json!(["There was an error verifying your ID photos."])),
        (json!([]), json!(["There was an error verifying your ID photos."])),
        (json!([{ "new": { "deep": ["x"] } }]), json!(["There was an error verifying your ID photos."])),
    ] {
        let (app, receipt) = submitted().await;
        let body = json!({ "EdX-ID": receipt, "Result": "FAIL", "Reason": reason, "MessageType": "x".repeat(80) });
        assert_eq!(app.callback(&body).send().await.0, 200);
        let attempt = app.wait_for_status(&receipt, "denied").await;
        assert_eq!(attempt["reasons"], texts);
        assert_eq!(attempt["error_code"], "x".repeat(50));
        app.finish().await;
    }
}

#[tokio::test]
async fn a_verdict_that_beats_our_own_record_waits_and_is_applied_after() {
    let mut app = TestApp::start_with(Wishes { is_without_worker: true, ..silent() }).await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.start_worker(&[Queue::Photos, Queue::Results]);
    app.wait_for_status(&receipt, "ready").await;
    assert_eq!(app.callback(&verdict(&receipt, "PASS")).send().await.0, 200);
    vouch_tests::wait_for("the verdict to have been tried", async || {
        (app.count("SELECT coalesce(max(failures), 0)::bigint FROM jobs WHERE kind = 'apply_vendor_result'").await > 0)
            .then_some(())
    })
    .await;
    assert_eq!(app.attempt(&receipt).await["status"], "ready");
    app.stop_worker().await;
    app.start_worker(&Queue::ALL);
    app.wait_for_status(&receipt, "approved").await;
    app.finish().await;
}

#[tokio::test]
async fn audit_mode_lets_a_bad_signature_in_and_nothing_else() {
    let mut wishes = silent();
    wishes.settings.push(("VOUCH_CALLBACK_SIGNATURE", "audit".to_owned()));
    let app = TestApp::start_with(wishes).await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.wait_for_status(&receipt, "submitted").await;
    let body = verdict(&receipt, "PASS");
    let mut callback = app.callback(&body);
    callback.access_key = "somebody else";
    assert_eq!(callback.send().await.0, 400);
    callback = app.callback(&body);
    callback.secret = "guessed";
    assert_eq!(callback.send().await, (200, "OK!".to_owned()));
    app.wait_for_status(&receipt, "approved").await;
    app.finish().await;
}

#[tokio::test]
async fn in_audit_mode_a_verdict_that_claims_to_be_of_the_future_makes_no_later_one_late() {
    let mut wishes = silent();
    wishes.settings.push(("VOUCH_CALLBACK_SIGNATURE", "audit".to_owned()));
    let app = TestApp::start_with(wishes).await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.wait_for_status(&receipt, "submitted").await;
    let (failed, passed) = (verdict(&receipt, "SYSTEM FAIL"), verdict(&receipt, "PASS"));
    let mut ahead = app.callback(&failed);
    ahead.date = app.now() + TimeDelta::days(365);
    assert_eq!(ahead.send().await, (200, "OK!".to_owned()));
    let applied = "SELECT count(*) FROM vendor_callbacks WHERE outcome = 'applied'";
    wait_for("it to be applied", async || (app.count(applied).await == 1).then_some(())).await;
    app.clock.advance(TimeDelta::seconds(1));
    assert_eq!(app.callback(&passed).send().await, (200, "OK!".to_owned()));
    app.wait_for_status(&receipt, "approved").await;
}
