//! Checkpoints, opt-outs and gating, as the platform's block asks for them.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use vouch_common::{
    domain::{
        effect::Queue,
        ids::{ReceiptId, UserId},
        keys::{CourseKey, UsageKey},
    },
    operations::{read_checkpoints, start_checkpoint},
};
use vouch_tests::{TestApp, percent, samples};

const FINAL: &str = "block-v1:edX+DemoX+Fall+type@edx-reverification-block+block@final";

async fn ready() -> TestApp {
    let app = TestApp::without_worker().await;
    app.put_course().await;
    app.put_user(7, "Sofia Marek").await;
    app
}

fn at(user: i64, what: &str, usage: &str) -> String {
    format!("users/{user}/{what}/{}/{}", percent(samples::COURSE), percent(usage))
}

fn course(user: i64, what: &str) -> String {
    format!("users/{user}/{what}/{}", percent(samples::COURSE))
}

async fn enroll(app: &TestApp, user: i64, mode: &str, is_active: bool) {
    app.put(&course(user, "enrollments"), &json!({ "mode": mode, "is_active": is_active })).await;
}

async fn call(app: &TestApp, method: Method, path: &str) -> u16 {
    app.api(method, path).send().await.unwrap().status().as_u16()
}

async fn add_status(app: &TestApp, status: &str, attempts: &str) {
    app.sql(&format!(
        "INSERT INTO checkpoint_statuses (checkpoint_id, user_id, attempt_id, status, at)
         SELECT checkpoint_id, attempts.user_id, attempt_id, '{status}', now() FROM checkpoint_attempts
         JOIN attempts ON attempts.id = attempt_id WHERE {attempts} ORDER BY checkpoint_id"
    ))
    .await;
}

#[tokio::test]
async fn two_hundred_first_visits_at_once_make_one_checkpoint() {
    let app = ready().await;
    let services = app.services();
    let course = CourseKey::parse(samples::COURSE).unwrap();
    let usage = UsageKey::parse(FINAL).unwrap();
    let visits: Vec<_> = (0..200)
        .map(|_| {
            let (db, course, usage, now) = (services.db().clone(), course.clone(), usage.clone(), app.now());
            tokio::spawn(async move { start_checkpoint::start(&db, UserId(7), &course, &usage, now).await.unwrap() })
        })
        .collect();
    let mut ids = HashSet::new();
    for visit in visits {
        ids.insert(visit.await.unwrap());
    }
    assert_eq!(ids.len(), 1);
    assert_eq!(app.count("SELECT count(*) FROM checkpoints").await, 1);
}

#[tokio::test]
async fn a_start_finds_or_makes_the_checkpoint_and_says_where_its_page_is() {
    let app = ready().await;
    for usage in [samples::USAGE, FINAL, FINAL] {
        let answer = app.api(Method::POST, &format!("{}/start", at(7, "checkpoints", usage))).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let answer: Value = answer.json().await.unwrap();
        let path = format!("/verify_student/reverify/{}/{usage}/", samples::COURSE);
        assert_eq!(answer, json!({ "url": path, "absolute_url": format!("{}{path}", app.url) }));
    }
    assert_eq!(app.count("SELECT count(*) FROM checkpoints").await, 2);
}

#[tokio::test]
async fn the_latest_status_is_the_newest_row_and_tries_are_the_submissions() {
    let app = ready().await;
    enroll(&app, 7, "verified", true).await;
    let status = async || app.get(&at(7, "checkpoints", samples::USAGE)).await;
    assert_eq!(status().await["status"], Value::Null);
    let fields = json!({ "course_key": samples::COURSE, "checkpoint": samples::USAGE });
    app.submit(7, "Sofia Marek", fields).await;
    let told = status().await;
    assert_eq!(told["status"], "submitted");
    assert_eq!((&told["attempts_used"], &told["attempts_allowed"], &told["attempts_left"]), (&json!(1), &json!(2), &json!(1)));
    // At the same moment: the greater id is the later one.
    for latest in ["approved", "denied", "error"] {
        add_status(&app, latest, "true").await;
        assert_eq!(status().await["status"], latest);
    }
    assert_eq!(status().await["attempts_used"], 1);
    let all = app.get(&course(7, "checkpoints")).await;
    let due = all["checkpoints"][0]["due"].clone();
    assert_eq!(
        all,
        json!({ "checkpoints": [{ "usage": samples::USAGE, "status": "error", "attempts_used": 1, "attempts_allowed": 2,
                                  "skipped": false, "is_open": true, "due": due, "group": "allow" }] })
    );
}

