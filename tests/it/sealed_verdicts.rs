//! What the verdicts of the format `sealed` do: orphans, order, reasons.

use serde_json::json;
use vouch_common::{domain::effect::Queue, operations::match_orphans};
use vouch_tests::{
    TestApp, Wishes,
    sealed::{self, SealedCallback, verdict},
};

/// A vendor that accepts and never calls back, so that the test can.
fn silent() -> Wishes {
    sealed::wishes(r#"{"callback": {"copies": 0}}"#)
}

async fn submitted() -> (TestApp, String) {
    let app = TestApp::start_with(silent()).await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.wait_for_status(&receipt, "submitted").await;
    (app, receipt)
}

async fn accept(app: &TestApp, id: &str, body: &serde_json::Value) {
    assert_eq!(SealedCallback::new(app, id, body).send(app).await, (202, "Accepted.".to_owned()));
}

#[tokio::test]
async fn an_orphan_finds_its_attempt_within_a_quarter_of_an_hour_and_not_later() {
    for (minutes, expected) in [(14, "approved"), (16, "submitted")] {
        let (app, receipt) = submitted().await;
        let hidden = "11111111-1111-4111-8111-111111111111";
        app.sql(&format!("UPDATE attempts SET receipt_id = '{hidden}'")).await;
        for (id, result) in [("evt_1", "approved"), ("evt_2", "nonsense"), ("evt_3", "PASS")] {
            accept(&app, id, &verdict(&receipt, result)).await;
        }
        let again = async || match_orphans::match_again(app.services().db(), app.now()).await.unwrap();
        assert_eq!(again().await, 0);
        app.sql(&format!("UPDATE attempts SET receipt_id = '{receipt}'")).await;
        app.clock.advance(chrono::TimeDelta::minutes(minutes));
        assert_eq!(again().await, if expected == "approved" { 3 } else { 0 });
        app.wait_until_idle().await;
        assert_eq!(app.attempt(&receipt).await["status"], expected);
        assert_eq!(again().await, 0);
        app.finish().await;
    }
}

#[tokio::test]
async fn an_orphan_whose_result_is_not_known_does_not_turn_into_one_that_is() {
    let (app, receipt) = submitted().await;
    app.sql("UPDATE attempts SET receipt_id = '11111111-1111-4111-8111-111111111111'").await;
    accept(&app, "evt_1", &verdict(&receipt, "appro\u{0}ved")).await;
    app.sql(&format!("UPDATE attempts SET receipt_id = '{receipt}'")).await;
    assert_eq!(match_orphans::match_again(app.services().db(), app.now()).await.unwrap(), 1);
    app.wait_until_idle().await;
    assert_eq!(app.attempt(&receipt).await["status"], "submitted");
    assert_eq!(app.count("SELECT count(*) FROM vendor_callbacks WHERE outcome = 'unknown_result'").await, 1);
    app.finish().await;
}

#[tokio::test]
async fn an_orphan_that_is_called_again_is_matched_at_once() {
    let (app, receipt) = submitted().await;
    app.sql("UPDATE attempts SET receipt_id = '11111111-1111-4111-8111-111111111111'").await;
    let callback = SealedCallback::new(&app, "evt_1", &verdict(&receipt, "approved"));
    assert_eq!(callback.send(&app).await.0, 202);
    app.sql(&format!("UPDATE attempts SET receipt_id = '{receipt}'")).await;
    assert_eq!(callback.send(&app).await.0, 202);
    app.wait_for_status(&receipt, "approved").await;
    assert_eq!(app.count("SELECT count(*) FROM vendor_callbacks").await, 1);
    app.finish().await;
}

#[tokio::test]
async fn a_verdict_with_a_character_that_postgres_cant_keep_is_applied_without_it() {
    let (app, receipt) = submitted().await;
    let mut body = verdict(&receipt, "denied");
    (body["code"], body["reasons"]) = (json!("a\u{0}b"), json!(["id-missing", "x\u{0}y"]));
    accept(&app, "evt_1", &body).await;
    assert_eq!(app.wait_for_status(&receipt, "denied").await["error_code"], "ab");
    app.finish().await;
}

#[tokio::test]
async fn late_and_contradicting_verdicts_change_nothing_and_mail_nothing() {
    for (first, second) in [("approved", "denied"), ("denied", "approved"), ("approved", "retry"), ("denied", "denied")] {
        let (app, receipt) = submitted().await;
        accept(&app, "evt_1", &verdict(&receipt, first)).await;
        app.wait_for_status(&receipt, first).await;
        app.wait_until_idle().await;
        let mails = app.mail.mails().len();
        for (id, offset) in [("evt_2", -60), ("evt_3", 0)] {
            let mut body = verdict(&receipt, second);
            body["decided_at"] = json!((app.now() + chrono::TimeDelta::seconds(offset)).to_rfc3339());
            accept(&app, id, &body).await;
        }
        app.wait_until_idle().await;
        assert_eq!(app.attempt(&receipt).await["status"], first, "{second} after {first}");
        assert_eq!(app.mail.mails().len(), mails);
        app.finish().await;
    }
}

#[tokio::test]
async fn a_vendor_that_could_not_decide_is_asked_again_and_a_decision_from_the_future_blocks_none() {
    let (app, receipt) = submitted().await;
    let mut body = verdict(&receipt, "retry");
    body["decided_at"] = json!("2099-01-01T00:00:00Z");
    accept(&app, "evt_1", &body).await;
    let attempt = app.wait_for_status(&receipt, "must_retry").await;
    assert_eq!(attempt["error_code"], "said so");
    assert_eq!((&attempt["jobs"][0]["kind"], &attempt["jobs"][0]["state"]), (&json!("submit_to_vendor"), &json!("scheduled")));
    app.clock.advance(chrono::TimeDelta::seconds(1));
    accept(&app, "evt_2", &verdict(&receipt, "approved")).await;
    app.wait_for_status(&receipt, "approved").await;
}

#[tokio::test]
async fn reasons_are_codes_and_an_unknown_one_gives_the_general_sentence() {
    for (reasons, texts) in [
        (json!(["id-missing", "name-differs"]), 2),
        (json!(["id-missing", "new"]), 1),
        (json!([]), 1),
        (json!("id-missing"), 1),
        (json!([7, null]), 1),
    ] {
        let (app, receipt) = submitted().await;
        let mut body = verdict(&receipt, "denied");
        (body["reasons"], body["code"]) = (reasons.clone(), json!("x".repeat(80)));
        accept(&app, "evt_1", &body).await;
        let attempt = app.wait_for_status(&receipt, "denied").await;
        assert_eq!(attempt["reasons"].as_array().map(Vec::len), Some(texts), "{reasons}");
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
    accept(&app, "evt_1", &verdict(&receipt, "approved")).await;
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
