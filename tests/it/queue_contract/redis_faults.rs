//! A Redis that stalls, cuts off, forgets, or holds what is none of ours.

use serde_json::json;
use vouch_tests::{TestApp, Wishes, wait_for};

use super::own_redis::OwnRedis;

const LEARNERS: i64 = 6;
const SETTLED: &str = "SELECT count(*) FROM attempts WHERE status = 'approved'";

async fn on(redis: &OwnRedis) -> TestApp {
    TestApp::start_with(Wishes { settings: vec![("REDIS_URL", redis.url())], ..Wishes::default() }).await
}

async fn submit_all(app: &TestApp) {
    for user in 1..=LEARNERS {
        app.submit(user, "Sofia Marek", json!({})).await;
    }
}

/// All are approved, each step was made once, and nothing is left.
async fn all_is_well(app: TestApp) {
    wait_for("all to be approved", async || {
        // What was lost in Redis falls due by itself; the test makes that at once.
        app.sql("UPDATE jobs SET due_at = now() WHERE phase = 'dispatched' AND due_at < now() + interval '28 seconds'").await;
        (app.count(SETTLED).await == LEARNERS).then_some(())
    })
    .await;
    let steps = "SELECT count(*) FROM attempt_events WHERE to_status IN ('ready', 'submitted', 'approved')";
    assert_eq!(app.count(steps).await, LEARNERS * 3);
    let told =
        "SELECT count(*) FROM (SELECT job_id FROM job_runs WHERE outcome = 'done' GROUP BY job_id HAVING count(*) > 1) AS twice";
    assert_eq!(app.count(told).await, 0, "a job was done twice");
    app.finish().await;
}

#[tokio::test]
async fn a_redis_that_stalls_is_waited_for_and_loses_nothing() {
    let redis = OwnRedis::start().await;
    let app = on(&redis).await;
    for (user, pause) in (1..=LEARNERS).zip([None, Some("700"), None, Some("2500"), None, None]) {
        app.submit(user, "Sofia Marek", json!({})).await;
        if let Some(millis) = pause {
            redis.tell::<()>(&["CLIENT", "PAUSE", millis, "ALL"]).await;
        }
    }
    all_is_well(app).await;
}

#[tokio::test]
async fn a_key_that_is_no_list_holds_up_its_own_queue_and_no_other() {
    let redis = OwnRedis::start().await;
    let app = on(&redis).await;
    redis.tell::<()>(&["SET", "vouch:queue:photos", "somebody else's"]).await;
    submit_all(&app).await;
    wait_for("the mails, whose queue is well", async || {
        let mails = "SELECT count(*) FROM job_runs WHERE kind = 'send_email' AND outcome = 'done'";
        (app.count(mails).await == LEARNERS).then_some(())
    })
    .await;
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE kind = 'prepare_photos' AND phase = 'waiting'").await, LEARNERS);
    redis.tell::<()>(&["DEL", "vouch:queue:photos"]).await;
    all_is_well(app).await;
}

#[tokio::test]
async fn a_key_that_redis_refuses_holds_up_its_own_queue_and_no_other() {
    let redis = OwnRedis::start().await;
    let app = on(&redis).await;
    let others = ["vendor", "results", "credit", "mail", "events", "upkeep"].map(|queue| format!("~vouch:queue:{queue}"));
    let mut words = vec!["ACL", "SETUSER", "default", "resetkeys"];
    words.extend(others.iter().map(String::as_str));
    redis.tell::<()>(&words).await;
    submit_all(&app).await;
    wait_for("the mails, whose queue is well", async || {
        let mails = "SELECT count(*) FROM job_runs WHERE kind = 'send_email' AND outcome = 'done'";
        (app.count(mails).await == LEARNERS).then_some(())
    })
    .await;
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE kind = 'prepare_photos'").await, LEARNERS);
    redis.tell::<()>(&["ACL", "SETUSER", "default", "allkeys"]).await;
    all_is_well(app).await;
}

