//! How much is taken, and what becomes of it when a worker stops.

use std::collections::BTreeMap;

use serde_json::json;
use vouch_common::domain::effect::Queue;
use vouch_tests::{TestApp, wait_for};
use vouch_worker::{Stop, options::Options};

const LEARNERS: i64 = 12;

/// Notes after each statement how many photos are in hand.
async fn watch_slots(app: &TestApp) {
    app.sql("CREATE TABLE in_hand (jobs bigint NOT NULL)").await;
    app.sql(
        "CREATE FUNCTION note_in_hand() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN INSERT INTO in_hand SELECT count(*) FROM jobs WHERE queue = 'photos' AND phase = 'running'; RETURN NULL; END $$",
    )
    .await;
    app.sql("CREATE TRIGGER watch AFTER UPDATE ON jobs FOR EACH STATEMENT EXECUTE FUNCTION note_in_hand()").await;
}

fn two_at_once() -> Options {
    Options { concurrency: BTreeMap::from([(Queue::Photos, 2)]), ..Options::default() }
}

#[tokio::test]
async fn however_much_is_ready_no_more_is_claimed_than_there_are_slots() {
    let app = TestApp::without_worker().await;
    watch_slots(&app).await;
    for user in 1..=LEARNERS {
        app.submit(user, "Sofia Marek", json!({})).await;
    }
    let stop = Stop::default();
    let gently = stop.gently.clone();
    let running = tokio::spawn(vouch_worker::run(app.services(), two_at_once(), stop));
    app.wait_until_idle().await;
    gently.cancel();
    running.await.unwrap();
    assert_eq!(app.count("SELECT max(jobs) FROM in_hand").await, 2, "all slots are used, and no more");
    app.finish().await;
}

#[tokio::test]
async fn a_worker_that_stops_with_full_hands_gives_back_and_no_delivery_counts() {
    let app = TestApp::without_worker().await;
    for user in 1..=LEARNERS {
        app.submit(user, "Sofia Marek", json!({})).await;
    }
    // Nothing gets on: whoever wants to finish a photo waits for this transaction.
    let mut lock = app.db.begin().await.unwrap();
    sqlx::query("LOCK TABLE attempts IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.unwrap();
    let stop = Stop::default();
    let (gently, at_once) = (stop.gently.clone(), stop.at_once.clone());
    // With both slots full nothing is being taken, so nothing is claimed after the stop.
    let photos_alone = Options { queues: vec![Queue::Photos], ..two_at_once() };
    let running = tokio::spawn(vouch_worker::run(app.services(), photos_alone, stop));
    wait_for("both slots to be full", async || {
        (app.count("SELECT count(*) FROM jobs WHERE phase = 'running'").await == 2).then_some(())
    })
    .await;
    gently.cancel();
    at_once.cancel();
    running.await.unwrap();
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE phase = 'running'").await, 0, "nobody holds anything");
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE deliveries > 0").await, 0, "giving back costs no delivery");
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE kind = 'prepare_photos'").await, LEARNERS, "nothing is lost");
    lock.rollback().await.unwrap();
    let mut app = app;
    app.sql("UPDATE jobs SET due_at = now() WHERE phase = 'dispatched'").await;
    app.start_worker(&Queue::ALL);
    app.finish().await;
}

#[tokio::test]
async fn two_workers_share_a_backlog_and_do_each_job_once() {
    let app = TestApp::without_worker().await;
    for user in 1..=LEARNERS {
        app.submit(user, "Sofia Marek", json!({})).await;
    }
    let stops = [Stop::default(), Stop::default()];
    let gently: Vec<_> = stops.iter().map(|stop| stop.gently.clone()).collect();
    let running = stops.map(|stop| tokio::spawn(vouch_worker::run(app.services(), two_at_once(), stop)));
    app.wait_until_idle().await;
    gently.iter().for_each(tokio_util::sync::CancellationToken::cancel);
    for one in running {
        one.await.unwrap();
    }
    let steps = "SELECT count(*) FROM attempt_events WHERE to_status IN ('ready', 'submitted', 'approved')";
    assert_eq!(app.count(steps).await, LEARNERS * 3);
    app.finish().await;
}
