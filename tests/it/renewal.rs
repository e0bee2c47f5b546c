//! Verifications that end, and those that an operator grants.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use vouch_common::domain::effect::Queue;
use vouch_tests::{TestApp, percent, samples};
use vouch_worker::sweep;

/// An operator grants a verification; answers with the status and the document.
async fn grant(app: &TestApp, user: i64, reason: &str) -> (u16, Value) {
    let path = format!("users/{user}/verifications");
    let answer = app.api(Method::POST, &path).json(&json!({ "reason": reason })).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_learner_is_verified_by_hand_once_and_the_audit_knows_by_whom() {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    let (status, granted) = grant(&app, 7, "seen at the desk").await;
    assert_eq!((status, granted["status"].as_str()), (200, Some("approved")));
    assert_eq!(app.get("users/7/verification").await["status"], "approved");
    let attempt = app.attempt(granted["receipt_id"].as_str().unwrap()).await;
    assert_eq!((attempt["reviewing_service"].as_str(), attempt["name"].as_str()), (Some("manual"), Some("Sofia Marek")));
    let audit = "SELECT count(*) FROM operator_actions WHERE action = 'user.verify' AND actor = 'bootstrap' AND reason = 'seen at the desk'";
    assert_eq!(app.count(audit).await, 1);
    assert_eq!(grant(&app, 7, "again").await.0, 409);
    assert_eq!(grant(&app, 8, "nobody").await.0, 404);
    assert_eq!(grant(&app, 7, " ").await.0, 400);
    assert_eq!(app.count("SELECT count(*) FROM attempts").await, 1);
    assert_eq!(app.count("SELECT count(*) FROM operator_actions").await, 1);
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 0, "no photos, no mail");
    app.clock.advance(TimeDelta::days(366));
    assert_eq!(grant(&app, 7, "a year later").await.0, 200);
}

#[tokio::test]
async fn two_operators_who_grant_at_once_make_one_verification() {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    let mut answers = futures_util::future::join_all((0..8).map(|_| grant(&app, 7, "seen"))).await;
    answers.sort_by_key(|answer| answer.0);
    assert_eq!(answers.iter().map(|answer| answer.0).collect::<Vec<_>>(), [200, 409, 409, 409, 409, 409, 409, 409]);
}

#[tokio::test]
async fn whoever_has_expired_is_told_twice_with_days_between_and_then_left_alone() {
    let mut app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    grant(&app, 7, "seen").await;
    let services = app.services();
    assert_eq!(sweep::remind(&services).await, 0, "it still counts");
    app.clock.advance(TimeDelta::days(366));
    assert_eq!(sweep::remind(&services).await, 1);
    assert_eq!(sweep::remind(&services).await, 0, "once");
    app.clock.advance(TimeDelta::days(14));
    assert_eq!(sweep::remind(&services).await, 0, "not before 15 days");
    app.clock.advance(TimeDelta::days(2));
    assert_eq!(sweep::remind(&services).await, 1);
    app.clock.advance(TimeDelta::days(30));
    assert_eq!(sweep::remind(&services).await, 0, "two are enough");
    app.start_worker(&Queue::ALL);
    app.wait_until_idle().await;
    let mails = app.mail.mails();
    assert_eq!(mails.len(), 2);
    assert!(mails[0].subject.contains("verification has expired"), "{}", mails[0].subject);
    app.finish().await;
}

#[tokio::test]
async fn a_learner_whose_course_still_needs_it_is_told_until_it_ends() {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    app.put_course().await;
    let enrolment = format!("users/7/enrollments/{}", percent(samples::COURSE));
    app.put(&enrolment, &json!({ "mode": "verified", "is_active": true })).await;
    grant(&app, 7, "seen").await;
    app.sql("UPDATE courses SET ends_at = NULL").await;
    let services = app.services();
    app.clock.advance(TimeDelta::days(366));
    for _ in 0..4 {
        assert_eq!(sweep::remind(&services).await, 1);
        app.clock.advance(TimeDelta::days(15));
    }
    app.put(&enrolment, &json!({ "mode": "verified", "is_active": false })).await;
    assert_eq!(sweep::remind(&services).await, 1, "the mail that was due");
    app.clock.advance(TimeDelta::days(15));
    assert_eq!(sweep::remind(&services).await, 0);
}

#[tokio::test]
async fn nobody_is_told_who_has_renewed_or_expired_long_ago() {
    let app = TestApp::without_worker().await;
    for user in [7, 8, 9] {
        app.put_user(user, "Sofia Marek").await;
        grant(&app, user, "seen").await;
    }
    let services = app.services();
    app.clock.advance(TimeDelta::days(366));
    // The seventh waits for a verdict, the eighth is verified anew, the ninth was denied.
    app.submit(7, "Sofia Marek", json!({})).await;
    assert_eq!(grant(&app, 8, "seen again").await.0, 200);
    let denied = app.submit(9, "Sofia Marek", json!({})).await;
    app.sql(&format!("UPDATE attempts SET status = 'denied' WHERE receipt_id = '{denied}'")).await;
    assert_eq!(sweep::remind(&services).await, 1);
    assert_eq!(app.count("SELECT user_id FROM attempts WHERE expiry_mails = 1").await, 9);
    assert_eq!(grant(&app, 9, "seen at last").await.0, 200);
    app.clock.advance(TimeDelta::days(16));
    assert_eq!(sweep::remind(&services).await, 0, "renewed in the meantime");
    assert_eq!(app.count("SELECT count(*) FROM attempts WHERE expiry_mail_due IS NOT NULL").await, 0);
    let late = TestApp::without_worker().await;
    late.put_user(7, "Sofia Marek").await;
    grant(&late, 7, "seen").await;
    late.clock.advance(TimeDelta::days(365 + 20));
    assert_eq!(sweep::remind(&late.services()).await, 0, "what expired long ago was not told of and is not now");
}

#[tokio::test]
async fn a_learner_whose_course_still_needs_it_is_told_on_when_the_details_have_gone() {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    app.put_course().await;
    app.put(&format!("users/7/enrollments/{}", percent(samples::COURSE)), &json!({ "mode": "verified", "is_active": true }))
        .await;
    grant(&app, 7, "seen").await;
    app.sql("UPDATE courses SET ends_at = NULL").await;
    let services = app.services();
    app.clock.advance(TimeDelta::days(366));
    assert_eq!(sweep::remind(&services).await, 1);
    app.sql("DELETE FROM jobs").await;
    app.clock.advance(TimeDelta::days(366));
    vouch_worker::purge::run(&services, &tokio_util::sync::CancellationToken::new()).await;
    assert_eq!(app.count("SELECT count(*) FROM attempts WHERE emptied_at IS NOT NULL").await, 1);
    for _ in 0..2 {
        assert_eq!(sweep::remind(&services).await, 1);
        app.clock.advance(TimeDelta::days(15));
    }
}
