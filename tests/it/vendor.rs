//! The vendor at its worst: busy, refusing, hanging, redirecting.

use serde_json::json;
use vouch_cli::simulator::{Kind, Script};
use vouch_tests::{TestApp, Wishes, wait_for};

async fn with_script(script: &str) -> TestApp {
    with_script_and_patience(script, "40s").await
}

/// As [`with_script`], with a worker that waits so long for the vendor's answer.
async fn with_script_and_patience(script: &str, timeout: &str) -> TestApp {
    let settings = vec![("VOUCH_VENDOR_TIMEOUT", timeout.to_owned())];
    TestApp::start_with(Wishes { script: Script::parse(script.as_bytes()).unwrap(), settings, ..Wishes::default() }).await
}

/// How often the vendor saw a submission.
fn submissions(app: &TestApp) -> usize {
    app.vendor.journal().entries().iter().filter(|entry| entry.event.kind == Kind::Submission).count()
}

#[tokio::test]
async fn a_vendor_at_fault_is_tried_again_with_the_same_receipt_until_it_is_well() {
    let app = with_script(r#"{"answer": {"fault": {"kind": "status", "status": 503}, "first": 2}}"#).await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    let attempt = app.wait_for_status(&receipt, "approved").await;
    let failures = attempt["events"].as_array().unwrap().iter().filter(|event| event["kind"] == "submission_failed").count();
    assert_eq!(failures, 2);
    assert_eq!(submissions(&app), 3);
    assert_eq!(attempt["error_msg"], "");
    app.finish().await;
}

#[tokio::test]
async fn a_vendor_that_refuses_leaves_the_attempt_for_an_operator_at_once() {
    let app = with_script(r#"{"answer": {"fault": {"kind": "status", "status": 400}}}"#).await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    let attempt = wait_for("the job to be dead", async || {
        let attempt = app.attempt(&receipt).await;
        (attempt["jobs"][0]["state"] == "dead").then_some(attempt)
    })
    .await;
    assert_eq!(attempt["status"], "must_retry");
    assert_eq!(attempt["jobs"][0]["kind"], "submit_to_vendor");
    assert_eq!(submissions(&app), 1);
    assert_eq!(app.get("users/7/verification").await["status"], "pending");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let app = with_script(r#"{"answer": {"fault": {"kind": "redirect", "location": "http://127.0.0.1:9/"}}}"#).await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    wait_for("the job to be dead", async || (app.attempt(&receipt).await["jobs"][0]["state"] == "dead").then_some(())).await;
    assert_eq!(app.attempt(&receipt).await["status"], "must_retry");
}

#[tokio::test]
async fn a_vendor_that_takes_it_and_hangs_is_asked_again_and_judges_once() {
    let app = with_script_and_patience(r#"{"answer": {"fault": {"kind": "hang"}, "first": 1}}"#, "2s").await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.wait_for_status(&receipt, "approved").await;
    app.wait_until_idle().await;
    assert_eq!(app.count("SELECT count(*) FROM attempt_events WHERE to_status = 'approved'").await, 1);
    app.finish().await;
}

#[tokio::test]
async fn too_many_requests_hold_the_whole_queue_for_as_long_as_the_vendor_asks() {
    let app = with_script(r#"{"answer": {"fault": {"kind": "too_many_requests", "retry_after": "3000"}}}"#).await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    wait_for("the queue to be held", async || {
        (app.count("SELECT count(*) FROM queue_controls WHERE queue = 'vendor' AND held_until > now() + interval '40 minutes'")
            .await
            == 1)
            .then_some(())
    })
    .await;
    let other = app.submit(8, "Sofia Marek", json!({})).await;
    app.wait_for_status(&other, "ready").await;
    assert_eq!(app.attempt(&receipt).await["jobs"][0]["state"], "scheduled");
    assert_eq!(submissions(&app), 1, "nobody calls meanwhile");
}
