//! What the learning platform pushes, what others read, and who may.

use chrono::{TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use vouch_common::operations::api_keys;
use vouch_tests::{TestApp, percent, samples};

async fn key(app: &TestApp, scope: &str) -> String {
    let key = api_keys::create(app.services().db(), "test", &[scope.to_owned()], None, app.now()).await.unwrap();
    String::from_utf8(key.expose().to_vec()).unwrap()
}

#[tokio::test]
async fn a_key_does_what_its_scope_allows_and_no_more() {
    let app = TestApp::without_worker().await;
    let (writer, reader) = (key(&app, "lms:write").await, key(&app, "attempts:read").await);
    let user = json!({ "username": "s", "email": "s@example.com", "full_name": "Sofia Marek" });
    let put =
        async |key: &str| app.api(Method::PUT, "users/7").bearer_auth(key).json(&user).send().await.unwrap().status().as_u16();
    let url = format!("{}/api/v1/users/7", app.url);
    let missing = app.client.put(&url).json(&user).send().await.unwrap();
    assert_eq!(missing.status(), 401);
    assert_eq!(missing.headers()["content-type"], "application/problem+json");
    let with = async |key: &str| app.client.put(&url).bearer_auth(key).json(&user).send().await.unwrap().status().as_u16();
    assert_eq!(with("vk_unknown").await, 401);
    assert_eq!(with(&reader).await, 403);
    assert_eq!(with(&writer).await, 204);
    assert_eq!(put(&writer).await, 204, "twice is once");
    let read = async |key: &str| {
        let url = format!("{}/api/v1/users/7/verification", app.url);
        app.client.get(url).bearer_auth(key).send().await.unwrap().status().as_u16()
    };
    assert_eq!((read(&writer).await, read(&reader).await), (403, 200));
    let ended =
        api_keys::create(app.services().db(), "ended", &["admin".to_owned()], Some(Utc::now() - TimeDelta::days(1)), app.now())
            .await;
    assert_eq!(with(std::str::from_utf8(ended.unwrap().expose()).unwrap()).await, 401);
    let id = app.count("SELECT min(id) FROM api_keys").await;
    assert!(api_keys::revoke(app.services().db(), id, app.now()).await.unwrap());
    assert_eq!(with(&writer).await, 401);
    assert_eq!(app.count("SELECT count(*) FROM users").await, 1);
}

#[tokio::test]
async fn what_is_absent_stays_and_null_removes() {
    let app = TestApp::without_worker().await;
    app.put_course().await;
    let course = format!("courses/{}", percent(samples::COURSE));
    app.put(
        &course,
        &json!({ "verification_deadline": "2030-01-01T00:00:00Z", "modes": [{ "slug": "verified", "min_price": 10 }] }),
    )
    .await;
    assert_eq!(app.count("SELECT count(*) FROM reverification_blocks").await, 1);
    assert_eq!(app.count("SELECT count(*) FROM course_modes").await, 1);
    app.put(&course, &json!({ "verification_deadline": null, "modes": null, "credit": null })).await;
    assert_eq!(app.count("SELECT count(*) FROM verification_deadlines").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM course_modes").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM credit_requirements WHERE is_active").await, 0);
    app.put_course().await;
    assert_eq!(app.count("SELECT count(*) FROM credit_requirements WHERE is_active").await, 1, "re-activated, not doubled");
}

#[tokio::test]
async fn a_document_that_makes_no_sense_is_refused_and_changes_nothing() {
    let app = TestApp::without_worker().await;
    let course = format!("courses/{}", percent(samples::COURSE));
    for (path, document, status) in [
        (course.as_str(), json!({}), 400),
        (course.as_str(), json!({ "display_name": "x", "modes": [{ "slug": "verified", "min_price": 0 }] }), 400),
        (course.as_str(), json!({ "display_name": "x", "modes": [{ "slug": "a" }, { "slug": "a" }] }), 400),
        (course.as_str(), json!({ "display_name": "x", "reverification_blocks": [{ "usage": "?" }] }), 400),
        (course.as_str(), json!({ "display_name": ["x"] }), 400),
        ("courses/nonsense", json!({ "display_name": "x" }), 400),
        ("users/0", json!({ "username": "x", "email": "x", "full_name": "x" }), 400),
        ("users/x", json!({ "username": "x", "email": "x", "full_name": "x" }), 400),
        ("users/7", json!({ "username": "x", "email": "x" }), 400),
        ("users/7", json!({ "username": "x", "email": "x", "full_name": "a\nb" }), 400),
        (&format!("users/7/enrollments/{}", percent(samples::COURSE)), json!({ "mode": "verified", "is_active": true }), 404),
    ] {
        let answer = app.api(Method::PUT, path).json(&document).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path} {document}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert!(answer.json::<Value>().await.unwrap()["detail"].as_str().is_some());
    }
    assert_eq!(app.count("SELECT (SELECT count(*) FROM courses) + (SELECT count(*) FROM users)").await, 0);
}

