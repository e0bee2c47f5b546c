//! How much is taken, by one worker and by two.

use std::collections::BTreeMap;

use serde_json::json;
use vouch_common::domain::effect::Queue;
use vouch_tests::TestApp;
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
