//! Verifying again: the pages, a learner's status, and what it means in courses.

use chrono::{SecondsFormat, TimeDelta};
use reqwest::Response;
use serde_json::{Value, json};
use vouch_tests::{
    TestApp, percent,
    samples::{COURSE, USAGE},
};

const LEARNER: i64 = 9;

async fn visit(app: &TestApp, path: &str) -> Response {
    let request = app.client.get(format!("{}{path}", app.url)).bearer_auth(app.token(LEARNER));
    request.header("accept", "application/json").send().await.unwrap()
}

async fn facts(app: &TestApp, path: &str) -> Value {
    visit(app, path).await.json().await.unwrap()
}

async fn attempt(app: &TestApp, status: &str, days_ago: i64, error_msg: &str) {
    let at = (app.now() - TimeDelta::days(days_ago)).to_rfc3339_opts(SecondsFormat::Micros, true);
    app.sql(&format!(
        "INSERT INTO attempts (receipt_id, user_id, status, name, created_at, updated_at, error_msg, photo_id_object)
         VALUES (gen_random_uuid(), {LEARNER}, '{status}', 'x', '{at}', '{at}', '{error_msg}', 'photo_id/x')"
    ))
    .await;
}

async fn world() -> TestApp {
    let app = TestApp::without_worker().await;
    app.put_user(LEARNER, "Sofia Marek").await;
    app
}

#[tokio::test]
async fn everybody_but_the_approved_may_verify_again() {
    let cases = [
        (None, "reverify", "none"),
        (Some(("denied", 1)), "reverify", "must_reverify"),
        (Some(("approved", 366)), "reverify", "expired"),
        (Some(("submitted", 1)), "reverify", "pending"),
        (Some(("created", 0)), "reverify", "pending"),
        (Some(("approved", 1)), "reverify-not-allowed", "approved"),
        (Some(("approved", 340)), "reverify", "approved"),
    ];
    for (existing, page, status) in cases {
        let app = world().await;
        if let Some((status, days_ago)) = existing {
            attempt(&app, status, days_ago, "").await;
        }
        let shown = facts(&app, "/verify_student/reverify").await;
        assert_eq!((&shown["page"], &shown["status"]), (&json!(page), &json!(status)), "{existing:?}");
        app.finish().await;
    }
}

