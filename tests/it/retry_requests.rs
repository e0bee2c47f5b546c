//! What can be asked of bulk retries: filters, dry runs, keys and lists.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use vouch_common::operations::api_keys;
use vouch_tests::TestApp;

use crate::{
    acting::{WHY, delete, everything, post, text},
    retries::{all_dead, refused_attempts, run, start},
};

#[tokio::test]
async fn a_request_that_makes_no_sense_or_matches_nothing_changes_nothing() {
    let app = TestApp::without_worker().await;
    refused_attempts(&app, 2).await;
    let before = everything(&app).await;
    let dead = json!({ "state": "dead" });
    for (body, code, says) in [
        (json!({ "filter": dead, "rate": 0, "reason": WHY }), 400, "from 1 to 10000"),
        (json!({ "filter": dead, "rate": -5, "reason": WHY }), 400, "from 1 to 10000"),
        (json!({ "filter": dead, "rate": 10_001, "reason": WHY }), 400, "from 1 to 10000"),
        (json!({ "filter": dead }), 400, "Say why"),
        (json!({ "filter": dead, "reason": " " }), 400, "Say why"),
        (json!({ "filter": {}, "reason": WHY }), 400, r#"{"state":"dead"}"#),
        (json!({ "filter": {}, "dry_run": true }), 400, r#"{"state":"dead"}"#),
        (json!({ "filter": "all", "reason": WHY }), 400, "an object"),
        (json!({ "filter": { "color": "red" }, "reason": WHY }), 400, "filter.color is not known"),
        (json!({ "filter": { "state": "alive" }, "reason": WHY }), 400, "one of dead"),
        (json!({ "filter": { "queue": "post" }, "reason": WHY }), 400, "one of photos"),
        (json!({ "filter": { "status": "approved" }, "reason": WHY }), 400, "one of created"),
        (json!({ "filter": { "queue": "mail" }, "reason": WHY }), 409, "Nothing matches"),
        (json!({ "filter": { "status": "submitted" }, "reason": WHY }), 409, "Nothing matches"),
    ] {
        let (got, answer) = post(&app, "retries", &body).await;
        assert_eq!(got, code, "{body}: {answer}");
        assert!(answer["detail"].as_str().unwrap().contains(says), "{body}: {answer}");
    }
    let (code, preview) = post(&app, "retries", &json!({ "filter": { "queue": "mail" }, "dry_run": true })).await;
    assert_eq!((code, &preview["total"], &preview["groups"]), (200, &json!(0), &json!([])));
    assert_eq!(everything(&app).await, before);
}

#[tokio::test]
async fn the_dry_run_tells_the_set_that_is_frozen_whatever_the_filter() {
    let app = TestApp::without_worker().await;
    refused_attempts(&app, 6).await;
    // One of each sort, apart from the others in one thing.
    app.sql("UPDATE jobs SET queue = 'mail', kind = 'send_email' WHERE id = 1").await;
    app.sql("UPDATE jobs SET error_class = 'smtp', error_code = '450', fingerprint = 'f450' WHERE id = 2").await;
    app.sql("UPDATE jobs SET created_at = '2020-01-01', dead_at = '2020-01-02' WHERE id = 3").await;
    app.sql("UPDATE attempts SET error_code = 'odd', submitted_at = '2020-01-03', created_at = '2020-01-01' WHERE id = 4").await;
    app.put_user(8, "Sofia Marek").await;
    app.sql("UPDATE attempts SET user_id = 8, status = 'submitted' WHERE id = 5").await;
    app.sql("UPDATE jobs SET subject = NULL, dead_at = NULL WHERE id = 6").await;
    app.sql("UPDATE attempts SET status = 'created' WHERE id = 6").await;
    let receipt = text(&app, "SELECT receipt_id::text FROM attempts WHERE id = 2").await;
    for (filter, set) in [
        (json!({ "state": "dead" }), "1 2 3 4 5"),
        (json!({ "queue": "mail" }), "1"),
        (json!({ "kind": "send_email" }), "1"),
        (json!({ "error_class": "smtp" }), "2"),
        (json!({ "http_status": 450 }), "2"),
        (json!({ "fingerprint": "f450" }), "2"),
        (json!({ "job_ids": [1, 2, 6, 77] }), "1 2"),
        (json!({ "receipts": [receipt] }), "2"),
        (json!({ "failed_before": "2020-01-02T00:00:00Z" }), "3"),
        (json!({ "failed_after": "2020-01-02T00:00:01Z" }), "1 2 4 5"),
        (json!({ "created_before": "2020-01-01T00:00:00Z" }), "3"),
        (json!({ "created_after": "2020-01-01T00:00:01Z" }), "1 2 4 5"),
        (json!({ "vendor_code": "odd" }), "4"),
        (json!({ "submitted_before": "2020-01-03T00:00:00Z" }), "4"),
        (json!({ "submitted_after": "2020-01-03T00:00:00Z" }), "4"),
        (json!({ "user_id": 8 }), "5"),
        (json!({ "status": "submitted", "state": "dead" }), "5"),
        (json!({ "queue": "vendor", "http_status": 400, "user_id": 7 }), "3 4"),
        (json!({ "status": "must_retry" }), "a1 a2 a3 a4"),
        (json!({ "status": "submitted" }), "a5"),
        (json!({ "status": "created" }), "a6"),
        (json!({ "status": "must_retry", "vendor_code": "odd" }), "a4"),
        (json!({ "status": "must_retry", "receipts": [receipt] }), "a2"),
        (json!({ "status": "must_retry", "created_before": "2020-01-01T00:00:00Z" }), "a4"),
        (json!({ "status": "must_retry", "submitted_after": "2020-01-03T00:00:00Z" }), "a4"),
        (json!({ "status": "must_retry", "created_after": "2020-01-01T00:00:01Z", "user_id": 7 }), "a1 a2 a3"),
    ] {
        let (code, preview) = post(&app, "retries", &json!({ "filter": filter, "dry_run": true })).await;
        assert_eq!(code, 200, "{filter}: {preview}");
        let retry = start(&app, &json!({ "filter": filter, "reason": WHY })).await;
        let frozen = "SELECT coalesce(string_agg(coalesce(job_id::text, 'a' || attempts.id), ' ' ORDER BY position), '')
                      FROM retry_items LEFT JOIN attempts ON receipt = receipt_id WHERE retry_id = '";
        assert_eq!(text(&app, &format!("{frozen}{}'", retry["id"].as_str().unwrap())).await, set, "{filter}");
        assert_eq!(
            (&preview["total"], retry["total"].as_u64()),
            (&retry["total"], Some(set.split(' ').count() as u64)),
            "{filter}"
        );
        let counted: i64 = preview["groups"].as_array().unwrap().iter().map(|group| group["count"].as_i64().unwrap()).sum();
        assert_eq!(Some(counted), preview["total"].as_i64(), "{filter}");
        let sampled: Vec<&Value> = preview["samples"].as_array().unwrap().iter().map(|sample| &sample["job_id"]).collect();
        assert_eq!(sampled.len(), set.split(' ').count(), "{filter}");
        assert_eq!(delete(&app, &format!("retries/{}?reason=next", retry["id"].as_str().unwrap())).await.0, 200);
    }
}

#[tokio::test]
async fn a_dry_run_groups_by_failure_most_first_and_shows_no_more_than_twenty() {
    let app = TestApp::without_worker().await;
    refused_attempts(&app, 25).await;
    app.sql("UPDATE jobs SET error_class = 'network', error_code = '', fingerprint = 'fnet' WHERE id <= 5").await;
    let (_, preview) = post(&app, "retries", &json!({ "filter": { "state": "dead" }, "dry_run": true, "rate": 1 })).await;
    assert_eq!(
        preview["groups"],
        json!([
            { "fingerprint": "f400", "queue": "vendor", "kind": "submit_to_vendor", "error_class": "vendor_refused",
              "error_code": "400", "message": "the vendor refused: #", "count": 20 },
            { "fingerprint": "fnet", "queue": "vendor", "kind": "submit_to_vendor", "error_class": "network",
              "error_code": "", "message": null, "count": 5 },
        ])
    );
    assert_eq!(preview["samples"].as_array().unwrap().len(), 20);
    assert_eq!(preview["samples"][0]["last_error"], "the vendor refused: 400");
    assert_eq!((&preview["rate"], &preview["minutes"]), (&json!(1), &json!(0.5)));
}

#[tokio::test]
async fn attempts_of_a_status_are_retried_each_as_by_hand() {
    let app = TestApp::without_worker().await;
    refused_attempts(&app, 5).await;
    app.sql("UPDATE attempts SET status = 'submitted'").await;
    // One without a job, one that is scheduled, one that is finished when its turn comes, one that is being worked on.
    app.sql("DELETE FROM jobs WHERE id = 1").await;
    app.sql("UPDATE jobs SET dead_at = NULL, due_at = now() + interval '1 hour' WHERE id = 2").await;
    app.sql("DELETE FROM jobs WHERE id = 3").await;
    app.sql("UPDATE jobs SET dead_at = NULL, phase = 'running', due_at = now() + interval '1 minute' WHERE id = 4").await;
    let retry = start(&app, &json!({ "filter": { "status": "submitted" }, "reason": WHY })).await;
    assert_eq!(retry["total"], 5);
    app.sql("UPDATE attempts SET status = 'approved' WHERE id = 3").await;
    let ran = run(&app, &retry).await;
    assert_eq!((ran.retried, ran.skipped, ran.is_last), (3, 2, true));
    let due = "SELECT string_agg(attempts.id::text, ' ' ORDER BY attempts.id) FROM jobs JOIN attempts ON receipt_id = subject
               WHERE kind = 'submit_to_vendor' AND dead_at IS NULL AND due_at <= now()";
    assert_eq!(text(&app, due).await, "1 2 5");
    let told = "SELECT string_agg(attempt_id::text, ' ' ORDER BY attempt_id) FROM attempt_events WHERE kind = 'retried_by_hand'";
    assert_eq!(text(&app, told).await, "1 2 5");
}

#[tokio::test]
async fn bulk_retries_are_listed_newest_first_in_pages() {
    let app = TestApp::without_worker().await;
    refused_attempts(&app, 3).await;
    let mut ids = Vec::new();
    for job in 1..=3 {
        app.clock.advance(TimeDelta::seconds(1));
        let retry = start(&app, &json!({ "filter": { "job_ids": [job] }, "reason": WHY })).await;
        ids.insert(0, retry["id"].clone());
    }
    let first = app.get("retries?limit=2").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = app.get(&format!("retries?limit=2&cursor={cursor}")).await;
    let items = [&first, &second].map(|page| page["items"].as_array().unwrap().clone()).concat();
    assert_eq!(items.iter().map(|item| item["id"].clone()).collect::<Vec<_>>(), ids);
    assert!(second["next_cursor"].is_null());
    for bad in ["limit=0", "limit=201", "cursor=x", "cursor=1.x"] {
        assert_eq!(app.api(Method::GET, &format!("retries?{bad}")).send().await.unwrap().status(), 400, "{bad}");
    }
    for unknown in ["00000000-0000-4000-8000-000000000000", "nonsense"] {
        assert_eq!(app.api(Method::GET, &format!("retries/{unknown}")).send().await.unwrap().status(), 404);
    }
}

#[tokio::test]
async fn the_same_key_answers_the_same_bulk_retry_even_when_it_is_over_and_another_body_is_refused() {
    let app = TestApp::without_worker().await;
    refused_attempts(&app, 2).await;
    let send = async |body: &Value| {
        let request = app.api(Method::POST, "retries").header("Idempotency-Key", "night-shift-1").json(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (code, first) = send(&all_dead(50)).await;
    assert_eq!(code, 202);
    run(&app, &first).await;
    app.sql("UPDATE jobs SET dead_at = now()").await;
    let before = everything(&app).await;
    let (code, again) = send(&all_dead(50)).await;
    assert_eq!((code, &again["id"], &again["status"]), (202, &first["id"], &json!("done")));
    assert_eq!(send(&all_dead(51)).await.0, 422);
    assert_eq!(everything(&app).await, before);
}

#[tokio::test]
async fn two_keys_of_one_name_are_two_callers() {
    let app = TestApp::without_worker().await;
    refused_attempts(&app, 2).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let made = api_keys::create(app.services().db(), "ann", &["admin".to_owned()], None, app.now()).await.unwrap();
        let key = String::from_utf8_lossy(made.expose()).into_owned();
        let url = format!("{}/api/v1/retries", app.url);
        let request = app.client.post(url).bearer_auth(key).header("Idempotency-Key", "night-shift-1").json(&all_dead(50));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 202);
        let retry: Value = answer.json().await.unwrap();
        run(&app, &retry).await;
        app.sql("UPDATE jobs SET dead_at = now()").await;
        ids.push(retry["id"].clone());
    }
    assert_ne!(ids[0], ids[1]);
}