#[tokio::test]
async fn pushed_blocks_are_listed_before_anybody_was_there_and_close_when_due() {
    let app = ready().await;
    let due: DateTime<Utc> = app.now() + TimeDelta::hours(1);
    let blocks = json!([{ "usage": samples::USAGE }, { "usage": FINAL, "attempts": 2, "due": due }]);
    app.put(&format!("courses/{}", percent(samples::COURSE)), &json!({ "reverification_blocks": blocks })).await;
    app.api(Method::POST, &format!("{}/start", at(7, "checkpoints", "i4x://edX/DemoX/block/gone"))).send().await.unwrap();
    let listed = async || app.get(&course(7, "checkpoints")).await["checkpoints"].as_array().unwrap().clone();
    let found = listed().await;
    let usages: Vec<_> = found.iter().map(|checkpoint| checkpoint["usage"].as_str().unwrap()).collect();
    assert_eq!(usages, ["i4x://edX/DemoX/block/gone", FINAL, samples::USAGE], "rows, then blocks");
    let allowed: Vec<_> = found.iter().map(|checkpoint| checkpoint["attempts_allowed"].clone()).collect();
    assert_eq!(allowed, [Value::Null, json!(3), json!(1)]);
    assert!(found.iter().all(|checkpoint| checkpoint["is_open"] == true && checkpoint["status"] == Value::Null));
    app.clock.advance(TimeDelta::minutes(61));
    let open: Vec<_> = listed().await.iter().map(|checkpoint| checkpoint["is_open"].clone()).collect();
    assert_eq!(open, [true, false, true]);
}

#[tokio::test]
async fn content_is_shown_but_to_a_verified_learner_without_status_and_opt_out() {
    let app = ready().await;
    let gate = async || app.get(&course(7, "gating")).await["checkpoints"][0].clone();
    let group = async || gate().await["group"].as_str().unwrap().to_owned();
    assert_eq!(group().await, "allow");
    enroll(&app, 7, "honor", true).await;
    assert_eq!(group().await, "allow");
    enroll(&app, 7, "verified", true).await;
    let expected =
        json!({ "usage": samples::USAGE, "group": "deny", "is_verified_track": true, "skipped": false, "has_status": false });
    assert_eq!(gate().await, expected);
    enroll(&app, 7, "verified", false).await;
    assert_eq!(group().await, "allow");
    enroll(&app, 7, "verified", true).await;
    assert_eq!(call(&app, Method::PUT, &at(7, "skips", samples::USAGE)).await, 204);
    assert_eq!(gate().await["skipped"], true);
    assert_eq!(group().await, "allow");
    assert_eq!(call(&app, Method::DELETE, &at(7, "skips", samples::USAGE)).await, 204);
    assert_eq!(group().await, "deny");
    app.submit(7, "Sofia Marek", json!({ "course_key": samples::COURSE, "checkpoint": samples::USAGE })).await;
    for status in ["submitted", "approved", "denied", "error"] {
        add_status(&app, status, "true").await;
        assert_eq!(group().await, "allow", "{status}");
    }
}

#[tokio::test]
async fn what_the_block_is_told_goes_by_track_then_opt_out_then_status() {
    let app = ready().await;
    let status = async || app.get(&at(7, "checkpoints", samples::USAGE)).await["status"].clone();
    assert_eq!(status().await, "not-verified");
    enroll(&app, 7, "verified", true).await;
    assert_eq!(status().await, Value::Null);
    assert_eq!(call(&app, Method::PUT, &at(7, "skips", samples::USAGE)).await, 204);
    assert_eq!(status().await, "skipped");
    enroll(&app, 7, "verified", false).await;
    assert_eq!(status().await, "not-verified");
    let nowhere = app.get(&at(7, "checkpoints", "i4x://edX/DemoX/block/nowhere")).await;
    assert_eq!(
        (&nowhere["attempts_used"], &nowhere["attempts_allowed"], &nowhere["is_open"]),
        (&json!(0), &Value::Null, &json!(true))
    );
    assert_eq!(app.count("SELECT count(*) FROM checkpoints").await, 1, "asking makes none");
}