#[tokio::test]
async fn jobs_that_a_full_redis_refuses_keep_their_place_and_so_their_age() {
    let redis = OwnRedis::start().await;
    let app = on(&redis).await;
    redis.tell::<()>(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await;
    redis.tell::<()>(&["CONFIG", "SET", "maxmemory", "1"]).await;
    app.sql("INSERT INTO jobs (queue, kind, args, due_at) VALUES ('mail', 'send_pigeon', '{}', now() - interval '1 hour')").await;
    submit_all(&app).await;
    wait_for("it to be refused again and again", async || {
        (app.count("SELECT count(*) FROM jobs WHERE kind = 'send_pigeon' AND generation >= 3").await == 1).then_some(())
    })
    .await;
    let old = "SELECT count(*) FROM jobs WHERE kind = 'send_pigeon' AND ready_at < now() - interval '50 minutes'";
    assert_eq!(app.count(old).await, 1);
    app.sql("DELETE FROM jobs WHERE kind = 'send_pigeon'").await;
    redis.tell::<()>(&["CONFIG", "SET", "maxmemory", "0"]).await;
    all_is_well(app).await;
}

#[tokio::test]
async fn clients_that_are_cut_off_again_and_again_come_back_and_lose_nothing() {
    let redis = OwnRedis::start().await;
    let app = on(&redis).await;
    submit_all(&app).await;
    for _ in 0..10 {
        wait_for("clients to be there", async || {
            let normal: i64 = redis.tell(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
            let listening: i64 = redis.tell(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
            (normal + listening > 0).then_some(())
        })
        .await;
    }
    all_is_well(app).await;
}

#[tokio::test]
async fn what_is_no_ticket_is_dropped_and_the_next_is_taken() {
    let redis = OwnRedis::start().await;
    let app = on(&redis).await;
    let long = "7".repeat(100_000);
    for queue in ["photos", "vendor", "results", "mail"] {
        let list = format!("vouch:queue:{queue}");
        for garbage in
            ["", ":", "::", "a:b:c", "1", "1:1", "-1:-1:k", "9223372036854775808:1:k", "1:1:send_email", "\u{0}", &long]
        {
            redis.tell::<i64>(&["RPUSH", &list, garbage]).await;
        }
    }
    submit_all(&app).await;
    wait_for("the lists to be empty", async || (redis.tell::<i64>(&["DBSIZE"]).await == 0).then_some(())).await;
    all_is_well(app).await;
}

#[tokio::test]
async fn a_list_that_is_no_list_holds_work_up_until_it_is_removed_and_loses_nothing() {
    let redis = OwnRedis::start().await;
    let app = on(&redis).await;
    redis.tell::<()>(&["SET", "vouch:queue:photos", "not a list"]).await;
    submit_all(&app).await;
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE kind = 'prepare_photos'").await, LEARNERS);
    redis.tell::<i64>(&["DEL", "vouch:queue:photos"]).await;
    all_is_well(app).await;
}

#[tokio::test]
async fn a_redis_that_dies_and_comes_back_empty_costs_time_and_nothing_else() {
    let mut redis = OwnRedis::start().await;
    let app = on(&redis).await;
    submit_all(&app).await;
    redis.restart_empty().await;
    wait_for("some to be approved", async || {
        app.sql("UPDATE jobs SET due_at = now() WHERE phase = 'dispatched' AND due_at < now() + interval '28 seconds'").await;
        (app.count(SETTLED).await >= 2).then_some(())
    })
    .await;
    redis.restart_empty().await;
    all_is_well(app).await;
}

#[tokio::test]
async fn a_worker_stops_while_redis_is_away() {
    let mut redis = OwnRedis::start().await;
    let mut app = on(&redis).await;
    submit_all(&app).await;
    redis.stop();
    app.stop_worker().await;
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE phase = 'running'").await, 0, "what it held is given back");
}
