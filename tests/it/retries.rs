//! Bulk retries: looked at first, frozen, gone through at a rate, each item once, whatever dies meanwhile.

use std::{collections::BTreeSet, time::Duration};

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;
use vouch_cli::simulator::Script;
use vouch_common::{
    domain::{effect::Queue, ids::RetryId},
    operations::{OperationError, hand_out_jobs, run_retry},
    store::jobs::Lease,
};
use vouch_tests::{TestApp, wait_for};
use vouch_worker::sweep;

use crate::acting::{WHY, delete, everything, post, refusing, text};

/// Makes attempts that the vendor refused: each has a dead job.
pub(crate) async fn refused_attempts(app: &TestApp, count: u32) {
    app.put_user(7, "Sofia Marek").await;
    app.sql(&format!(
        "WITH made AS (
             INSERT INTO attempts (receipt_id, user_id, status, name, created_at, updated_at)
             SELECT gen_random_uuid(), 7, 'must_retry', 'Sofia Marek', now(), now() FROM generate_series(1, {count})
             RETURNING receipt_id)
         INSERT INTO jobs (queue, kind, args, subject, dead_at, failed_at, error_class, error_code, last_error, fingerprint, failures)
         SELECT 'vendor', 'submit_to_vendor', jsonb_build_object('v', 1, 'receipt', receipt_id), receipt_id, now(), now(),
                'vendor_refused', '400', 'the vendor refused: 400', 'f400', 1 FROM made"
    ))
    .await;
    app.sql(
        "INSERT INTO error_groups (fingerprint, queue, kind, error_class, error_code, message)
         VALUES ('f400', 'vendor', 'submit_to_vendor', 'vendor_refused', '400', 'the vendor refused: #') ON CONFLICT DO NOTHING",
    )
    .await;
}

pub(crate) fn all_dead(rate: i64) -> Value {
    json!({ "filter": { "state": "dead" }, "rate": rate, "reason": WHY })
}

pub(crate) async fn start(app: &TestApp, body: &Value) -> Value {
    let (code, answer) = post(app, "retries", body).await;
    assert_eq!(code, 202, "{answer}");
    answer
}

fn id(retry: &Value) -> RetryId {
    RetryId(Uuid::parse_str(retry["id"].as_str().unwrap()).unwrap())
}

/// Claims the job of the bulk retry, as a worker does.
async fn claim(app: &TestApp) -> Option<Lease> {
    let services = app.services();
    app.sql("UPDATE jobs SET due_at = now() WHERE kind = 'retry_batch' AND phase = 'waiting' AND due_at > now()").await;
    let ticket = hand_out_jobs::hand_out(services.db(), Queue::Upkeep, 10).await.unwrap().tickets.into_iter().next()?;
    let lease = Lease { job: ticket.id, generation: ticket.generation };
    assert_eq!(hand_out_jobs::claim(services.db(), Queue::Upkeep, &[lease], Duration::from_secs(60)).await.unwrap().len(), 1);
    Some(lease)
}

/// Runs the bulk retry once, as a worker does.
pub(crate) async fn run(app: &TestApp, retry: &Value) -> run_retry::Ran {
    let lease = claim(app).await.expect("the bulk retry to have a job");
    run_retry::run(app.services().db(), lease, id(retry), app.now()).await.unwrap()
}

async fn dead(app: &TestApp) -> i64 {
    app.count("SELECT count(*) FROM jobs WHERE dead_at IS NOT NULL").await
}

/// The most often that any attempt was set going.
async fn most_often(app: &TestApp) -> i64 {
    app.count(
        "SELECT coalesce(max(times), 0) FROM (SELECT count(*) AS times FROM attempt_events WHERE kind = 'retried_by_hand' GROUP BY attempt_id) AS t",
    )
    .await
}

