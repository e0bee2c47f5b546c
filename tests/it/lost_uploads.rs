//! Uploads that are gone before anybody prepared them.

use reqwest::Method;
use serde_json::json;
use vouch_tests::TestApp;

#[tokio::test]
async fn an_attempt_whose_upload_is_lost_is_denied_and_its_job_and_uploads_go() {
    let app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.sql("UPDATE jobs SET dead_at = now(), error_class = 'upload_missing' WHERE kind = 'prepare_photos'").await;
    let why = json!({ "reason": "the upload is lost" });
    let denied = app.api(Method::POST, &format!("attempts/{receipt}/deny")).json(&why).send().await.unwrap();
    assert_eq!(denied.status(), 200);
    assert_eq!(app.attempt(&receipt).await["status"], "denied");
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE kind = 'prepare_photos'").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM attempts WHERE face_upload IS NOT NULL OR photo_id_upload IS NOT NULL").await, 0);
    assert_eq!(app.get("users/7/verification").await["status"], "must_reverify");
}
