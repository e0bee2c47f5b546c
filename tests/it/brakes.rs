//! Brakes on real servers: pause, resume, limit, and the breaker of the vendor. Time is moved in the database.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use vouch_cli::simulator::{Kind, Script};
use vouch_common::{
    domain::effect::Queue,
    operations::{
        api_keys, hand_out_jobs,
        record_answer::{self, Answers},
        settle_job::{self, Outage},
    },
    store::{
        Db,
        jobs::{ClaimedJob, Failure, Lease, Ticket},
    },
};
use vouch_tests::{TestApp, Wishes, wait_for};

const WINDOW: Duration = Duration::from_secs(60);
const AT_FAULT: &str = r#"{"answer": {"fault": {"kind": "status", "status": 500}}}"#;

async fn call(app: &TestApp, method: Method, path: &str, body: Value) -> (u16, Value) {
    let answer = app.api(method, path).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// A call that must succeed.
async fn tell(app: &TestApp, method: Method, path: &str, body: Value) -> Value {
    let (status, answer) = call(app, method, path, body).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

async fn queue(app: &TestApp, name: &str) -> Value {
    let queues = app.get("queues").await;
    queues["items"].as_array().unwrap().iter().find(|queue| queue["name"] == name).unwrap().clone()
}

async fn breaker(app: &TestApp) -> Value {
    app.get("queues").await["breakers"][0].clone()
}

async fn wait_for_breaker(app: &TestApp, state: &str) {
    wait_for(&format!("the breaker to be {state}"), async || (breaker(app).await["state"] == state).then_some(())).await;
}

async fn hand_out(db: &Db, queue: Queue, limit: i64) -> Vec<Ticket> {
    hand_out_jobs::hand_out(db, queue, limit).await.unwrap().tickets
}

/// What so many relays, all at once, hand out.
async fn hand_out_at_once(app: &TestApp, queue: Queue, relays: usize) -> Vec<Ticket> {
    let services: Vec<_> = (0..relays).map(|_| app.services()).collect();
    join_all(services.iter().map(|relay| hand_out(relay.db(), queue, 500))).await.into_iter().flatten().collect()
}

async fn claim(db: &Db, queue: Queue, tickets: &[Ticket]) -> Vec<ClaimedJob> {
    let leases: Vec<_> = tickets.iter().map(|ticket| Lease { job: ticket.id, generation: ticket.generation }).collect();
    hand_out_jobs::claim(db, queue, &leases, WINDOW).await.unwrap()
}

async fn insert_jobs(app: &TestApp, queue: &str, jobs: i64) {
    app.sql(&format!(
        "INSERT INTO jobs (queue, kind, args, due_at) SELECT '{queue}', 'track_event', '{{}}', now() - interval '1 minute' FROM generate_series(1, {jobs})"
    ))
    .await;
}

fn submissions(app: &TestApp) -> usize {
    app.vendor.journal().entries().iter().filter(|entry| entry.event.kind == Kind::Submission).count()
}

async fn with_script(script: &str) -> TestApp {
    let script = Script::parse(script.as_bytes()).unwrap();
    TestApp::start_with(Wishes { script, is_without_worker: true, ..Wishes::default() }).await
}

async fn submit(app: &TestApp, learners: std::ops::Range<i64>) -> Vec<String> {
    let mut receipts = Vec::new();
    for user in learners {
        receipts.push(app.submit(user, "Sofia Marek", json!({})).await);
    }
    receipts
}

#[tokio::test]
async fn a_paused_queue_stands_still_and_goes_on_when_it_is_resumed_with_nothing_lost() {
    let app = TestApp::start().await;
    let reason = json!({ "reason": "the vendor asked us to" });
    let paused = tell(&app, Method::POST, "queues/vendor/pause", reason.clone()).await;
    assert_eq!((&paused["state"], &paused["paused_by"]), (&json!("paused"), &json!("bootstrap")));
    assert_eq!(paused["reason"], "the vendor asked us to");
    let receipts = submit(&app, 1..4).await;
    for receipt in &receipts {
        app.wait_for_status(receipt, "ready").await;
    }
    let services = app.services();
    assert!(!hand_out_jobs::find_due(services.db(), &Queue::ALL).await.unwrap().contains(&Queue::Vendor));
    assert!(hand_out(services.db(), Queue::Vendor, 10).await.is_empty());
    let standing = queue(&app, "vendor").await;
    assert_eq!((&standing["due"], &standing["waiting"], &standing["running"]), (&json!(3), &json!(3), &json!(0)));
    assert_eq!(submissions(&app), 0);
    let again = tell(&app, Method::POST, "queues/vendor/pause", json!({ "reason": "pressed twice" })).await;
    assert_eq!((&again["reason"], &again["paused_at"]), (&json!("the vendor asked us to"), &paused["paused_at"]));
    let resumed = tell(&app, Method::POST, "queues/vendor/resume", json!({ "reason": "it is well" })).await;
    assert_eq!((&resumed["state"], &resumed["paused_at"]), (&json!("running"), &Value::Null));
    tell(&app, Method::POST, "queues/vendor/resume", reason).await;
    for receipt in &receipts {
        app.wait_for_status(receipt, "approved").await;
    }
    assert_eq!(app.count("SELECT count(*) FROM operator_actions WHERE target = 'vendor'").await, 2);
    app.finish().await;
}

#[tokio::test]
async fn what_was_handed_out_before_the_pause_is_refused_and_what_runs_may_end() {
    let app = TestApp::without_worker().await;
    insert_jobs(&app, "events", 2).await;
    let services = app.services();
    let db = services.db();
    let tickets = hand_out(db, Queue::Events, 10).await;
    let runs = claim(db, Queue::Events, &tickets[..1]).await;
    tell(&app, Method::POST, "queues/events/pause", json!({ "reason": "look into it" })).await;
    assert!(claim(db, Queue::Events, &tickets[1..]).await.is_empty());
    let refused = "phase = 'waiting' AND deliveries = 0 AND due_at = ready_at AND due_at < now() - interval '50 seconds'";
    assert_eq!(app.count(&format!("SELECT count(*) FROM jobs WHERE {refused}")).await, 1, "due again, in its old place");
    settle_job::finish(db, runs[0].lease).await.unwrap();
    tell(&app, Method::POST, "queues/events/resume", json!({ "reason": "looked into it" })).await;
    let tickets = hand_out(db, Queue::Events, 10).await;
    assert_eq!(claim(db, Queue::Events, &tickets).await.len(), 1);
}

#[tokio::test]
async fn a_limit_holds_over_any_number_of_relays() {
    let app = TestApp::without_worker().await;
    insert_jobs(&app, "events", 100).await;
    let limited = tell(&app, Method::PUT, "queues/events/limit", json!({ "rate": 7, "reason": "be gentle" })).await;
    assert_eq!((&limited["state"], &limited["limit"], &limited["reason"]), (&json!("limited"), &json!(7.0), &json!("be gentle")));
    // A bucket that is filled in an hour from now does not fill meanwhile.
    app.sql("UPDATE queue_controls SET tokens = 5.9, filled_at = now() + interval '1 hour'").await;
    assert_eq!(hand_out_at_once(&app, Queue::Events, 6).await.len(), 5);
    let services = app.services();
    assert!(hand_out_jobs::find_due(services.db(), &Queue::ALL).await.unwrap().is_empty(), "relays don't spin");
    // After any time there is no more than one second's worth.
    app.sql("UPDATE queue_controls SET tokens = 0, filled_at = now() - interval '1 hour'").await;
    assert_eq!(hand_out(services.db(), Queue::Events, 500).await.len(), 7);
    // Another limit gives nothing again.
    app.sql("UPDATE queue_controls SET tokens = 0, filled_at = now() + interval '1 hour'").await;
    tell(&app, Method::PUT, "queues/events/limit", json!({ "rate": 500, "reason": "be quick" })).await;
    assert_eq!(hand_out(services.db(), Queue::Events, 500).await.len(), 0);
    let free = tell(&app, Method::PUT, "queues/events/limit", json!({ "rate": null, "reason": "no need" })).await;
    assert_eq!((&free["state"], &free["limit"]), (&json!("running"), &Value::Null));
    assert_eq!(hand_out(services.db(), Queue::Events, 500).await.len(), 88);
}

#[tokio::test]
async fn what_makes_no_sense_or_lacks_a_reason_or_a_right_changes_nothing() {
    let app = TestApp::without_worker().await;
    let reason = "because";
    for rate in [json!(0), json!(-1), json!(-0.0), json!(1e9), json!("many")] {
        let (status, _) = call(&app, Method::PUT, "queues/vendor/limit", json!({ "rate": rate, "reason": reason })).await;
        assert_eq!(status, 400, "{rate}");
    }
    let (status, answer) = call(&app, Method::PUT, "queues/vendor/limit", json!({ "reason": reason })).await;
    assert_eq!(status, 400);
    assert!(answer["detail"].as_str().unwrap().starts_with("`rate` must be above 0"), "{answer}");
    for force in [json!({ "reason": reason }), json!({ "force": "ajar", "reason": reason })] {
        let (status, answer) = call(&app, Method::PUT, "breakers/software-secure", force).await;
        assert_eq!((status, answer["detail"].as_str().unwrap().starts_with("`force` must be")), (400, true));
    }
    for path in ["queues/vendor/pause", "queues/vendor/resume"] {
        for body in [json!({}), json!({ "reason": " " })] {
            let (status, answer) = call(&app, Method::POST, path, body).await;
            assert_eq!((status, answer["detail"].as_str().unwrap().starts_with("Say why")), (400, true));
        }
    }
    let (status, answer) = call(&app, Method::POST, "queues/pigeons/pause", json!({ "reason": reason })).await;
    assert_eq!(
        (status, answer["detail"].as_str().unwrap().ends_with("photos, vendor, results, credit, mail, events, upkeep.")),
        (404, true)
    );
    let (status, answer) = call(&app, Method::PUT, "breakers/acme", json!({ "force": null, "reason": reason })).await;
    assert_eq!((status, answer["detail"].as_str().unwrap().ends_with("Known: software-secure.")), (404, true));
    let scopes = ["attempts:read".to_owned()];
    let viewer = api_keys::create(app.services().db(), "viewer", &scopes, None, app.now()).await.unwrap();
    let viewer = String::from_utf8(viewer.expose().to_vec()).unwrap();
    let path = |path: &str| format!("{}/api/v1/{path}", app.url);
    let looks = app.client.get(path("queues")).bearer_auth(&viewer).send().await.unwrap();
    let acts = app.client.post(path("queues/vendor/pause")).bearer_auth(&viewer).json(&json!({ "reason": reason })).send();
    assert_eq!((looks.status(), acts.await.unwrap().status()), (reqwest::StatusCode::OK, reqwest::StatusCode::FORBIDDEN));
    assert_eq!(app.count("SELECT count(*) FROM operator_actions").await, 0);
    assert_eq!(queue(&app, "vendor").await["state"], "running");
}

#[tokio::test]
async fn a_long_queue_is_estimated_and_a_short_one_and_the_dead_are_counted() {
    let app = TestApp::without_worker().await;
    insert_jobs(&app, "mail", 12_000).await;
    insert_jobs(&app, "events", 9).await;
    app.sql("UPDATE jobs SET dead_at = now() WHERE id IN (SELECT id FROM jobs WHERE queue = 'mail' LIMIT 3)").await;
    app.sql(
        "UPDATE jobs SET due_at = now() + interval '1 hour' WHERE id IN (SELECT id FROM jobs WHERE queue = 'events' LIMIT 2)",
    )
    .await;
    app.sql("ANALYZE jobs").await;
    let (long, short) = (queue(&app, "mail").await, queue(&app, "events").await);
    assert_eq!((&long["is_waiting_about"], &long["dead"]), (&json!(true), &json!(3)));
    assert!((11_000..13_000).contains(&long["waiting"].as_i64().unwrap()), "{long}");
    assert_eq!((&short["is_waiting_about"], &short["waiting"]), (&json!(false), &json!(9)));
    assert_eq!((&short["due"], &short["scheduled"], &short["dead"]), (&json!(7), &json!(2), &json!(0)));
    assert!((59.0..100.0).contains(&short["oldest_due_seconds"].as_f64().unwrap()), "{short}");
}

#[tokio::test]
async fn an_outage_opens_the_breaker_burns_no_tries_and_heals_by_itself() {
    let mut app = with_script(AT_FAULT).await;
    let receipts = submit(&app, 1..9).await;
    app.start_worker(&Queue::ALL);
    wait_for_breaker(&app, "open").await;
    for receipt in &receipts {
        wait_for("the photos to be ready", async || (app.attempt(receipt).await["status"] != "created").then_some(())).await;
    }
    assert_eq!(queue(&app, "vendor").await["state"], "broken");
    wait_for("what runs to end", async || (queue(&app, "vendor").await["running"] == 0).then_some(())).await;
    let burnt = "SELECT coalesce(sum(failures), 0) FROM jobs";
    assert_eq!((app.count(burnt).await, app.count("SELECT count(*) FROM jobs WHERE dead_at IS NOT NULL").await), (0, 0));
    // The first probe meets the outage; the breaker stays open for longer, and outlives its worker.
    let before = submissions(&app);
    app.sql("UPDATE jobs SET due_at = now()").await;
    app.sql("UPDATE breakers SET until = now()").await;
    wait_for("the probe to fail", async || (app.count("SELECT openings::bigint FROM breakers").await == 2).then_some(())).await;
    assert_eq!(submissions(&app), before + 1);
    assert_eq!(app.count("SELECT count(*) FROM breakers WHERE until > now() + interval '40 seconds'").await, 1);
    assert_eq!(app.count(burnt).await, 0);
    app.stop_worker().await;
    app.start_worker(&Queue::ALL);
    assert_eq!(breaker(&app).await["reason"], "the probe failed: vendor_busy");
    // The vendor is well again; the next probe finds out.
    app.vendor.set_script(Script::default()).unwrap();
    app.sql("UPDATE jobs SET due_at = now()").await;
    app.sql("UPDATE breakers SET until = now()").await;
    wait_for_breaker(&app, "recovering").await;
    assert_eq!(queue(&app, "vendor").await["state"], "limited");
    // Most of a minute later much may go at once.
    app.sql("UPDATE breakers SET since = since - interval '50 seconds'").await;
    for receipt in &receipts {
        app.wait_for_status(receipt, "approved").await;
    }
    app.sql("UPDATE breakers SET until = now()").await;
    let healed = breaker(&app).await;
    assert_eq!((&healed["state"], &healed["failures_in_row"], &healed["until"]), (&json!("closed"), &json!(0), &Value::Null));
    app.finish().await;
}

#[tokio::test]
async fn two_relays_send_one_probe_and_another_when_it_was_killed() {
    let app = TestApp::without_worker().await;
    insert_jobs(&app, "vendor", 10).await;
    let services = app.services();
    let db = services.db();
    let early = hand_out(db, Queue::Vendor, 1).await;
    app.sql("UPDATE breakers SET state = 'open', since = now(), until = now() + interval '30 seconds', openings = 1").await;
    assert!(claim(db, Queue::Vendor, &early).await.is_empty(), "what was handed out before is refused");
    assert!(hand_out_at_once(&app, Queue::Vendor, 4).await.is_empty());
    app.sql("UPDATE breakers SET until = now()").await;
    let probe = hand_out_at_once(&app, Queue::Vendor, 6).await;
    assert_eq!(probe.len(), 1);
    assert!(!hand_out_jobs::find_due(db, &Queue::ALL).await.unwrap().contains(&Queue::Vendor));
    assert_eq!(claim(db, Queue::Vendor, &probe).await.len(), 1);
    // It is never heard of again.
    app.sql("UPDATE breakers SET until = now()").await;
    let second = hand_out_at_once(&app, Queue::Vendor, 6).await;
    assert_eq!(second.len(), 1);
    let claimed = claim(db, Queue::Vendor, &second).await;
    let answers = Answers { calls: 1, began: claimed[0].claimed_at, must_be_told: false };
    record_answer::record(db, Queue::Vendor, answers).await.unwrap();
    // It recovers: an empty bucket at first, then five a second.
    app.sql("UPDATE breakers SET tokens = 5, filled_at = now() + interval '1 hour'").await;
    assert_eq!(hand_out_at_once(&app, Queue::Vendor, 6).await.len(), 5);
    assert!(!hand_out_jobs::find_due(db, &Queue::ALL).await.unwrap().contains(&Queue::Vendor));
}

#[tokio::test]
async fn a_vendor_that_refuses_lives() {
    let mut app = with_script(r#"{"answer": {"fault": {"kind": "status", "status": 400}}}"#).await;
    submit(&app, 1..7).await;
    app.start_worker(&Queue::ALL);
    wait_for("all to be dead", async || (queue(&app, "vendor").await["dead"] == 6).then_some(())).await;
    let breaker = breaker(&app).await;
    assert_eq!((&breaker["state"], &breaker["failures_in_row"]), (&json!("closed"), &json!(0)));
}

/// Works once on the `place`th job: the vendor answers 500.
async fn fail_once(app: &TestApp, place: i64, retry_after: Option<Duration>) -> settle_job::Settled {
    let services = app.services();
    let chosen = format!("(SELECT id FROM jobs ORDER BY id OFFSET {place} LIMIT 1)");
    app.sql(&format!(
        "UPDATE jobs SET due_at = now() + CASE WHEN id = {chosen} THEN interval '-1 minute' ELSE interval '1 hour' END"
    ))
    .await;
    let tickets = hand_out(services.db(), Queue::Vendor, 1).await;
    let job = claim(services.db(), Queue::Vendor, &tickets).await.remove(0);
    let (code, error) = ("500".to_owned(), "the vendor answered 500".to_owned());
    let failure = Failure { kind: "submit_to_vendor".to_owned(), class: "vendor_busy", code, error, retry_after };
    let outage = Outage { queue: Queue::Vendor, began: job.claimed_at, wait: Duration::ZERO };
    settle_job::fail(services.db(), job.lease, &failure, None, Some(&outage)).await.unwrap()
}

#[tokio::test]
async fn a_poison_job_uses_up_its_tries_while_others_succeed() {
    let app = TestApp::without_worker().await;
    insert_jobs(&app, "vendor", 1).await;
    let services = app.services();
    for left in (0..12).rev() {
        let settled = fail_once(&app, 0, (left > 0).then_some(Duration::ZERO)).await;
        assert!(settled.is_counted);
        // Others that are answered: what is not urgent is told with the next that is.
        for must_be_told in [false, true] {
            let answers = Answers { calls: 1, began: app.now(), must_be_told };
            record_answer::record(services.db(), Queue::Vendor, answers).await.unwrap();
        }
    }
    assert_eq!(app.count("SELECT count(*) FROM jobs WHERE failures = 12 AND dead_at IS NOT NULL").await, 1);
    assert_eq!(breaker(&app).await["state"], "closed");
}

#[tokio::test]
async fn what_opens_the_breaker_is_not_the_end_of_a_job_and_others_get_their_tries_back() {
    let app = TestApp::without_worker().await;
    insert_jobs(&app, "vendor", 4).await;
    app.sql("UPDATE jobs SET failures = 11 WHERE id = (SELECT max(id) FROM jobs)").await;
    for job in [0, 1, 1, 2] {
        assert!(fail_once(&app, job, Some(Duration::ZERO)).await.is_counted);
    }
    assert_eq!(app.count("SELECT sum(failures) FROM jobs").await, 11 + 4);
    let settled = fail_once(&app, 3, None).await;
    assert_eq!((settled.is_counted, settled.opened.as_deref()), (false, Some("5 outages in a row, the last: vendor_busy")));
    assert_eq!(app.count("SELECT sum(failures) FROM jobs WHERE dead_at IS NULL").await, 11);
    let waits = "failures = 11 AND due_at BETWEEN now() + interval '25 seconds' AND now() + interval '30 seconds'";
    assert_eq!(app.count(&format!("SELECT count(*) FROM jobs WHERE {waits}")).await, 1, "for the breaker");
}

#[tokio::test]
async fn an_operator_forces_a_breaker_and_lets_it_measure_again() {
    let app = TestApp::without_worker().await;
    insert_jobs(&app, "vendor", 20).await;
    let services = app.services();
    let db = services.db();
    let path = "breakers/software-secure";
    let open = tell(&app, Method::PUT, path, json!({ "force": "open", "reason": "they said so" })).await;
    assert_eq!((&open["state"], &open["forced"], &open["until"]), (&json!("open"), &json!("open"), &Value::Null));
    assert_eq!(open["reason"], "they said so");
    tell(&app, Method::PUT, path, json!({ "force": "open", "reason": "pressed twice" })).await;
    assert!(hand_out(db, Queue::Vendor, 10).await.is_empty());
    assert!(!hand_out_jobs::find_due(db, &Queue::ALL).await.unwrap().contains(&Queue::Vendor));
    let closed = tell(&app, Method::PUT, path, json!({ "force": "closed", "reason": "it must go" })).await;
    assert_eq!((&closed["state"], &closed["forced"]), (&json!("closed"), &json!("closed")));
    for _ in 0..8 {
        assert!(fail_once(&app, 0, Some(Duration::ZERO)).await.is_counted);
    }
    assert_eq!(breaker(&app).await["state"], "closed");
    let measured = tell(&app, Method::PUT, path, json!({ "force": null, "reason": "as usual" })).await;
    assert_eq!(
        (&measured["state"], &measured["forced"], &measured["failures_in_row"]),
        (&json!("closed"), &Value::Null, &json!(0))
    );
    tell(&app, Method::PUT, path, json!({ "force": "open", "reason": "again" })).await;
    tell(&app, Method::PUT, path, json!({ "force": null, "reason": "as usual" })).await;
    app.sql("UPDATE jobs SET due_at = now() - interval '1 minute'").await;
    assert_eq!(hand_out_at_once(&app, Queue::Vendor, 3).await.len(), 1, "one call tries first");
    assert_eq!(app.count("SELECT count(*) FROM operator_actions WHERE action = 'breaker.force'").await, 5);
}

#[tokio::test]
async fn a_recovery_that_takes_hours_or_weeks_stops_no_queue() {
    let app = TestApp::without_worker().await;
    insert_jobs(&app, "events", 1).await;
    let services = app.services();
    for ago in ["3 hours", "30 days"] {
        app.sql(&format!(
            "UPDATE breakers SET state = 'recovering', since = now() - interval '{ago}', until = now() + interval '1 minute'"
        ))
        .await;
        assert_eq!(hand_out_jobs::find_due(services.db(), &Queue::ALL).await.unwrap(), [Queue::Events], "{ago}");
    }
}