#[tokio::test]
async fn what_a_vendor_refused_is_retried_in_bulk_when_it_is_well_and_each_is_approved_and_mailed_once() {
    let app = TestApp::start_with(refusing()).await;
    let mut receipts = Vec::new();
    for user in 1..=3 {
        receipts.push(app.submit(user, "Sofia Marek", json!({})).await);
    }
    wait_for("all to be dead", async || (dead(&app).await == 3).then_some(())).await;
    app.vendor.set_script(Script::default()).unwrap();
    let filter = json!({ "queue": "vendor", "http_status": 400 });
    let before = everything(&app).await;
    let (code, preview) = post(&app, "retries", &json!({ "filter": filter, "dry_run": true })).await;
    assert_eq!((code, &preview["total"], &preview["dry_run"]), (200, &json!(3), &json!(true)));
    assert_eq!(preview["groups"].as_array().unwrap().len(), 1);
    assert_eq!((&preview["groups"][0]["count"], &preview["groups"][0]["error_code"]), (&json!(3), &json!("400")));
    assert_eq!(preview["samples"].as_array().unwrap().len(), 3);
    assert_eq!((&preview["rate"], &preview["minutes"]), (&json!(50), &json!(0.1)));
    assert_eq!(everything(&app).await, before, "a dry run changes nothing");
    let retry = start(&app, &json!({ "filter": filter, "rate": 100, "reason": WHY })).await;
    assert_eq!((&retry["total"], &retry["created_by"], &retry["status"]), (&json!(3), &json!("bootstrap"), &json!("running")));
    for receipt in &receipts {
        app.wait_for_status(receipt, "approved").await;
    }
    app.wait_until_idle().await;
    let done = app.get(&format!("retries/{}", retry["id"].as_str().unwrap())).await;
    assert_eq!(
        (&done["status"], &done["retried"], &done["skipped"], &done["left"]),
        (&json!("done"), &json!(3), &json!(0), &json!(0))
    );
    assert!(done["finished_at"].is_string());
    assert_eq!(app.mail.mails().iter().filter(|mail| mail.subject.contains("has been approved")).count(), 3);
    assert_eq!(most_often(&app).await, 1);
    assert_eq!(app.count("SELECT count(*) FROM operator_actions WHERE action = 'retries.start'").await, 1);
    app.finish().await;
}

#[tokio::test]
async fn a_run_takes_a_second_of_work_and_the_next_is_due_a_second_after_it_was() {
    let app = TestApp::without_worker().await;
    refused_attempts(&app, 7).await;
    let retry = start(&app, &all_dead(3)).await;
    for (left, minutes) in [(4, 0.1), (1, 0.1)] {
        let ran = run(&app, &retry).await;
        assert_eq!((ran.retried, ran.skipped, ran.is_last), (3, 0, false));
        assert_eq!(dead(&app).await, left);
        let due = "SELECT count(*) FROM jobs WHERE kind = 'retry_batch' AND due_at = ready_at + interval '1 second'";
        assert_eq!(app.count(&format!("{due} AND phase = 'waiting' AND deliveries = 0 AND failures = 0")).await, 1);
        let seen = app.get(&format!("retries/{}", retry["id"].as_str().unwrap())).await;
        assert_eq!((&seen["left"], &seen["minutes_left"], &seen["retried"]), (&json!(left), &json!(minutes), &json!(7 - left)));
    }
    let ran = run(&app, &retry).await;
    assert_eq!((ran.retried, ran.is_last), (1, true));
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE kind = 'retry_batch'").await, 0);
    let going = "phase = 'waiting' AND due_at <= now() AND failures = 0 AND deliveries = 0 AND dead_at IS NULL";
    assert_eq!(app.count(&format!("SELECT count(*) FROM jobs WHERE {going}")).await, 7);
    assert_eq!(app.get(&format!("retries/{}", retry["id"].as_str().unwrap())).await["status"], "done");
}

#[tokio::test]
async fn a_bulk_retry_that_was_away_for_long_does_not_make_up_for_it_in_a_burst() {
    let app = TestApp::without_worker().await;
    refused_attempts(&app, 3).await;
    let retry = start(&app, &all_dead(1)).await;
    app.sql("UPDATE jobs SET due_at = now() - interval '1 hour' WHERE kind = 'retry_batch'").await;
    run(&app, &retry).await;
    let burst = "SELECT count(*) FROM jobs WHERE kind = 'retry_batch' AND due_at >= claimed_at - interval '1 second'";
    assert_eq!(app.count(burst).await, 1);
}

