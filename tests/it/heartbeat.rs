//! Leases are short, and kept alive while their jobs run.

use std::time::Duration;

use serde_json::json;
use vouch_common::{
    domain::{effect::Queue, ids::JobId},
    operations::hand_out_jobs,
    store::jobs::Lease,
};
use vouch_tests::TestApp;
use vouch_worker::runtime::{
    heartbeat::{self, LEASE},
    registry::Registry,
};

const MINUTE: Duration = Duration::from_mins(1);

/// A job in the hands of a worker that has shown no sign of life for a while.
async fn in_hand(app: &TestApp) -> Lease {
    app.submit(7, "Sofia Marek", json!({})).await;
    let services = app.services();
    let handed = hand_out_jobs::hand_out(services.db(), Queue::Photos, 1).await.unwrap();
    let lease = Lease { job: handed.tickets[0].id, generation: handed.tickets[0].generation };
    assert_eq!(hand_out_jobs::claim(services.db(), Queue::Photos, &[lease], LEASE).await.unwrap().len(), 1);
    app.sql("UPDATE jobs SET due_at = now() + interval '1 second'").await;
    lease
}

async fn seconds_left(app: &TestApp) -> i64 {
    app.count("SELECT extract(epoch FROM due_at - now())::bigint FROM jobs WHERE kind = 'prepare_photos'").await
}

#[tokio::test]
async fn a_job_that_runs_keeps_its_lease() {
    let app = TestApp::without_worker().await;
    let lease = in_hand(&app).await;
    let registry = Registry::default();
    registry.hold(lease, MINUTE);
    assert_eq!(heartbeat::beat(&app.services(), &registry, MINUTE).await, 0, "it is too young to need a beat");
    assert!(seconds_left(&app).await <= 1);
    assert_eq!(heartbeat::beat(&app.services(), &registry, Duration::ZERO).await, 1);
    assert!(seconds_left(&app).await > 10);
}

#[tokio::test]
async fn a_lease_is_not_kept_for_longer_than_its_job_may_run() {
    let app = TestApp::without_worker().await;
    let lease = in_hand(&app).await;
    app.sql("UPDATE jobs SET claimed_at = now() - interval '57 seconds'").await;
    let registry = Registry::default();
    registry.hold(lease, MINUTE);
    heartbeat::beat(&app.services(), &registry, Duration::ZERO).await;
    assert!(seconds_left(&app).await <= 3);
}

#[tokio::test]
async fn a_lease_that_has_passed_to_another_or_was_let_go_is_not_renewed() {
    let app = TestApp::without_worker().await;
    let lease = in_hand(&app).await;
    let registry = Registry::default();
    registry.hold(Lease { job: lease.job, generation: lease.generation - 1 }, MINUTE);
    registry.hold(Lease { job: JobId(lease.job.0 + 1), generation: lease.generation }, MINUTE);
    assert_eq!(heartbeat::beat(&app.services(), &registry, Duration::ZERO).await, 0);
    registry.hold(lease, MINUTE);
    registry.let_go(lease);
    assert_eq!(heartbeat::beat(&app.services(), &registry, Duration::ZERO).await, 0);
    registry.hold(lease, MINUTE);
    app.sql("UPDATE jobs SET phase = 'dispatched'").await;
    assert_eq!(heartbeat::beat(&app.services(), &registry, Duration::ZERO).await, 0, "it was handed out anew");
    assert!(seconds_left(&app).await <= 1);
}

#[tokio::test]
async fn a_job_that_is_being_settled_does_not_hold_up_the_renewal_of_others() {
    let app = TestApp::without_worker().await;
    let lease = in_hand(&app).await;
    app.sql("INSERT INTO jobs (queue, kind, args, phase, claimed_at) VALUES ('events', 'track_event', '{}', 'running', now())")
        .await;
    let other = Lease { job: JobId(app.count("SELECT max(id) FROM jobs").await), generation: 0 };
    let registry = Registry::default();
    registry.hold(lease, MINUTE);
    registry.hold(other, MINUTE);
    let mut settling = app.db.begin().await.unwrap();
    sqlx::query("SELECT FROM jobs WHERE id = $1 FOR UPDATE").bind(other.job.0).execute(&mut *settling).await.unwrap();
    assert_eq!(heartbeat::beat(&app.services(), &registry, Duration::ZERO).await, 1);
    assert!(seconds_left(&app).await > 10);
    settling.rollback().await.unwrap();
    assert_eq!(heartbeat::beat(&app.services(), &registry, Duration::ZERO).await, 2);
}