#[tokio::test]
async fn the_api_documents_itself_and_tells_how_it_is() {
    let app = TestApp::start().await;
    let get = async |path: &str| app.client.get(format!("{}{path}", app.url)).send().await.unwrap();
    let document: Value = get("/openapi.json").await.json().await.unwrap();
    assert!(document["paths"]["/attempts/{receipt_id}"].is_object());
    assert_eq!(get("/docs").await.status(), 200);
    assert_eq!(get("/healthz").await.status(), 200);
    let ready: Value = get("/readyz").await.json().await.unwrap();
    assert_eq!([&ready["ready"], &ready["progress"]], [&json!(true), &json!("ok")], "{ready}");
    assert_eq!(get("/metrics").await.status(), 200);
    for (path, status) in [("attempts/x", 404), ("users/999/verification", 404), ("nothing", 404)] {
        assert_eq!(app.api(Method::GET, path).send().await.unwrap().status(), status, "{path}");
    }
    for path in ["/api/v2/x", "/api/x", "/api/v1x/y"] {
        let answer = get(path).await;
        let kind = answer.headers()["content-type"].to_str().unwrap();
        assert_eq!((answer.status().as_u16(), kind), (404, "application/problem+json"), "{path}");
    }
    for list in ["queues", "queues/history", "retries", "jobs", "errors", "audit", "attempts"] {
        let answer: Value = app.api(Method::GET, list).send().await.unwrap().json().await.unwrap();
        assert!(answer["items"].is_array() && answer.as_object().unwrap().contains_key("next_cursor"), "{list}: {answer}");
    }
}

#[tokio::test]
async fn the_api_tells_how_long_jobs_have_been_due_and_is_ready_all_the_same() {
    let app = TestApp::without_worker().await;
    let ready = async || app.client.get(format!("{}/readyz", app.url)).send().await.unwrap().json::<Value>().await.unwrap();
    assert_eq!(ready().await["oldest_due_seconds"], 0.0);
    app.submit(7, "Sofia Marek", json!({})).await;
    app.sql("UPDATE jobs SET due_at = now() - interval '1 hour'").await;
    let told = ready().await;
    assert!(told["ready"] == true && told["oldest_due_seconds"].as_f64().is_some_and(|seconds| seconds >= 3600.0), "{told}");
    app.sql("INSERT INTO queue_controls (queue, paused_at) SELECT DISTINCT queue, now() FROM jobs").await;
    assert_eq!(ready().await["oldest_due_seconds"], 0.0, "a brake holds them");
}

