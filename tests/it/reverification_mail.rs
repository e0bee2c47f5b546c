//! Verdicts at checkpoints, by mail. The simulated vendor goes by the name: `FAIL` is denied.

use chrono::{TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use vouch_cli::mail_catcher::CaughtMail;
use vouch_tests::{TestApp, percent, receipt, samples};

const SUBJECT: &str = "Re-verification Status";

async fn turn(app: &TestApp, is_on: bool) {
    app.put("settings/icrv-status-emails", &json!({ "enabled": is_on })).await;
}

/// A learner with an initial verification, a course whose block says `attempts` and `due`, and the mails on.
async fn ready(attempts: i32, due: Option<TimeDelta>) -> TestApp {
    let app = TestApp::start().await;
    let mut course = samples::course();
    course["reverification_blocks"][0]["attempts"] = json!(attempts);
    course["reverification_blocks"][0]["due"] = json!(due.map(|due| app.now() + due));
    app.put(&format!("courses/{}", percent(samples::COURSE)), &course).await;
    let initial = app.submit(7, "Sofia Marek", json!({})).await;
    app.wait_for_status(&initial, "approved").await;
    app.wait_until_idle().await;
    turn(&app, true).await;
    app
}

/// Submits a face at the checkpoint and waits for the verdict; the mails that it brought.
async fn reverify(app: &TestApp, name: &str, status: &str) -> Vec<CaughtMail> {
    let before = app.mail.mails().len();
    app.put_user(7, name).await;
    let fields = json!({ "face_image": samples::good("face.jpg"), "course_key": samples::COURSE, "checkpoint": samples::USAGE });
    let receipt = receipt(&app.submission(7, &fields).send().await.unwrap());
    app.wait_for_status(&receipt, status).await;
    app.wait_until_idle().await;
    app.mail.mails().split_off(before).into_iter().filter(|mail| !mail.subject.starts_with("You are eligible")).collect()
}

fn words(mail: &CaughtMail) -> String {
    mail.text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn an_approval_at_a_checkpoint_is_one_mail_with_links_and_thanks() {
    let app = ready(1, Some(TimeDelta::days(20))).await;
    let mails = reverify(&app, "Sofia Marek", "approved").await;
    assert_eq!(mails.len(), 1, "the ordinary mail does not go as well");
    assert_eq!((mails[0].subject.as_str(), &mails[0].to), (SUBJECT, &vec!["u7@example.com".to_owned()]));
    let text = words(&mails[0]);
    assert!(text.contains("successfully verified for Midterm in Demo course"), "{text}");
    let link = format!("{}/courses/{}/courseware/c1/s1/2?activate_block_id=", app.url, samples::COURSE);
    assert!(text.contains(&link), "{text}");
    assert!(text.ends_with("Thanks, The Vouch team"), "{text}");
    assert!(mails[0].html.contains("Midterm") && mails[0].html.contains("successfully verified"));
    app.finish().await;
}

#[tokio::test]
async fn a_denial_tells_the_tries_that_are_left_until_there_are_none() {
    let app = ready(1, Some(TimeDelta::days(20))).await;
    let due = (app.now() + TimeDelta::days(20)).format("%b %d, %Y at %H:%M UTC").to_string();
    let first = words(&reverify(&app, "Sofia FAIL", "denied").await[0]);
    assert!(first.contains("could not verify your identity for Midterm in Demo course"), "{first}");
    assert!(first.contains("used 1 out of 2 attempts"), "{first}");
    assert!(first.contains(&format!("before the assessment closes on {due}")), "{first}");
    let retry = format!("{}/verify_student/reverify/{}/{}/", app.url, samples::COURSE, samples::USAGE);
    assert!(first.contains(&retry), "{first}");
    let second = words(&reverify(&app, "Sofia FAIL", "denied").await[0]);
    assert!(second.contains("used 2 out of 2 attempts, and verification is no longer possible"), "{second}");
    assert!(!second.contains(&retry), "{second}");
    app.finish().await;
}

#[tokio::test]
async fn a_checkpoint_that_closed_offers_no_further_try() {
    let app = ready(1, Some(TimeDelta::minutes(1))).await;
    app.clock.advance(TimeDelta::minutes(2));
    let text = words(&reverify(&app, "Sofia FAIL", "denied").await[0]);
    assert!(text.contains("used 1 out of 2 attempts, and verification is no longer possible"), "{text}");
    app.finish().await;
}

#[tokio::test]
async fn a_block_that_says_zero_allows_one_try() {
    let app = ready(0, None).await;
    let text = words(&reverify(&app, "Sofia FAIL", "denied").await[0]);
    assert!(text.contains("used 1 out of 1 attempts, and verification is no longer possible"), "{text}");
    app.finish().await;
}

#[tokio::test]
async fn a_block_that_is_not_known_any_more_still_gets_its_mail_and_the_verdict_stands() {
    let app = ready(1, None).await;
    reverify(&app, "Sofia FAIL", "denied").await;
    app.sql("DELETE FROM reverification_blocks").await;
    let before = app.mail.mails().len();
    app.sql(&format!(
        "INSERT INTO jobs (queue, kind, args) SELECT 'mail', 'send_email', jsonb_build_object('v', 1, 'user', 7, 'course', null,
         'template', jsonb_build_object('reverification_status', 'denied'), 'receipt', receipt_id)
         FROM attempts ORDER BY id DESC LIMIT {}",
        1
    ))
    .await;
    app.wait_until_idle().await;
    let mail = app.mail.mails().split_off(before).pop().unwrap();
    let text = words(&mail);
    assert!(text.contains(samples::USAGE) && text.contains("try again") && !text.contains("out of"), "{text}");
    app.finish().await;
}

#[tokio::test]
async fn a_system_failure_takes_the_words_of_a_denial_and_once_a_verdict() {
    let app = ready(1, None).await;
    app.sql("UPDATE queue_controls SET held_until = NULL").await;
    app.sql("INSERT INTO queue_controls (queue, held_until) VALUES ('vendor', now() + interval '1 hour')").await;
    let fields = json!({ "face_image": samples::good("face.jpg"), "course_key": samples::COURSE, "checkpoint": samples::USAGE });
    let before = app.mail.mails().len();
    let receipt = receipt(&app.submission(7, &fields).send().await.unwrap());
    app.wait_for_status(&receipt, "ready").await;
    app.sql("DELETE FROM jobs WHERE kind = 'submit_to_vendor'").await;
    app.sql("UPDATE attempts SET status = 'submitted' WHERE status = 'ready'").await;
    let body = json!({ "EdX-ID": receipt, "Result": "SYSTEM FAIL", "Reason": "broken", "MessageType": "M" });
    for _ in 0..2 {
        assert_eq!(app.callback(&body).send().await.0, 200);
    }
    app.wait_for_status(&receipt, "must_retry").await;
    vouch_tests::wait_for("the mail", async || (app.mail.mails().len() > before).then_some(())).await;
    app.sql("DELETE FROM jobs WHERE kind = 'submit_to_vendor'").await;
    app.wait_until_idle().await;
    let mails = app.mail.mails().split_off(before);
    assert_eq!(mails.len(), 1);
    let text = words(&mails[0]);
    assert!(text.contains("could not verify") && text.contains("used 1 out of 2 attempts"), "{text}");
}

#[tokio::test]
async fn without_the_switch_the_ordinary_mails_go_and_an_initial_verification_gets_both() {
    let app = ready(5, None).await;
    turn(&app, false).await;
    let off = reverify(&app, "Sofia FAIL", "denied").await;
    assert_eq!(off.len(), 1);
    assert!(off[0].subject.contains("another try"));
    turn(&app, true).await;
    turn(&app, true).await;
    assert_eq!(app.count("SELECT count(*) FROM switches").await, 3, "on, off, on: a repeat has no row");
    let before = app.mail.mails().len();
    let whole = app.submit(8, "Jan FAIL", json!({ "course_key": samples::COURSE, "checkpoint": samples::USAGE })).await;
    app.wait_for_status(&whole, "denied").await;
    app.wait_until_idle().await;
    let mut subjects: Vec<_> = app.mail.mails().split_off(before).into_iter().map(|mail| mail.subject).collect();
    subjects.sort_unstable();
    assert_eq!(subjects, [SUBJECT, "Verification photos received", "Your Vouch verification needs another try"]);
    app.finish().await;
}

#[tokio::test]
async fn the_switch_is_off_at_first_and_turned_with_a_key_alone() {
    let app = TestApp::without_worker().await;
    let path = "settings/icrv-status-emails";
    assert_eq!(app.get(path).await, json!({ "enabled": false, "changed_by": null, "changed_at": null }));
    for bad in [json!({}), json!({ "enabled": "yes" }), Value::Null] {
        assert_eq!(app.api(Method::PUT, path).json(&bad).send().await.unwrap().status(), 400, "{bad}");
    }
    let nobody = app.client.put(format!("{}/api/v1/{path}", app.url)).json(&json!({ "enabled": true })).send().await.unwrap();
    assert_eq!(nobody.status(), 401);
    turn(&app, true).await;
    let found = app.get(path).await;
    assert_eq!((&found["enabled"], &found["changed_by"]), (&json!(true), &json!("bootstrap")));
    assert!(found["changed_at"].as_str().unwrap().starts_with(&Utc::now().format("%Y-").to_string()));
}