#[tokio::test]
async fn one_opt_out_holds_for_the_course_and_declines_its_checkpoints_requirement() {
    let app = ready().await;
    app.put_user(8, "Else").await;
    assert_eq!(call(&app, Method::POST, &format!("{}/start", at(7, "checkpoints", FINAL))).await, 200);
    let credit = async |user| app.get(&course(user, "credit")).await["requirements"][0]["status"].clone();
    for usage in [samples::USAGE, samples::USAGE, FINAL] {
        assert_eq!(call(&app, Method::PUT, &at(7, "skips", usage)).await, 204);
    }
    assert_eq!(call(&app, Method::PUT, &at(8, "skips", FINAL)).await, 204);
    assert_eq!(app.count("SELECT count(*) FROM skipped_reverifications").await, 2);
    assert_eq!((credit(7).await, credit(8).await), (json!("declined"), Value::Null));
    assert_eq!(app.get(&course(7, "checkpoints")).await["checkpoints"][0]["skipped"], true);
    for _ in 0..2 {
        assert_eq!(call(&app, Method::DELETE, &at(7, "skips", FINAL)).await, 204);
        assert_eq!(credit(7).await, Value::Null);
    }
    assert_eq!(app.count("SELECT count(*) FROM skipped_reverifications").await, 1);
}

#[tokio::test]
async fn after_an_opt_out_is_taken_back_the_requirement_follows_the_newest_verdict() {
    let app = TestApp::start().await;
    app.put_course().await;
    let fields = json!({ "course_key": samples::COURSE, "checkpoint": samples::USAGE });
    let receipt = app.submit(7, "Sofia FAIL", fields).await;
    app.wait_for_status(&receipt, "denied").await;
    app.wait_until_idle().await;
    let credit = async || app.get(&course(7, "credit")).await["requirements"][0]["status"].clone();
    assert_eq!(credit().await, "failed");
    assert_eq!(call(&app, Method::PUT, &at(7, "skips", samples::USAGE)).await, 204);
    assert_eq!(credit().await, "declined");
    assert_eq!(call(&app, Method::DELETE, &at(7, "skips", samples::USAGE)).await, 204);
    app.wait_until_idle().await;
    assert_eq!(credit().await, "failed");
    app.finish().await;
}

#[tokio::test]
async fn an_opt_out_outlasts_the_job_of_a_verdict_before_it_and_not_that_of_one_after_it() {
    let mut app = ready().await;
    let receipt = app.submit(7, "Sofia Marek", json!({ "course_key": samples::COURSE, "checkpoint": samples::USAGE })).await;
    app.sql("UPDATE attempts SET status = 'submitted'").await;
    let decide = async |app: &TestApp, act: &str| {
        let answer = app.api(Method::POST, &format!("attempts/{receipt}/{act}")).json(&json!({ "reason": "seen" })).send().await;
        assert_eq!(answer.unwrap().status(), 200);
        app.sql("DELETE FROM jobs WHERE kind <> 'update_credit_requirement'").await;
        assert_eq!(app.count("SELECT count(*) FROM jobs").await, 1);
    };
    decide(&app, "approve").await;
    app.clock.advance(TimeDelta::seconds(1));
    assert_eq!(call(&app, Method::PUT, &at(7, "skips", samples::USAGE)).await, 204);
    for (act, status) in [(None, "declined"), (Some("deny"), "failed")] {
        if let Some(act) = act {
            app.clock.advance(TimeDelta::seconds(1));
            decide(&app, act).await;
        }
        app.start_worker(&[Queue::Credit]);
        app.wait_until_idle().await;
        app.stop_worker().await;
        assert_eq!(app.get(&course(7, "credit")).await["requirements"][0]["status"], status);
    }
}

