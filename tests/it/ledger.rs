//! The job ledger on real servers: nothing lost, no effect twice.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::json;
use vouch_common::{
    domain::{
        attempt::Status,
        effect::Queue,
        failure::Signature,
        ids::{AttemptId, JobId},
    },
    operations::{OperationError, hand_out_jobs, record_submission, settle_job},
    store::{
        Db,
        jobs::{self, Failure, Lease},
    },
};
use vouch_tests::{TestApp, samples, wait_for};
use vouch_worker::sweep;

async fn redis(app: &TestApp) -> redis::aio::MultiplexedConnection {
    vouch_tests::patient_redis(&app.redis_url).await.unwrap()
}

#[tokio::test]
async fn a_redis_that_is_erased_all_the_time_loses_nothing_and_doubles_nothing() {
    let app = TestApp::without_worker().await;
    let mut receipts = Vec::new();
    for user in 1..=10 {
        receipts.push(app.submit(user, "Sofia Marek", json!({})).await);
    }
    let mut app = app;
    app.start_worker(&Queue::ALL);
    let mut connection = redis(&app).await;
    for receipt in &receipts {
        redis::cmd("FLUSHDB").query_async::<()>(&mut connection).await.unwrap();
        // What was handed out and erased falls due again; the test makes that at once.
        app.sql("UPDATE jobs SET due_at = now() WHERE phase = 'dispatched'").await;
        app.wait_for_status(receipt, "approved").await;
    }
    app.wait_until_idle().await;
    assert_eq!(app.mail.mails().len(), 20);
    assert_eq!(app.count("SELECT count(*) FROM attempt_events WHERE to_status IN ('ready', 'submitted', 'approved')").await, 30);
    app.finish().await;
}