#[tokio::test]
async fn a_worker_that_is_killed_in_the_middle_loses_nothing_and_retries_nothing_twice() {
    let app = TestApp::without_worker().await;
    refused_attempts(&app, 10).await;
    let retry = start(&app, &all_dead(4)).await;
    run(&app, &retry).await;
    // Killed after the claim: nothing was done, and the lease runs out.
    let killed = claim(&app).await.unwrap();
    app.sql("UPDATE jobs SET due_at = now() - interval '1 second' WHERE kind = 'retry_batch'").await;
    run(&app, &retry).await;
    assert_eq!(dead(&app).await, 2);
    // It was only slow, and comes back: its lease is another's.
    let before = everything(&app).await;
    let late = run_retry::run(app.services().db(), killed, id(&retry), app.now()).await;
    assert!(matches!(late, Err(OperationError::Fenced)));
    assert_eq!(everything(&app).await, before);
    assert!(run(&app, &retry).await.is_last);
    assert_eq!((dead(&app).await, most_often(&app).await), (0, 1));
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE generation = 1").await, 10, "each was set going once");
    let seen = app.get(&format!("retries/{}", retry["id"].as_str().unwrap())).await;
    assert_eq!((&seen["retried"], &seen["skipped"]), (&json!(10), &json!(0)));
}

#[tokio::test]
async fn a_worker_that_is_stopped_and_started_again_goes_on_where_it_was() {
    let mut app = TestApp::without_worker().await;
    refused_attempts(&app, 8).await;
    app.start_worker(&[Queue::Upkeep]);
    let retry = start(&app, &all_dead(3)).await;
    let path = format!("retries/{}", retry["id"].as_str().unwrap());
    wait_for("the first items", async || (app.get(&path).await["retried"].as_i64() >= Some(3)).then_some(())).await;
    app.stop_worker().await;
    app.start_worker(&[Queue::Upkeep]);
    wait_for("the end", async || (app.get(&path).await["status"] == "done").then_some(())).await;
    assert_eq!((dead(&app).await, most_often(&app).await), (0, 1));
    app.stop_worker().await;
}

#[tokio::test]
async fn what_is_cancelled_stops_before_its_next_run_and_can_not_be_cancelled_twice() {
    let app = TestApp::without_worker().await;
    refused_attempts(&app, 9).await;
    let retry = start(&app, &all_dead(4)).await;
    run(&app, &retry).await;
    let path = format!("retries/{}", retry["id"].as_str().unwrap());
    let before = everything(&app).await;
    assert_eq!(delete(&app, &path).await.0, 400, "no reason");
    assert_eq!(delete(&app, "retries/00000000-0000-4000-8000-000000000000?reason=x").await.0, 404);
    assert_eq!(delete(&app, "retries/nonsense?reason=x").await.0, 404);
    assert_eq!(everything(&app).await, before);
    let (code, answer) = delete(&app, &format!("{path}?reason=wrong+filter")).await;
    assert_eq!((code, &answer["status"], &answer["retried"], &answer["left"]), (200, &json!("cancelled"), &json!(4), &json!(5)));
    assert_eq!(answer["minutes_left"], 0.0);
    let ran = run(&app, &retry).await;
    assert_eq!((ran.retried, ran.is_last), (0, true));
    assert_eq!(dead(&app).await, 5);
    let before = everything(&app).await;
    let (code, answer) = delete(&app, &format!("{path}?reason=again")).await;
    assert_eq!(code, 409, "{answer}");
    assert_eq!(everything(&app).await, before);
    let again = start(&app, &all_dead(4)).await;
    assert_eq!((again["id"] != retry["id"], &again["total"]), (true, &json!(5)), "what was left can be retried");
}