#[tokio::test]
async fn an_opt_out_that_is_taken_back_after_credit_was_asked_for_leaves_the_requirement_as_it_is() {
    let app = ready().await;
    assert_eq!(call(&app, Method::PUT, &at(7, "skips", samples::USAGE)).await, 204);
    app.put(&format!("{}/requests/u", course(7, "credit")), &json!({ "status": "pending" })).await;
    assert_eq!(call(&app, Method::DELETE, &at(7, "skips", samples::USAGE)).await, 204);
    assert_eq!(app.get(&course(7, "credit")).await["requirements"][0]["status"], "declined");
    assert_eq!(app.count("SELECT count(*) FROM skipped_reverifications").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE kind = 'update_credit_requirement'").await, 0);
}

#[tokio::test]
async fn a_status_goes_to_every_checkpoint_of_an_attempt_and_its_location_is_that_of_the_newest() {
    let app = ready().await;
    let receipt = app.submit(7, "Sofia Marek", json!({ "course_key": samples::COURSE, "checkpoint": samples::USAGE })).await;
    let lonely = app.submit(7, "Sofia Marek", json!({})).await;
    assert_eq!(call(&app, Method::POST, &format!("{}/start", at(7, "checkpoints", FINAL))).await, 200);
    app.sql(
        "INSERT INTO checkpoint_attempts (checkpoint_id, attempt_id)
         SELECT (SELECT max(id) FROM checkpoints), min(id) FROM attempts",
    )
    .await;
    let services = app.services();
    let location =
        async |text: &str| read_checkpoints::location_of(services.db(), ReceiptId::parse(text).unwrap()).await.unwrap().unwrap();
    assert_eq!(location(&receipt).await, samples::USAGE);
    assert_eq!(location(&lonely).await, "", "it waits nowhere");
    for status in ["approved", "denied", "error"] {
        add_status(&app, status, "true").await;
        let all = app.get(&course(7, "checkpoints")).await;
        assert!(all["checkpoints"].as_array().unwrap().iter().all(|checkpoint| checkpoint["status"] == status), "{all}");
    }
    assert_eq!(location(&receipt).await, FINAL);
}

#[tokio::test]
async fn one_verdict_satisfies_the_requirement_of_each_checkpoint_of_its_attempt() {
    let mut app = ready().await;
    let requirement = |name: &str| json!({ "namespace": "reverification", "name": name, "display_name": "x", "criteria": {} });
    let credit = json!({ "requirements": [requirement(samples::USAGE), requirement(FINAL)] });
    app.put(&format!("courses/{}", percent(samples::COURSE)), &json!({ "credit": credit })).await;
    let receipt = app.submit(7, "Sofia Marek", json!({ "course_key": samples::COURSE, "checkpoint": samples::USAGE })).await;
    assert_eq!(call(&app, Method::POST, &format!("{}/start", at(7, "checkpoints", FINAL))).await, 200);
    app.sql(
        "INSERT INTO checkpoint_attempts (checkpoint_id, attempt_id)
         SELECT (SELECT max(id) FROM checkpoints), min(id) FROM attempts",
    )
    .await;
    app.start_worker(&Queue::ALL);
    app.wait_for_status(&receipt, "approved").await;
    app.wait_until_idle().await;
    let found = app.get(&course(7, "credit")).await;
    let statuses: Vec<_> = found["requirements"].as_array().unwrap().iter().map(|item| item["status"].clone()).collect();
    assert_eq!((statuses, &found["eligible"]), (vec![json!("satisfied"), json!("satisfied")], &json!(true)));
    app.finish().await;
}

#[tokio::test]
async fn what_makes_no_sense_or_is_not_known_is_refused_and_changes_nothing() {
    let app = ready().await;
    let unknown = percent("course-v1:edX+Other+Fall");
    let nonsense = format!("users/7/skips/nonsense/{}", percent(samples::USAGE));
    for (method, path, status) in [
        (Method::PUT, nonsense.as_str(), 400),
        (Method::PUT, &at(7, "skips", "midterm"), 400),
        (Method::PUT, &at(7, "skips", "i4x://edX/DemoX/block/nowhere"), 404),
        (Method::PUT, &at(9, "skips", samples::USAGE), 404),
        (Method::PUT, &format!("users/7/skips/{unknown}/{}", percent(samples::USAGE)), 404),
        (Method::DELETE, &at(9, "skips", samples::USAGE), 404),
        (Method::DELETE, &at(7, "skips", "midterm"), 400),
        (Method::POST, &format!("{}/start", at(9, "checkpoints", samples::USAGE)), 404),
        (Method::POST, &format!("{}/start", at(7, "checkpoints", "midterm")), 400),
        (Method::GET, &at(0, "checkpoints", samples::USAGE), 400),
        (Method::GET, &course(9, "checkpoints"), 404),
        (Method::GET, "users/7/checkpoints/nonsense", 400),
        (Method::GET, &format!("users/7/gating/{unknown}"), 404),
        (Method::GET, &course(9, "gating"), 404),
    ] {
        let answer = app.api(method.clone(), path).send().await.unwrap();
        assert_eq!(answer.status(), status, "{method} {path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
    }
    assert_eq!(app.count("SELECT (SELECT count(*) FROM checkpoints) + (SELECT count(*) FROM skipped_reverifications)").await, 0);
}