#[tokio::test]
async fn a_kind_or_version_of_another_release_waits_an_hour_for_it_free_of_charge() {
    let app = TestApp::start().await;
    app.sql(
        "INSERT INTO jobs (queue, kind, args) VALUES ('mail', 'send_pigeon', '{\"v\": 1}'), ('mail', 'send_email', '{\"v\": 9}')",
    )
    .await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.wait_for_status(&receipt, "approved").await;
    wait_for("both to be met five times", async || {
        // The wait between deliveries is for others; the test does not wait it out.
        app.sql("UPDATE jobs SET due_at = now() WHERE phase = 'waiting' AND unknown_since IS NOT NULL").await;
        (app.count("SELECT count(*) FROM jobs WHERE generation >= 5 AND unknown_since IS NOT NULL").await == 2).then_some(())
    })
    .await;
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE dead_at IS NOT NULL OR failures > 0 OR deliveries > 1").await, 0);
    wait_for("both to be dead", async || {
        app.sql("UPDATE jobs SET due_at = now(), unknown_since = now() - interval '1 hour' WHERE phase = 'waiting' AND dead_at IS NULL")
            .await;
        (app.count("SELECT count(*) FROM jobs WHERE dead_at IS NOT NULL AND error_class = 'unknown_job'").await == 2).then_some(())
    })
    .await;
    app.wait_until_idle().await;
    let retried = app.api(Method::POST, &format!("jobs/{}/retry", app.count("SELECT min(id) FROM jobs").await));
    assert_eq!(retried.json(&json!({ "reason": "the release is here" })).send().await.unwrap().status(), 200);
    wait_for("it to wait for its release again", async || {
        let waits = "SELECT count(*) FROM jobs WHERE dead_at IS NULL AND unknown_since > now() - interval '1 minute'";
        (app.count(waits).await == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_job_without_an_outcome_is_grouped_and_counted_among_the_dead() {
    let app = TestApp::start().await;
    app.sql(
        "INSERT INTO jobs (queue, kind, args, deliveries) VALUES ('mail', 'send_email', '{}', 3), ('mail', 'send_pigeon', '{}', 3)",
    )
    .await;
    let dead = "SELECT count(*) FROM jobs WHERE dead_at IS NOT NULL AND error_class = 'no_outcome'";
    wait_for("both to be dead", async || (app.count(dead).await == 2).then_some(())).await;
    let fingerprint: String =
        sqlx::query_scalar("SELECT fingerprint FROM jobs WHERE kind = 'send_email'").fetch_one(&app.db).await.unwrap();
    let expected = Signature::of("send_email", jobs::NO_OUTCOME, "", jobs::NO_OUTCOME_TEXT);
    assert_eq!(fingerprint, expected.fingerprint);
    assert_eq!(app.count("SELECT coalesce(sum(jobs), 0)::bigint FROM dead_tallies").await, 2);
    app.sql("UPDATE jobs SET dead_at = NULL, due_at = now() + interval '1 hour' WHERE kind = 'send_email'").await;
    app.sql("DELETE FROM jobs WHERE dead_at IS NOT NULL").await;
    assert_eq!(
        app.count("SELECT coalesce(sum(jobs), 0)::bigint FROM dead_tallies").await,
        0,
        "whoever comes back or goes is not counted"
    );
}

#[tokio::test]
async fn each_try_of_an_attempts_job_leaves_its_story() {
    let app = TestApp::start().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.wait_for_status(&receipt, "approved").await;
    app.wait_until_idle().await;
    let told = "SELECT count(DISTINCT kind) FROM job_runs WHERE outcome = 'done' AND queued_at <= ready_at AND ready_at <= claimed_at \
                AND claimed_at <= ended_at";
    assert_eq!(app.count(told).await, 4, "photos, vendor, result, mail");
    app.finish().await;
}

#[tokio::test]
async fn garbage_and_stale_tickets_in_redis_are_dropped_and_the_work_goes_on() {
    let app = TestApp::start().await;
    let mut connection = redis(&app).await;
    for garbage in ["", "x", "1:2", "1:1:prepare_photos", "{\"id\":1}", "9999999:1:send_email"] {
        redis::cmd("RPUSH").arg("vouch:queue:photos").arg(garbage).query_async::<()>(&mut connection).await.unwrap();
    }
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.wait_for_status(&receipt, "approved").await;
    app.finish().await;
}

#[tokio::test]
async fn a_worker_whose_lease_passed_to_another_changes_nothing() {
    let app = TestApp::without_worker().await;
    app.submit(7, "Sofia Marek", json!({})).await;
    let services = app.services();
    let db = services.db();
    let first = &hand_out_jobs::hand_out(db, Queue::Photos, 10).await.unwrap().tickets[0];
    let lease = Lease { job: first.id, generation: first.generation };
    let window = std::time::Duration::from_secs(60);
    let of_mail = hand_out_jobs::claim(db, Queue::Mail, &[lease], window).await.unwrap();
    assert!(of_mail.is_empty(), "an entry on the list of another queue claims nothing");
    assert_eq!(hand_out_jobs::claim(db, Queue::Photos, &[lease], window).await.unwrap().len(), 1);
    assert!(
        hand_out_jobs::claim(db, Queue::Photos, &[lease], window).await.unwrap().is_empty(),
        "a stale entry claims nothing twice"
    );
    // It froze; its lease ran out and the job was handed out again.
    app.sql("UPDATE jobs SET due_at = now() - interval '1 second' WHERE kind = 'prepare_photos'").await;
    let second = &hand_out_jobs::hand_out(db, Queue::Photos, 10).await.unwrap().tickets[0];
    assert_eq!((second.id, second.generation), (first.id, first.generation + 1));
    assert!(matches!(settle_job::finish(db, lease).await, Err(OperationError::Fenced)));
    assert_eq!(settle_job::release(db, &[lease]).await.unwrap(), 0);
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE kind = 'prepare_photos'").await, 1);
    let unknown = Lease { job: JobId(999_999), generation: 1 };
    assert!(hand_out_jobs::claim(db, Queue::Photos, &[unknown], window).await.unwrap().is_empty());
}

/// The vendor has taken an attempt, and to record it waits for another transaction, which does this.
async fn accepted_after(meanwhile: &'static str) -> (TestApp, Result<(), OperationError>) {
    let app = TestApp::without_worker().await;
    app.submit(7, "Sofia Marek", json!({})).await;
    app.sql("UPDATE attempts SET status = 'ready'").await;
    let services = app.services();
    let db = services.db();
    let ticket = &hand_out_jobs::hand_out(db, Queue::Photos, 10).await.unwrap().tickets[0];
    let lease = Lease { job: ticket.id, generation: ticket.generation };
    assert_eq!(hand_out_jobs::claim(db, Queue::Photos, &[lease], std::time::Duration::from_secs(60)).await.unwrap().len(), 1);
    let attempt = AttemptId(app.count("SELECT id FROM attempts").await);
    let mut other = app.db.begin().await.unwrap();
    sqlx::query(meanwhile).execute(&mut *other).await.unwrap();
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let (told, ()) = tokio::join!(record_submission::accepted(db, lease, attempt, services.now()), async {
        wait_for("the step to wait", async || (app.count(waiting).await > 0).then_some(())).await;
        other.commit().await.unwrap();
    });
    (app, told)
}

#[tokio::test]
async fn a_step_that_waited_for_a_verdict_is_refused_and_changes_nothing() {
    let (app, told) = accepted_after("UPDATE attempts SET status = 'approved'").await;
    assert!(matches!(told, Err(OperationError::Refused(Status::Approved))), "{told:?}");
    assert_eq!(app.count("SELECT count(*) FROM attempt_events WHERE kind = 'submitted'").await, 0);
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE kind = 'prepare_photos'").await, 1);
}

#[tokio::test]
async fn a_step_that_waited_for_another_goes_on_from_what_that_left() {
    let (app, told) = accepted_after("UPDATE attempts SET status = 'must_retry', error_msg = 'busy'").await;
    told.unwrap();
    assert_eq!(app.count("SELECT count(*) FROM attempts WHERE status = 'submitted' AND error_msg = ''").await, 1);
    let event = "SELECT count(*) FROM attempt_events WHERE kind = 'submitted' AND from_status = 'must_retry'";
    assert_eq!(app.count(event).await, 1);
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE kind = 'prepare_photos'").await, 0);
}

#[tokio::test]
async fn a_failed_try_that_is_recorded_twice_counts_once() {
    let app = TestApp::without_worker().await;
    app.submit(7, "Sofia Marek", json!({})).await;
    let services = app.services();
    let db = services.db();
    let ticket = &hand_out_jobs::hand_out(db, Queue::Photos, 10).await.unwrap().tickets[0];
    let lease = Lease { job: ticket.id, generation: ticket.generation };
    assert_eq!(hand_out_jobs::claim(db, Queue::Photos, &[lease], std::time::Duration::from_secs(60)).await.unwrap().len(), 1);
    let failure = Failure {
        kind: "prepare_photos".to_owned(),
        class: "storage",
        code: String::new(),
        error: "the object store is away".to_owned(),
        retry_after: Some(std::time::Duration::from_secs(60)),
    };
    settle_job::fail(db, lease, &failure, None, None).await.unwrap();
    // The worker did not hear of it and tells again.
    let again = settle_job::fail(db, lease, &failure, None, None).await;
    assert!(matches!(again, Err(OperationError::Fenced)), "{again:?}");
    assert_eq!(app.count("SELECT failures::bigint FROM jobs WHERE kind = 'prepare_photos'").await, 1);
    assert_eq!(app.count("SELECT count(*) FROM job_runs WHERE outcome = 'retried'").await, 1);
}

#[tokio::test]
async fn the_sweep_finds_an_attempt_whose_job_is_gone_and_sets_it_going() {
    let mut app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    app.sql("DELETE FROM jobs").await;
    assert_eq!(sweep::mend(&app.services()).await, 0, "what is fresh is left alone");
    app.clock.advance(TimeDelta::minutes(2));
    assert_eq!(sweep::mend(&app.services()).await, 1);
    assert_eq!(sweep::mend(&app.services()).await, 0, "once");
    app.start_worker(&Queue::ALL);
    app.wait_for_status(&receipt, "approved").await;
    app.finish().await;
}

#[tokio::test]
async fn uploads_without_an_attempt_go_after_a_day_and_others_stay() {
    let app = TestApp::without_worker().await;
    app.submit(7, "Sofia Marek", json!({})).await;
    app.submit(8, "Sofia Marek", json!({})).await;
    app.sql("DELETE FROM jobs; ").await;
    app.sql("DELETE FROM attempt_events WHERE attempt_id = (SELECT max(id) FROM attempts)").await;
    app.sql("DELETE FROM attempts WHERE id = (SELECT max(id) FROM attempts)").await;
    let stop = tokio_util::sync::CancellationToken::new();
    assert_eq!(sweep::remove_leftovers(&app.services(), &stop).await, 0);
    app.clock.advance(TimeDelta::hours(25));
    assert_eq!(sweep::remove_leftovers(&app.services(), &stop).await, 2);
    assert_eq!(app.objects().len(), 2);
}

#[tokio::test]
async fn a_worker_that_stops_gives_back_what_it_has_not_begun() {
    let mut app = TestApp::without_worker().await;
    for user in 1..=5 {
        app.submit(user, "Sofia Marek", json!({ "face_image": samples::good("face-8mp.jpg") })).await;
    }
    app.start_worker(&[Queue::Photos]);
    wait_for("the first to be claimed", async || {
        (app.count("SELECT count(*) FROM jobs WHERE phase = 'running'").await > 0).then_some(())
    })
    .await;
    app.stop_worker().await;
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE phase = 'running'").await, 0);
    app.sql("UPDATE jobs SET due_at = now() WHERE phase = 'dispatched'").await;
    app.start_worker(&Queue::ALL);
    app.finish().await;
}

async fn insert_old_events(app: &TestApp, jobs: i64) {
    app.sql(&format!(
        "INSERT INTO jobs (queue, kind, args, due_at) SELECT 'events', 'track_event', '{{}}', now() - interval '1 hour' FROM generate_series(1, {jobs})"
    ))
    .await;
}

const IN_OLD_PLACE: &str = "SELECT count(*) FROM jobs WHERE phase = 'waiting' AND due_at < now() - interval '50 minutes'";

async fn hand_out_and_claim(db: &Db, jobs: i64, claimed: usize) -> Vec<Lease> {
    let tickets = hand_out_jobs::hand_out(db, Queue::Events, jobs).await.unwrap().tickets;
    let leases: Vec<_> = tickets.iter().map(|ticket| Lease { job: ticket.id, generation: ticket.generation }).collect();
    let ours = hand_out_jobs::claim(db, Queue::Events, &leases[..claimed], std::time::Duration::from_secs(60)).await.unwrap();
    assert_eq!(ours.len(), claimed);
    leases
}

#[tokio::test]
async fn what_comes_back_undone_is_due_in_its_old_place() {
    let app = TestApp::without_worker().await;
    insert_old_events(&app, 2).await;
    let services = app.services();
    let leases = hand_out_and_claim(services.db(), 2, 1).await;
    assert_eq!(hand_out_jobs::take_back(services.db(), &leases).await.unwrap(), 1, "what was not claimed");
    assert_eq!(settle_job::release(services.db(), &leases).await.unwrap(), 1, "what was");
    assert_eq!(app.count(IN_OLD_PLACE).await, 2);
}

#[tokio::test]
async fn a_limit_holds_for_what_was_handed_out_before_it_and_not_for_what_runs() {
    let app = TestApp::without_worker().await;
    insert_old_events(&app, 20).await;
    let services = app.services();
    let db = services.db();
    let leases = hand_out_and_claim(db, 20, 1).await;
    let limited = app.api(Method::PUT, "queues/events/limit").json(&json!({ "rate": 1, "reason": "be gentle" }));
    assert_eq!(limited.send().await.unwrap().status(), 200);
    assert_eq!(app.count(IN_OLD_PLACE).await, 19);
    let window = std::time::Duration::from_secs(60);
    assert_eq!(hand_out_jobs::claim(db, Queue::Events, &leases[1..], window).await.unwrap(), []);
    settle_job::finish(db, leases[0]).await.unwrap();
    app.sql("UPDATE queue_controls SET tokens = 1, filled_at = now() + interval '1 hour'").await;
    assert_eq!(hand_out_jobs::hand_out(db, Queue::Events, 20).await.unwrap().tickets.len(), 1);
}

#[tokio::test]
async fn a_try_that_ends_in_a_hold_costs_its_job_no_try_on_its_first_day_and_ends_it_afterwards() {
    for (hours, is_spared) in [(23, true), (25, false)] {
        let app = TestApp::without_worker().await;
        insert_old_events(&app, 1).await;
        app.sql(&format!("UPDATE jobs SET failures = 11, created_at = now() - interval '{hours} hours'")).await;
        let services = app.services();
        let lease = hand_out_and_claim(services.db(), 1, 1).await[0];
        let (kind, code, error) = ("track_event".to_owned(), "429".to_owned(), "too many".to_owned());
        let minute = std::time::Duration::from_secs(60);
        // It would be the last one.
        let failure = Failure { kind, class: "vendor_rate_limited", code, error, retry_after: None };
        let settled = settle_job::fail(services.db(), lease, &failure, Some((Queue::Events, minute)), None).await.unwrap();
        assert_eq!((settled.is_counted, settled.retry_after), (!is_spared, is_spared.then_some(minute)));
        let left = if is_spared { "failures = 11 AND dead_at IS NULL AND due_at > now()" } else { "dead_at IS NOT NULL" };
        assert_eq!(app.count(&format!("SELECT count(*) FROM jobs WHERE {left}")).await, 1);
        assert_eq!(app.count("SELECT count(*) FROM queue_controls WHERE held_until > now()").await, 1);
    }
}