/// Pushes a part of the course; answers with the status.
async fn push(app: &TestApp, document: &Value) -> u16 {
    let course = format!("courses/{}", percent(samples::COURSE));
    app.api(Method::PUT, &course).json(document).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn credit_that_was_switched_off_stays_off_until_it_is_switched_on() {
    let app = TestApp::without_worker().await;
    app.put_course().await;
    let requirements = json!([{ "namespace": "grade", "name": "grade", "display_name": "G", "criteria": {} }]);
    assert_eq!(push(&app, &json!({ "credit": { "enabled": false, "requirements": [] } })).await, 204);
    assert_eq!(push(&app, &json!({ "credit": { "requirements": requirements } })).await, 400);
    assert_eq!(push(&app, &json!({ "credit": { "providers": [{ "id": "u", "display_name": "U" }] } })).await, 204);
    assert_eq!(app.count("SELECT count(*) FROM credit_courses WHERE is_enabled").await, 0);
    assert_eq!(push(&app, &json!({ "credit": { "enabled": true, "requirements": requirements } })).await, 204);
    assert_eq!(app.count("SELECT count(*) FROM credit_courses WHERE is_enabled").await, 1);
}

#[tokio::test]
async fn a_country_is_told_once_in_one_list_and_what_is_absent_stays() {
    let app = TestApp::without_worker().await;
    app.put_course().await;
    let embargo = |document: Value| json!({ "embargo": document });
    let rules = async |rule: &str| app.count(&format!("SELECT count(*) FROM country_access_rules WHERE rule = '{rule}'")).await;
    assert_eq!(push(&app, &embargo(json!({ "restricted": true, "blacklist": ["IR", "ir", "KP"] }))).await, 204);
    assert_eq!(rules("blacklist").await, 2);
    assert_eq!(push(&app, &embargo(json!({ "restricted": true, "message_key": "embargo" }))).await, 204);
    assert_eq!(rules("blacklist").await, 2);
    for bad in [json!({ "whitelist": ["IR"] }), json!({ "whitelist": ["Iran"] }), json!({ "message_key": "a\u{0}" })] {
        let mut document = bad;
        document["restricted"] = json!(true);
        assert_eq!(push(&app, &embargo(document)).await, 400);
    }
    assert_eq!((rules("blacklist").await, rules("whitelist").await), (2, 0));
    assert_eq!(push(&app, &embargo(json!({ "restricted": true, "blacklist": null, "whitelist": ["DE"] }))).await, 204);
    assert_eq!((rules("blacklist").await, rules("whitelist").await), (0, 1));
}

#[tokio::test]
async fn the_country_of_a_learner_is_two_letters() {
    let app = TestApp::without_worker().await;
    let put = async |country: &str| {
        let user = json!({ "username": "s", "email": "s@example.com", "full_name": "Sofia Marek", "country": country });
        app.api(Method::PUT, "users/7").json(&user).send().await.unwrap().status().as_u16()
    };
    for bad in ["1!", "\u{e9}", "d", "deu"] {
        assert_eq!(put(bad).await, 400, "{bad}");
    }
    assert_eq!(put("de").await, 204);
    assert_eq!(app.count("SELECT count(*) FROM users WHERE country = 'DE'").await, 1);
    assert_eq!(put("").await, 204, "none");
    assert_eq!(app.count("SELECT count(*) FROM users WHERE country IS NULL").await, 1);
}

#[tokio::test]
async fn requirements_for_credit_are_the_same_only_with_the_same_namespace_and_name() {
    let app = TestApp::without_worker().await;
    app.put_course().await;
    let requirement =
        |namespace: &str, name: &str| json!({ "namespace": namespace, "name": name, "display_name": "x", "criteria": {} });
    let both = |first, second| json!({ "credit": { "requirements": [first, second] } });
    assert_eq!(push(&app, &both(requirement("a/b", "c"), requirement("a", "b/c"))).await, 204);
    assert_eq!(app.count("SELECT count(*) FROM credit_requirements WHERE is_active").await, 2);
    assert_eq!(push(&app, &both(requirement("a", "c"), requirement("a", "c"))).await, 400);
}

#[tokio::test]
async fn a_text_that_postgres_cant_keep_is_refused_and_no_fault_of_ours() {
    let app = TestApp::without_worker().await;
    app.put_course().await;
    let requirement = json!({ "namespace": "grade", "name": "grade", "display_name": "G", "criteria": { "note": "a\u{0}b" } });
    assert_eq!(push(&app, &json!({ "credit": { "enabled": true, "requirements": [requirement] } })).await, 400);
    assert_eq!(app.count("SELECT count(*) FROM credit_requirements WHERE display_name = 'G'").await, 0);
}

#[tokio::test]
async fn no_call_may_be_larger_than_a_submission() {
    let app = TestApp::without_worker().await;
    let huge = format!("{{\"x\": \"{}\"}}", "y".repeat(25 * 1024 * 1024));
    for (method, path) in [(Method::POST, "attempts"), (Method::PUT, "users/7")] {
        let sent = app.api(method, path).header("content-type", "application/json").body(huge.clone()).send().await.unwrap();
        assert_eq!(sent.status(), 413, "{path}");
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_told_of_without_what_stood_in_it() {
    let app = TestApp::without_worker().await;
    for (body, wanted) in [
        (r#"{"username": 7, "email": "u7@example.com"}"#, "Expected input type \"string\""),
        (r#"{"username": "u7", "email": "#, "EOF while parsing"),
    ] {
        let answer = app.api(Method::PUT, "users/7").header("content-type", "application/json").body(body).send().await;
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 400);
        let problem: Value = answer.json().await.unwrap();
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with("The body can't be read: ") && detail.contains(wanted), "{detail}");
        assert!(!detail.contains("found") && !detail.contains("u7"), "{detail}");
    }
}
