//! Many pushes in one request.

use reqwest::Method;
use serde_json::{Value, json};
use vouch_tests::{TestApp, percent, samples};

async fn post(app: &TestApp, lines: &str) -> (u16, Value) {
    let answer = app.api(Method::POST, "bulk").header("content-type", "application/x-ndjson").body(lines.to_owned()).send().await;
    let answer = answer.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn line(path: &str, document: &Value) -> String {
    format!("{}\n", json!({ "put": path, "document": document }))
}

#[tokio::test]
async fn each_line_is_what_its_call_is_and_the_same_lines_again_change_nothing() {
    let app = TestApp::without_worker().await;
    let course = percent(samples::COURSE);
    let lines = [
        line("users/7", &json!({ "username": "u7", "email": "u7@example.com", "full_name": "Sofia Marek" })),
        line(&format!("courses/{course}"), &samples::course()),
        "\n".to_owned(),
        line(&format!("users/7/enrollments/{course}"), &json!({ "mode": "verified", "is_active": true })),
        format!("{}\r\n", json!({ "put": format!("/users/7/skips/{course}/{}", percent(samples::USAGE)) })),
        json!({ "put": "settings/icrv-status-emails", "document": { "enabled": true } }).to_string(),
    ]
    .concat();
    for _ in 0..2 {
        assert_eq!(post(&app, &lines).await, (200, json!({ "applied": 5, "failures": 0, "failed": [] })));
        for table in ["users", "courses", "enrollments", "skipped_reverifications", "switches", "credit_requirement_statuses"] {
            assert_eq!(app.count(&format!("SELECT count(*) FROM {table}")).await, 1, "{table}");
        }
    }
    let switch = app.get("settings/icrv-status-emails").await;
    assert_eq!((&switch["enabled"], &switch["changed_by"]), (&json!(true), &json!("bootstrap")));
}

#[tokio::test]
async fn a_line_that_is_refused_says_why_and_the_others_go_on() {
    let app = TestApp::without_worker().await;
    let user = json!({ "username": "u", "email": "u@example.com", "full_name": "Sofia Marek" });
    let enrollment = json!({ "mode": "verified", "is_active": true });
    let lines = [
        line("users/7", &user),
        "nonsense\n".to_owned(),
        line("users/0", &user),
        line("users/8", &json!({ "username": "u" })),
        line("attempts/7", &user),
        line(&format!("users/7/enrollments/{}", percent(samples::COURSE)), &enrollment),
        format!("{}\n", json!({ "put": "users/9", "document": user, "delete": "users/9" })),
        line("users/10", &user),
    ]
    .concat();
    let (status, answer) = post(&app, &lines).await;
    assert_eq!((status, &answer["applied"], &answer["failures"]), (200, &json!(2), &json!(6)));
    let failed: Vec<_> = answer["failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            (line["line"].as_u64().unwrap(), line["status"].as_u64().unwrap(), !line["detail"].as_str().unwrap().is_empty())
        })
        .collect();
    assert_eq!(failed, [(2, 400, true), (3, 400, true), (4, 400, true), (5, 404, true), (6, 404, true), (7, 400, true)]);
    assert_eq!(app.count("SELECT count(*) FROM users").await, 2);
}

#[tokio::test]
async fn a_thousand_lines_are_applied_and_only_the_first_hundred_failures_are_told() {
    let app = TestApp::without_worker().await;
    let lines: String = (1..=1000)
        .map(|id| {
            let name = if id % 2 == 0 { "Sofia Marek" } else { "" };
            line(&format!("users/{id}"), &json!({ "username": "u", "email": "u@example.com", "full_name": name }))
        })
        .collect();
    let (_, answer) = post(&app, &lines).await;
    assert_eq!((&answer["applied"], &answer["failures"]), (&json!(500), &json!(500)));
    assert_eq!(answer["failed"].as_array().unwrap().len(), 100);
    assert_eq!(app.count("SELECT count(*) FROM users").await, 500);
}

#[tokio::test]
async fn a_request_that_is_too_large_or_has_no_key_changes_nothing() {
    let app = TestApp::without_worker().await;
    let user = line("users/7", &json!({ "username": "u", "email": "u@example.com", "full_name": "Sofia Marek" }));
    assert_eq!(post(&app, &format!("{user}{}", "{}\n".repeat(50_000))).await.0, 413);
    assert_eq!(post(&app, &format!("{user}{}", " ".repeat(17 * 1024 * 1024))).await.0, 413);
    let nobody = app.client.post(format!("{}/api/v1/bulk", app.url)).body(user).send().await.unwrap();
    assert_eq!(nobody.status(), 401);
    assert_eq!(app.count("SELECT count(*) FROM users").await, 0);
    assert_eq!(post(&app, "").await, (200, json!({ "applied": 0, "failures": 0, "failed": [] })));
}
