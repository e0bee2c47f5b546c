//! Credit: requirements, statuses, eligibility, requests.

use chrono::{SecondsFormat, TimeDelta};
use reqwest::Method;
use serde_json::{Value, json};
use vouch_tests::{TestApp, percent, samples};

fn path(rest: &str) -> String {
    format!("users/7/credit/{}{rest}", percent(samples::COURSE))
}

fn requirement(namespace: &str, name: &str) -> Value {
    let criteria = if namespace == "grade" { json!({ "min_grade": 0.5 }) } else { json!({}) };
    json!({ "namespace": namespace, "name": name, "display_name": format!("The {name}"), "criteria": criteria })
}

async fn push(app: &TestApp, credit: Value) {
    app.put(&format!("courses/{}", percent(samples::COURSE)), &json!({ "display_name": "Demo course", "credit": credit })).await;
}

/// A course with a grade and an exam.
async fn ready() -> TestApp {
    let app = TestApp::without_worker().await;
    app.put_user(7, "Sofia Marek").await;
    let requirements = [requirement("grade", "grade"), requirement("proctored_exam", "final")];
    push(&app, json!({ "enabled": true, "requirements": requirements, "providers": [{ "id": "u", "display_name": "U" }] })).await;
    app
}

async fn set(app: &TestApp, name: &str, document: Value) -> String {
    let namespace = if name == "grade" { "grade" } else { "proctored_exam" };
    let answer = app.api(Method::PUT, &path(&format!("/requirements/{namespace}/{name}"))).json(&document).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json::<Value>().await.unwrap()["outcome"].as_str().unwrap().to_owned()
}

async fn grade(app: &TestApp, document: Value) -> String {
    let answer = app.api(Method::PUT, &path("/grade")).json(&document).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json::<Value>().await.unwrap()["outcome"].as_str().unwrap().to_owned()
}

async fn statuses(app: &TestApp) -> Vec<Value> {
    let credit = app.get(&path("")).await;
    credit["requirements"].as_array().unwrap().iter().map(|item| item["status"].clone()).collect()
}

#[tokio::test]
async fn the_last_satisfied_requirement_makes_eligible_once_and_mails_once() {
    let app = ready().await;
    assert_eq!(set(&app, "grade", json!({ "status": "satisfied" })).await, "set");
    assert_eq!(app.get(&path("")).await["eligible"], false);
    assert_eq!(set(&app, "final", json!({ "status": "satisfied", "reason": { "score": 1 } })).await, "eligible");
    assert_eq!(set(&app, "final", json!({ "status": "satisfied" })).await, "set");
    let credit = app.get(&path("")).await;
    assert_eq!(credit["eligible"], true);
    let deadline = (app.now() + TimeDelta::days(365)).to_rfc3339_opts(SecondsFormat::Secs, true);
    assert!(credit["deadline"].as_str().unwrap().starts_with(&deadline[..19]), "{credit}");
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE kind = 'send_email'").await, 1);
    assert_eq!(set(&app, "grade", json!({ "status": "failed" })).await, "kept");
    assert_eq!(statuses(&app).await, ["satisfied", "satisfied"]);
    assert_eq!(set(&app, "grade", json!({ "status": "declined" })).await, "set", "an eligible learner may decline");
    assert_eq!(app.get(&path("")).await["eligible"], true, "and stays eligible");
}

#[tokio::test]
async fn a_status_overwrites_the_one_before_both_ways_with_its_reason() {
    let app = ready().await;
    for (status, reason) in [
        ("failed", json!({ "why": 1 })),
        ("satisfied", json!({ "final_grade": 0.6 })),
        ("failed", json!("text")),
        ("declined", json!({})),
    ] {
        assert_eq!(set(&app, "grade", json!({ "status": status, "reason": reason })).await, "set");
        let item = app.get(&path("")).await["requirements"][0].clone();
        assert_eq!((&item["status"], &item["reason"]), (&json!(status), &reason));
        assert!(item["status_date"].is_string());
    }
    assert_eq!(set(&app, "grade", json!({ "status": "satisfied", "reason": null })).await, "set");
    assert_eq!(app.get(&path("")).await["requirements"][0]["reason"], json!({}));
}

