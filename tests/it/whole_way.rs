//! A submission travels all the way.

use serde_json::json;
use vouch_common::domain::effect::Queue;
use vouch_tests::{TestApp, percent, samples};

#[tokio::test]
async fn a_submission_becomes_an_approval_a_satisfied_requirement_and_three_mails() {
    let app = TestApp::start().await;
    app.put_course().await;
    let receipt = app.submit(7, "Sofia Marek", json!({ "course_key": samples::COURSE, "checkpoint": samples::USAGE })).await;
    let attempt = app.wait_for_status(&receipt, "approved").await;
    app.wait_until_idle().await;
    let kinds: Vec<_> = attempt["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["received", "prepared", "submitted", "approved"]);
    assert_eq!(attempt["checkpoints"], json!([{ "course": samples::COURSE, "usage": samples::USAGE }]));
    let credit = app.get(&format!("users/7/credit/{}", percent(samples::COURSE))).await;
    assert_eq!(credit["eligible"], true);
    assert_eq!(credit["requirements"][0]["status"], "satisfied");
    let standing = app.get("users/7/verification").await;
    assert_eq!((&standing["status"], &standing["can_verify"]), (&json!("approved"), &json!(false)));
    let mails = app.mail.mails();
    let mut subjects: Vec<_> = mails.iter().map(|mail| mail.subject.as_str()).collect();
    subjects.sort_unstable();
    assert_eq!(
        subjects,
        [
            "Verification photos received",
            "You are eligible for credit from Utopia University",
            "Your Vouch verification has been approved"
        ]
    );
    for mail in &mails {
        assert!(mail.message_id.starts_with("vouch-job-"), "{}", mail.message_id);
        assert!(mail.text.contains("Sofia Marek") && mail.html.contains("Sofia Marek"));
        assert_eq!(mail.to, ["u7@example.com"]);
    }
    app.finish().await;
}

#[tokio::test]
async fn a_denial_fails_the_requirement_and_tells_the_learner_why() {
    let app = TestApp::start().await;
    app.put_course().await;
    let receipt = app.submit(7, "Sofia FAIL", json!({ "course_key": samples::COURSE, "checkpoint": samples::USAGE })).await;
    let attempt = app.wait_for_status(&receipt, "denied").await;
    app.wait_until_idle().await;
    assert_eq!(attempt["reasons"], json!(["No photo ID was provided."]));
    let credit = app.get(&format!("users/7/credit/{}", percent(samples::COURSE))).await;
    assert_eq!(credit["requirements"][0]["status"], "failed");
    assert_eq!(credit["requirements"][0]["reason"], attempt["error_msg"]);
    assert_eq!(credit["eligible"], false);
    let standing = app.get("users/7/verification").await;
    assert_eq!(standing["status"], "must_reverify");
    assert_eq!(standing["reasons"], json!(["No photo ID was provided."]));
    let denial = app.mail.mails().into_iter().find(|mail| mail.subject.contains("another try")).unwrap();
    assert!(denial.text.contains("No photo ID was provided."));
    app.finish().await;
}

#[tokio::test]
async fn one_queue_each_on_seven_workers_does_the_same_as_all_on_one() {
    let mut app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    assert_eq!(app.get("users/7/verification").await["status"], "pending", "a queued attempt counts");
    let mut others = Vec::new();
    for queue in Queue::ALL {
        others.push(app.services());
        app.start_worker(&[queue]);
    }
    app.wait_for_status(&receipt, "approved").await;
    app.wait_until_idle().await;
    assert_eq!(app.mail.mails().len(), 2);
}

#[tokio::test]
async fn a_mail_server_that_refuses_for_now_gets_the_mail_later_and_the_verdict_stands() {
    let app = TestApp::start().await;
    app.mail.refuse_next(1);
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.wait_for_status(&receipt, "approved").await;
    app.wait_until_idle().await;
    let mut ids: Vec<_> = app.mail.mails().into_iter().map(|mail| mail.message_id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 2);
    app.finish().await;
}