#[tokio::test]
async fn pressed_by_many_at_once_the_same_filter_runs_once() {
    let app = TestApp::without_worker().await;
    refused_attempts(&app, 5).await;
    let body = all_dead(50);
    let requests: Vec<_> = (0..10).map(|_| tokio::spawn(app.api(Method::POST, "retries").json(&body).send())).collect();
    let mut ids = BTreeSet::new();
    for request in requests {
        let answer = request.await.unwrap().unwrap();
        assert_eq!(answer.status(), 202);
        ids.insert(answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids.len(), 1);
    assert_eq!(app.count("SELECT count(*) FROM retries").await, 1);
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE kind = 'retry_batch'").await, 1);
    assert_eq!(app.count("SELECT count(*) FROM operator_actions").await, 1);
}

#[tokio::test]
async fn no_job_is_in_two_bulk_retries_that_run() {
    let app = TestApp::without_worker().await;
    refused_attempts(&app, 6).await;
    let few = text(&app, "SELECT json_agg(id)::text FROM (SELECT id FROM jobs ORDER BY id LIMIT 2) AS t").await;
    let few: Value = serde_json::from_str(&few).unwrap();
    let first = start(&app, &json!({ "filter": { "job_ids": few }, "reason": WHY })).await;
    let second = start(&app, &all_dead(50)).await;
    assert_eq!((&first["total"], &second["total"]), (&json!(2), &json!(4)));
    let before = everything(&app).await;
    for filter in [json!({ "queue": "vendor" }), json!({ "status": "must_retry" })] {
        let (code, answer) = post(&app, "retries", &json!({ "filter": filter, "reason": WHY })).await;
        assert_eq!(code, 409, "all of it is being retried: {answer}");
        let (_, preview) = post(&app, "retries", &json!({ "filter": filter, "dry_run": true })).await;
        assert_eq!(preview["total"], 0);
    }
    assert_eq!(everything(&app).await, before);
}

#[tokio::test]
async fn what_needs_it_no_more_when_its_turn_comes_is_skipped() {
    let app = TestApp::without_worker().await;
    refused_attempts(&app, 4).await;
    let retry = start(&app, &all_dead(50)).await;
    assert_eq!(post(&app, "jobs/1/retry", &json!({ "reason": WHY })).await.0, 200);
    let receipt = text(&app, "SELECT receipt_id::text FROM attempts WHERE id = 2").await;
    assert_eq!(post(&app, &format!("attempts/{receipt}/approve"), &json!({ "reason": WHY })).await.0, 200);
    let ran = run(&app, &retry).await;
    assert_eq!((ran.retried, ran.skipped, ran.is_last), (2, 2, true));
    assert_eq!(most_often(&app).await, 1);
    assert_eq!(
        text(&app, "SELECT string_agg(outcome, ' ' ORDER BY position) FROM retry_items").await,
        "skipped skipped retried retried"
    );
}

#[tokio::test]
async fn what_dies_after_the_set_was_frozen_is_not_in_it_and_what_dies_again_is_not_retried_again() {
    let app = TestApp::without_worker().await;
    refused_attempts(&app, 4).await;
    let retry = start(&app, &all_dead(2)).await;
    refused_attempts(&app, 3).await;
    run(&app, &retry).await;
    app.sql("UPDATE jobs SET dead_at = now() WHERE id IN (1, 2)").await;
    assert!(run(&app, &retry).await.is_last);
    assert_eq!(text(&app, "SELECT string_agg(id::text, ' ' ORDER BY id) FROM jobs WHERE dead_at IS NOT NULL").await, "1 2 6 7 8");
    assert_eq!(most_often(&app).await, 1);
}

#[tokio::test]
async fn the_job_of_a_bulk_retry_that_runs_can_not_be_dropped() {
    let app = TestApp::without_worker().await;
    refused_attempts(&app, 2).await;
    let retry = start(&app, &all_dead(1)).await;
    app.sql("UPDATE jobs SET dead_at = now() WHERE kind = 'retry_batch'").await;
    let job = app.count("SELECT id FROM jobs WHERE kind = 'retry_batch'").await;
    let before = everything(&app).await;
    let (code, answer) = delete(&app, &format!("jobs/{job}?reason=x")).await;
    assert_eq!(code, 409);
    assert!(answer["detail"].as_str().unwrap().contains("cancel the bulk retry"), "{answer}");
    assert_eq!(everything(&app).await, before);
    assert_eq!(delete(&app, &format!("retries/{}?reason=x", retry["id"].as_str().unwrap())).await.0, 200);
    assert_eq!(delete(&app, &format!("jobs/{job}?reason=x")).await.0, 204);
}

#[tokio::test]
async fn the_items_of_a_bulk_retry_are_forgotten_a_week_after_its_end_and_what_it_did_is_not() {
    let app = TestApp::without_worker().await;
    refused_attempts(&app, 4).await;
    let done = start(&app, &json!({ "filter": { "job_ids": [1, 2] }, "reason": WHY })).await;
    run(&app, &done).await;
    start(&app, &all_dead(1)).await;
    app.clock.advance(TimeDelta::days(8));
    sweep::forget_retries(&app.services()).await;
    assert_eq!(app.count("SELECT count(*) FROM retry_items").await, 2, "those of the one that runs stay");
    assert_eq!(app.get(&format!("retries/{}", done["id"].as_str().unwrap())).await["retried"], 2);
}