#[tokio::test]
async fn a_status_tells_reasons_and_never_fails_on_odd_ones() {
    for (message, reasons) in [
        (r#"[{"photoIdReasons": ["Not provided"]}]"#, json!(["No photo ID was provided."])),
        (r#""Invalid photo""#, json!(["There was an error verifying your ID photos."])),
        ("[null]", json!(["There was an error verifying your ID photos."])),
        ("", json!([])),
    ] {
        let app = world().await;
        attempt(&app, "denied", 1, message).await;
        let status = facts(&app, "/verify_student/status/").await;
        assert_eq!(status, json!({ "status": "must_reverify", "can_verify": true, "reasons": reasons }));
        assert_eq!(facts(&app, "/verify_student/reverify").await["reasons"], reasons);
        app.finish().await;
    }
}

#[tokio::test]
async fn an_approval_tells_when_it_ends_and_may_be_renewed_before() {
    for (days_ago, can_verify) in [(0, false), (335, false), (337, true), (364, true)] {
        let app = world().await;
        attempt(&app, "approved", days_ago, "").await;
        let status = facts(&app, "/verify_student/status/").await;
        let expires = (app.now() + TimeDelta::days(365 - days_ago)).to_rfc3339_opts(SecondsFormat::Secs, true);
        assert_eq!(
            status,
            json!({ "status": "approved", "can_verify": can_verify, "expires": expires, "reasons": [] }),
            "{days_ago}"
        );
        app.finish().await;
    }
}

#[tokio::test]
async fn an_older_approval_beats_a_newer_denial() {
    let app = world().await;
    attempt(&app, "approved", 10, "").await;
    attempt(&app, "denied", 1, "[]").await;
    assert_eq!(facts(&app, "/verify_student/status/").await["status"], "approved");
    app.finish().await;
}

#[tokio::test]
async fn at_a_checkpoint_a_first_verification_comes_first() {
    let app = world().await;
    app.put_course().await;
    let path = format!("/verify_student/reverify/{COURSE}/{}/", percent(USAGE));
    let sent = visit(&app, &path).await;
    assert_eq!(sent.status(), 302);
    let checkpoint = "i4x%3A%2F%2FedX%2FDemoX%2Fedx-reverification-block%2Fmidterm";
    assert_eq!(sent.headers()["location"], format!("/verify_student/verify-now/{COURSE}/?checkpoint={checkpoint}"));
    attempt(&app, "submitted", 1, "").await;
    let shown = facts(&app, &path).await;
    assert_eq!(
        (&shown["page"], &shown["usage_id"], &shown["checkpoint_name"]),
        (&json!("incourse-reverify"), &json!(USAGE), &json!("Midterm"))
    );
    assert_eq!((&shown["attempts_used"], &shown["attempts_allowed"], &shown["is_open"]), (&json!(0), &json!(2), &json!(true)));
    assert_eq!(shown["title"], "Re-Verify for Demo course");
    app.finish().await;
}

#[tokio::test]
async fn unknown_courses_and_foreign_checkpoints_are_not_found() {
    let app = world().await;
    app.put_course().await;
    attempt(&app, "submitted", 1, "").await;
    let foreign = percent("i4x://edX/DemoX/edx-reverification-block/final");
    for path in [
        format!("/verify_student/reverify/{COURSE}/{foreign}/"),
        format!("/verify_student/reverify/no/such/course/{}/", percent(USAGE)),
        format!("/verify_student/reverify/{COURSE}/nonsense/"),
        "/verify_student/reverify/nonsense/".to_owned(),
    ] {
        assert_eq!(visit(&app, &path).await.status(), 404, "{path}");
    }
    app.finish().await;
}

#[tokio::test]
async fn what_a_verification_means_in_a_course_can_be_read() {
    let app = world().await;
    let deadline = (app.now() + TimeDelta::days(5) - TimeDelta::seconds(1)).to_rfc3339_opts(SecondsFormat::Secs, true);
    let document = json!({ "display_name": "Demo", "verification_deadline": deadline,
                           "modes": [{ "slug": "verified", "min_price": 12 }, { "slug": "honor" }] });
    app.put(&format!("courses/{}", percent(COURSE)), &document).await;
    app.put(&format!("users/{LEARNER}/enrollments/{}", percent(COURSE)), &json!({ "mode": "verified", "is_active": true })).await;
    let one = format!("users/{LEARNER}/verification/courses/{}", percent(COURSE));
    let before = app.get(&one).await;
    assert_eq!((&before["dashboard_status"], &before["days_until_deadline"]), (&json!("verify_need_to_verify"), &json!(4)));
    assert_eq!((&before["grade_report"], &before["certificate"]), (&json!("Not ID Verified"), &json!("honor")));
    assert_eq!(before["deadline_notice"], "verification-deadline-upcoming");
    attempt(&app, "approved", 1, "").await;
    let after = app.get(&format!("users/{LEARNER}/verification/courses")).await["courses"][0].clone();
    assert_eq!((&after["dashboard_status"], &after["grade_report"]), (&json!("verify_approved"), &json!("ID Verified")));
    assert_eq!((&after["certificate"], &after["deadline_notice"]), (&json!("verified"), &Value::Null));
    assert!(after["verification_good_until"].is_string());
    app.finish().await;
}

#[tokio::test]
async fn whether_somebody_was_verified_at_a_moment_can_be_asked() {
    let app = world().await;
    attempt(&app, "approved", 10, "").await;
    let at = async |offset: TimeDelta| {
        let moment = (app.now() - TimeDelta::days(10) + offset).to_rfc3339_opts(SecondsFormat::Micros, true);
        app.get(&format!("users/{LEARNER}/verification/at?at={}", percent(&moment))).await["is_verified"].clone()
    };
    assert_eq!(at(TimeDelta::seconds(-1)).await, false);
    assert_eq!(at(TimeDelta::seconds(1)).await, true);
    assert_eq!(at(TimeDelta::days(365) - TimeDelta::seconds(1)).await, true);
    assert_eq!(at(TimeDelta::days(365) + TimeDelta::seconds(1)).await, false);
    let unknown = app.api(reqwest::Method::GET, "users/555/verification/courses").send().await.unwrap();
    assert_eq!(unknown.status(), 404);
    app.finish().await;
}

#[tokio::test]
async fn a_browser_gets_the_status_as_a_page_and_a_program_without_a_wish_as_json() {
    let app = world().await;
    attempt(&app, "denied", 1, r#"[{"photoIdReasons": ["Not provided"]}]"#).await;
    let get = || app.client.get(format!("{}/verify_student/status/", app.url)).bearer_auth(app.token(LEARNER));
    let page = get().header("accept", "text/html,application/xhtml+xml,*/*;q=0.8").send().await.unwrap();
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(page.text().await.unwrap().contains("class=\"standing\""));
    assert_eq!(get().send().await.unwrap().json::<Value>().await.unwrap()["status"], "must_reverify");
    app.finish().await;
}