#[tokio::test]
async fn a_removed_status_is_none_and_removing_what_is_not_there_is_no_error() {
    let app = ready().await;
    let remove = async |rest: &str| app.api(Method::DELETE, &path(rest)).send().await.unwrap().status();
    assert_eq!(remove("/requirements/grade/grade").await, 204, "nothing was set");
    set(&app, "grade", json!({ "status": "satisfied" })).await;
    assert_eq!(remove("/requirements/grade/grade").await, 204);
    assert_eq!(remove("/requirements/grade/other").await, 204, "no such requirement");
    let item = app.get(&path("")).await["requirements"][0].clone();
    assert_eq!((&item["status"], &item["status_date"], &item["reason"]), (&Value::Null, &Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_requirement_that_does_not_exist_changes_nothing_and_is_no_error() {
    let app = ready().await;
    assert_eq!(set(&app, "other", json!({ "status": "satisfied" })).await, "not_required");
    push(&app, json!(null)).await;
    assert_eq!(set(&app, "grade", json!({ "status": "satisfied" })).await, "not_required");
    assert_eq!(app.get(&path("")).await["requirements"], json!([]));
    assert_eq!(app.count("SELECT count(*) FROM credit_requirement_statuses").await, 0);
}

#[tokio::test]
async fn whoever_asked_for_credit_keeps_every_status() {
    let app = ready().await;
    let request = async |provider: &str, document: Value| {
        app.api(Method::PUT, &path(&format!("/requests/{provider}"))).json(&document).send().await.unwrap()
    };
    assert_eq!(request("other", json!({ "status": "pending" })).await.status(), 404);
    assert_eq!(request("u", json!({ "status": "lost" })).await.status(), 400);
    let first: Value = request("u", json!({ "status": "pending", "parameters": { "a": 1 } })).await.json().await.unwrap();
    assert_eq!(first["uuid"].as_str().unwrap().len(), 32);
    let second: Value = request("u", json!({ "status": "rejected" })).await.json().await.unwrap();
    assert_eq!(
        (&second["uuid"], &second["status"], &second["parameters"]),
        (&first["uuid"], &json!("rejected"), &json!({ "a": 1 }))
    );
    assert_eq!(app.get(&path("/requests")).await, json!({ "requests": [second] }));
    assert_eq!(set(&app, "grade", json!({ "status": "satisfied" })).await, "kept");
    assert_eq!(grade(&app, json!({ "percent": 1.0 })).await, "kept");
    assert_eq!(statuses(&app).await, [Value::Null, Value::Null]);
    push(&app, json!({ "enabled": true, "providers": [] })).await;
    assert_eq!(request("u", json!({ "status": "approved" })).await.status(), 200, "a request outlives its provider");
}

#[tokio::test]
async fn an_eligibility_that_ended_or_whose_course_is_off_counts_no_more_and_breaks_nothing() {
    let app = ready().await;
    set(&app, "grade", json!({ "status": "satisfied" })).await;
    set(&app, "final", json!({ "status": "satisfied" })).await;
    push(&app, json!({ "enabled": false })).await;
    assert_eq!(app.get(&path("")).await["eligible"], false);
    push(&app, json!({ "enabled": true })).await;
    assert_eq!(app.get(&path("")).await["eligible"], true);
    app.clock.advance(TimeDelta::days(366));
    assert_eq!(app.get(&path("")).await["eligible"], false);
    assert_eq!(set(&app, "final", json!({ "status": "failed" })).await, "set", "not eligible any more");
    assert_eq!(set(&app, "final", json!({ "status": "satisfied" })).await, "set", "no second row");
    assert_eq!(app.count("SELECT count(*) FROM credit_eligibilities").await, 1);
    assert_eq!(app.get(&path("")).await["eligible"], false);
}

#[tokio::test]
async fn a_grade_satisfies_before_the_deadline_and_fails_after_it() {
    let app = ready().await;
    let due = app.now() + TimeDelta::days(1);
    let first = async || app.get(&path("")).await["requirements"][0].clone();
    assert_eq!(grade(&app, json!({ "percent": 0.22, "deadline": due })).await, "not_required", "there is time");
    assert_eq!(first().await["status"], Value::Null);
    for percent in [0.6, 0.75, 0.7] {
        assert_eq!(grade(&app, json!({ "percent": percent, "deadline": due })).await, "set");
        assert_eq!(
            (first().await["status"].clone(), first().await["reason"].clone()),
            (json!("satisfied"), json!({ "final_grade": percent }))
        );
    }
    app.clock.advance(TimeDelta::days(2));
    assert_eq!(grade(&app, json!({ "percent": 0.7, "deadline": due })).await, "set");
    assert_eq!(first().await["status"], "failed");
    assert!(first().await["reason"]["deadline"].is_string() && first().await["reason"]["current_date"].is_string());
    grade(&app, json!({ "percent": 0.22, "deadline": due })).await;
    assert_eq!(first().await["reason"], json!({ "final_grade": 0.22, "minimum_grade": 0.5 }));
    assert_eq!(grade(&app, json!({ "percent": 0.7 })).await, "set", "no deadline");
    assert_eq!(first().await["status"], "satisfied");
    for percent in [json!(1.1), json!(-0.1), json!("x"), Value::Null] {
        let answer = app.api(Method::PUT, &path("/grade")).json(&json!({ "percent": percent })).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{percent}");
    }
}

#[tokio::test]
async fn what_leaves_the_list_becomes_inactive_and_comes_back_with_its_statuses() {
    let app = ready().await;
    set(&app, "grade", json!({ "status": "satisfied" })).await;
    let names = async || {
        let credit = app.get(&path("")).await;
        let item = |item: &Value| (item["name"].as_str().unwrap().to_owned(), item["order"].as_i64().unwrap());
        credit["requirements"].as_array().unwrap().iter().map(item).collect::<Vec<_>>()
    };
    push(&app, json!({ "requirements": [requirement("proctored_exam", "final")] })).await;
    assert_eq!(names().await, [("final".to_owned(), 0)]);
    assert_eq!(app.count("SELECT count(*) FROM credit_requirements").await, 2, "kept, but inactive");
    assert_eq!(set(&app, "final", json!({ "status": "satisfied" })).await, "eligible", "inactive ones don't count");
    push(&app, json!({ "requirements": [requirement("proctored_exam", "final"), requirement("grade", "grade")] })).await;
    assert_eq!(names().await, [("final".to_owned(), 0), ("grade".to_owned(), 1)]);
    assert_eq!(statuses(&app).await, ["satisfied", "satisfied"]);
}

#[tokio::test]
async fn a_requirement_that_lacks_something_is_refused_and_says_what() {
    let app = ready().await;
    let course = format!("courses/{}", percent(samples::COURSE));
    for (item, missing) in [
        (json!({ "namespace": "grade", "criteria": {} }), "[name, display_name]"),
        (json!({ "name": "grade", "criteria": {}, "display_name": "" }), "[namespace, display_name]"),
        (json!({ "namespace": "grade", "name": "grade", "display_name": "Grade" }), "[criteria]"),
    ] {
        let document = json!({ "credit": { "requirements": [item] } });
        let answer = app.api(Method::PUT, &course).json(&document).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{document}");
        let detail = answer.json::<Value>().await.unwrap()["detail"].as_str().unwrap().to_owned();
        assert!(detail.ends_with(&format!(" has missing/invalid parameters: {missing}")), "{detail}");
    }
    let off = json!({ "credit": { "enabled": false, "requirements": [requirement("grade", "grade")] } });
    assert_eq!(app.api(Method::PUT, &course).json(&off).send().await.unwrap().status(), 400);
    assert_eq!(app.count("SELECT count(*) FROM credit_requirements WHERE is_active").await, 2);
    app.put(&course, &json!({ "credit": { "enabled": false, "requirements": [] } })).await;
    assert_eq!(app.count("SELECT count(*) FROM credit_requirements WHERE is_active").await, 0);
}

#[tokio::test]
async fn unknown_learners_and_courses_and_small_scopes_are_refused() {
    let app = ready().await;
    let other = format!("users/7/credit/{}/grade", percent("course-v1:a+b+c"));
    let stranger = format!("users/9/credit/{}/grade", percent(samples::COURSE));
    for (path, status) in
        [(other.as_str(), 404), (&stranger, 404), ("users/7/credit/nonsense/grade", 400), ("users/0/credit/x/grade", 400)]
    {
        assert_eq!(app.api(Method::PUT, path).json(&json!({ "percent": 0.5 })).send().await.unwrap().status(), status, "{path}");
    }
    let nobody =
        app.client.put(format!("{}/api/v1/{}", app.url, path("/grade"))).json(&json!({ "percent": 1 })).send().await.unwrap();
    assert_eq!(nobody.status(), 401);
    let bad = app.api(Method::PUT, &path("/requirements/grade/grade")).json(&json!({ "status": "great" })).send().await.unwrap();
    assert_eq!(bad.status(), 400);
    assert_eq!(app.count("SELECT count(*) FROM credit_requirement_statuses").await, 0);
}

#[tokio::test]
async fn the_mail_to_who_is_eligible_names_the_providers_as_a_sentence() {
    let app = TestApp::start().await;
    app.put_user(7, "Sofia Marek").await;
    for (names, text) in [
        (vec![], None),
        (vec!["Utopia"], Some("Utopia")),
        (vec!["Utopia", "Atlantis"], Some("Utopia and Atlantis")),
        (vec!["Utopia", "Atlantis", "Thule"], Some("Utopia, Atlantis, and Thule")),
    ] {
        app.sql("DELETE FROM credit_eligibilities").await;
        let providers: Vec<_> = names.iter().map(|name| json!({ "id": name, "display_name": name })).collect();
        push(&app, json!({ "requirements": [requirement("grade", "grade")], "providers": providers })).await;
        assert_eq!(grade(&app, json!({ "percent": 0.9 })).await, "eligible");
        app.wait_until_idle().await;
        let mail = app.mail.mails().pop().unwrap();
        match text {
            Some(text) => {
                assert_eq!(mail.subject, format!("You are eligible for credit from {text}"));
                assert!(mail.text.contains(text) && mail.html.contains(text));
            }
            None => assert_eq!(mail.subject, "Course Credit Eligibility"),
        }
    }
    assert_eq!(app.mail.mails().len(), 4);
    app.finish().await;
}
