//! A mail about a verdict goes only while the verdict holds.

use serde_json::json;
use vouch_common::{domain::effect::Queue, operations::hand_out_jobs};
use vouch_tests::TestApp;

use crate::acting::post;

#[tokio::test]
async fn a_mail_that_was_handed_out_when_its_verdict_was_overtaken_is_not_sent() {
    let mut app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.sql("DELETE FROM jobs").await;
    app.sql("UPDATE attempts SET status = 'submitted'").await;
    for act in ["approve", "deny"] {
        assert_eq!(post(&app, &format!("attempts/{receipt}/{act}"), &json!({ "reason": "seen" })).await.0, 200);
        // From here on no decision takes it away.
        assert_eq!(hand_out_jobs::hand_out(app.services().db(), Queue::Mail, 10).await.unwrap().tickets.len(), 1);
    }
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE args ->> 'template' IN ('approved', 'denied')").await, 2);
    app.sql("UPDATE jobs SET due_at = now()").await;
    app.start_worker(&[Queue::Mail]);
    app.wait_until_idle().await;
    let subjects: Vec<_> = app.mail.mails().into_iter().map(|mail| mail.subject).collect();
    assert_eq!(subjects, ["Your Vouch verification needs another try"]);
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 0, "nor is it dead");
    app.stop_worker().await;
}
