//! Verification deadlines: what the platform says, the end of the course, and the history.

use reqwest::Method;
use serde_json::{Value, json};
use vouch_tests::{TestApp, percent, samples};

const FIRST: &str = "2030-01-01T00:00:00Z";
const SECOND: &str = "2030-02-01T00:00:00Z";

fn course() -> String {
    format!("courses/{}", percent(samples::COURSE))
}

async fn read(app: &TestApp) -> (Value, Value) {
    let found = app.get(&format!("{}/deadline", course())).await;
    (time(&found["deadline"]), found["is_explicit"].clone())
}

/// A time in one spelling of UTC.
fn time(value: &Value) -> Value {
    value.as_str().map_or(Value::Null, |text| json!(text.replace("+00:00", "Z")))
}

async fn ready() -> TestApp {
    let app = TestApp::without_worker().await;
    app.put(&course(), &json!({ "display_name": "Demo course" })).await;
    app
}

#[tokio::test]
async fn without_a_deadline_of_its_own_a_course_has_its_end_and_follows_it() {
    let app = ready().await;
    assert_eq!(read(&app).await, (Value::Null, json!(false)));
    for end in [FIRST, SECOND] {
        app.put(&course(), &json!({ "end": end })).await;
        assert_eq!(read(&app).await, (json!(end), json!(false)));
    }
    app.put(&course(), &json!({ "display_name": "Renamed" })).await;
    assert_eq!(read(&app).await, (json!(SECOND), json!(false)), "nothing was said of the end");
    app.put(&course(), &json!({ "end": null })).await;
    assert_eq!(read(&app).await, (Value::Null, json!(false)));
}

#[tokio::test]
async fn a_deadline_that_was_set_or_removed_outlasts_every_publish() {
    let app = ready().await;
    app.put(&course(), &json!({ "end": FIRST, "verification_deadline": SECOND })).await;
    app.put(&course(), &json!({ "end": FIRST })).await;
    assert_eq!(read(&app).await, (json!(SECOND), json!(true)));
    app.put(&course(), &json!({ "verification_deadline": null })).await;
    app.put(&course(), &json!({ "end": SECOND })).await;
    assert_eq!(read(&app).await, (Value::Null, json!(true)), "removed means removed");
    app.put(&course(), &json!({ "verification_deadline": FIRST })).await;
    assert_eq!(read(&app).await, (json!(FIRST), json!(true)));
}

#[tokio::test]
async fn every_change_has_a_line_with_who_did_it_and_a_repeat_has_none() {
    let app = ready().await;
    for document in [
        json!({ "end": FIRST }),
        json!({ "end": FIRST }),
        json!({ "verification_deadline": SECOND }),
        json!({ "verification_deadline": SECOND }),
        json!({ "verification_deadline": null }),
        json!({ "verification_deadline": null }),
    ] {
        app.put(&course(), &document).await;
    }
    let history = app.get(&format!("{}/deadline", course())).await["history"].as_array().unwrap().clone();
    let line = |line: &Value| (line["change"].as_str().unwrap().to_owned(), time(&line["deadline"]), line["is_explicit"].clone());
    let lines: Vec<_> = history.iter().map(line).collect();
    let expected = |change: &str, at: &str, is_explicit: bool| (change.to_owned(), json!(at), json!(is_explicit));
    assert_eq!(lines, [expected("deleted", SECOND, true), expected("changed", SECOND, true), expected("created", FIRST, false)]);
    assert!(history.iter().all(|line| line["actor"] == "bootstrap" && line["at"].is_string()));
}

#[tokio::test]
async fn a_moment_that_is_finer_than_what_is_kept_is_the_same_when_it_is_pushed_again() {
    for field in ["end", "verification_deadline"] {
        let app = ready().await;
        for _ in 0..2 {
            app.put(&course(), &json!({ field: "2030-01-01T00:00:00.123456789Z" })).await;
        }
        let history = app.get(&format!("{}/deadline", course())).await["history"].as_array().unwrap().clone();
        assert_eq!(history.len(), 1, "{field}: {history:?}");
        assert_eq!(read(&app).await.0, json!("2030-01-01T00:00:00.123456Z"));
    }
}

#[tokio::test]
async fn a_deadline_before_the_earliest_upgrade_deadline_is_refused_whichever_is_pushed_last() {
    let app = ready().await;
    let modes = |expires_at: Value| json!([{ "slug": "verified", "min_price": 10, "currency": "USD", "expires_at": expires_at }, { "slug": "honor" }]);
    let refused = async |document: Value| {
        let answer = app.api(Method::PUT, &course()).json(&document).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{document}");
        answer.json::<Value>().await.unwrap()["detail"].as_str().unwrap().to_owned()
    };
    let text = "Verification deadline must be after the course mode upgrade deadlines.";
    assert_eq!(refused(json!({ "modes": modes(json!(SECOND)), "verification_deadline": FIRST })).await, text);
    app.put(&course(), &json!({ "modes": modes(json!(SECOND)), "verification_deadline": SECOND })).await;
    assert_eq!(app.count("SELECT count(*) FROM course_modes WHERE currency = 'usd'").await, 2, "stored in lower case");
    assert_eq!(refused(json!({ "verification_deadline": FIRST })).await, text);
    app.put(&course(), &json!({ "modes": modes(Value::Null), "verification_deadline": "1915-05-07T00:00:00Z" })).await;
    assert_eq!(refused(json!({ "modes": modes(json!(FIRST)) })).await, text);
    assert_eq!(
        refused(json!({ "modes": [{ "slug": "professional", "min_price": 1, "expires_at": FIRST }] })).await,
        "Professional education modes are not allowed to have expiration_datetime set."
    );
    assert_eq!(refused(json!({ "modes": [{ "slug": "verified", "min_price": 0 }] })).await, "Verified modes cannot be free.");
    assert_eq!(read(&app).await, (json!("1915-05-07T00:00:00Z"), json!(true)));
}

#[tokio::test]
async fn the_deadline_of_a_course_that_is_not_known_is_not_found() {
    let app = ready().await;
    for (path, status) in
        [(format!("courses/{}/deadline", percent("course-v1:a+b+c")), 404), ("courses/nonsense/deadline".to_owned(), 400)]
    {
        assert_eq!(app.api(Method::GET, &path).send().await.unwrap().status(), status, "{path}");
    }
}
