//! Bulk retries and brakes from the terminal: started, watched, cancelled.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use vouch_cli::simulator::Script;
use vouch_tests::{API_KEY, TestApp};

use super::{WHY, act, dead_attempt, refusing, vouch, with_key};

#[tokio::test]
async fn a_bulk_retry_is_looked_at_started_watched_and_shown() {
    let app = refusing().await;
    let mut receipts = Vec::new();
    for user in 1..=3 {
        receipts.push(dead_attempt(&app, user).await);
    }
    app.vendor.set_script(Script::default()).unwrap();
    let filter = ["retries", "start", "--state", "dead", "--http-status", "400"];
    let dry = vouch(&app, &[&filter[..], &["--dry-run"]].concat()).await.done();
    assert!(dry.starts_with("3 would be retried at 50 a second") && dry.contains("vendor_refused"), "{dry}");
    act(&app, &filter).await.refused(3, "--yes");
    act(&app, &["retries", "start", "--http-status", "599", "--yes"]).await.refused(3, "");
    assert_eq!(app.count("SELECT count(*) FROM retries").await, 0);

    let ended = act(&app, &[&filter[..], &["--yes", "--watch", "--rate", "10"]].concat()).await.done();
    assert!(ended.lines().last().unwrap().starts_with("done\t3 of 3 (100 %), 3 retried"), "{ended}");
    for receipt in &receipts {
        app.wait_for_status(receipt, "approved").await;
    }
    let list = vouch(&app, &["retries", "list"]).await.rows();
    assert_eq!((list.len(), list[0][1].as_str()), (1, "done"));
    let id = list[0][0].as_str();
    assert_eq!(vouch(&app, &["retries", "show", id, "--json"]).await.json()["retried"], 3);
    assert!(vouch(&app, &["retries", "show", id]).await.done().contains(WHY[1]));
    assert!(vouch(&app, &["retries", "show", id, "--watch"]).await.done().starts_with("done\t"));
    act(&app, &["retries", "cancel", id]).await.refused(3, "");
    vouch(&app, &["retries", "show", "00000000-0000-4000-8000-000000000000"]).await.refused(4, "");
    app.finish().await;
}

#[tokio::test]
async fn a_bulk_retry_that_is_cancelled_ends_its_watch_with_6() {
    let mut app = refusing().await;
    for user in 1..=3 {
        dead_attempt(&app, user).await;
    }
    app.stop_worker().await;
    let file = app.folder.path().join("receipts");
    let receipts: Vec<String> = vouch(&app, &["attempts", "list"]).await.rows().into_iter().map(|row| row[0].clone()).collect();
    std::fs::write(&file, receipts.join("\n")).unwrap();
    let started =
        act(&app, &["retries", "start", "--receipts-file", file.to_str().unwrap(), "--rate", "1", "--yes", "--json"]).await;
    let id = started.json()["id"].as_str().unwrap().to_owned();
    let words = ["retries", "show", id.as_str(), "--watch"];
    let mut watching = with_key(&app, API_KEY).args(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    assert!(lines.next_line().await.unwrap().unwrap().starts_with("running\t"));
    assert!(act(&app, &["retries", "cancel", &id]).await.done().contains("cancelled"));
    while lines.next_line().await.unwrap().is_some() {}
    assert_eq!(watching.wait().await.unwrap().code(), Some(6));
}

#[tokio::test]
async fn queues_are_paused_limited_and_resumed_and_breakers_are_forced() {
    let app = TestApp::start().await;
    let rows = vouch(&app, &["queues", "list"]).await.rows();
    assert_eq!(rows.len(), 7);
    assert!(rows.iter().all(|row| row[1] == "running"), "{rows:?}");
    let state = async |words: &[&str]| act(&app, words).await.rows()[0][1].clone();
    assert_eq!(state(&["queues", "pause", "mail"]).await, "paused");
    assert_eq!(state(&["queues", "pause", "mail"]).await, "paused");
    assert_eq!(state(&["queues", "resume", "mail"]).await, "running");
    assert_eq!(state(&["queues", "limit", "mail", "2.5"]).await, "limited");
    assert_eq!(state(&["queues", "limit", "mail", "none"]).await, "running");
    let breaker = vouch(&app, &["queues", "breakers"]).await.rows()[0].clone();
    let vendor = breaker[0].as_str();
    let forced = act(&app, &["queues", "breaker", vendor, "open", "--json"]).await.json();
    assert_eq!(forced["forced"], "open");
    assert_eq!(act(&app, &["queues", "breaker", vendor, "auto", "--json"]).await.json()["forced"], Value::Null);
    act(&app, &["queues", "breaker", "nobody", "open"]).await.refused(4, "");
    let told = vouch(&app, &["audit", "--all", "--limit", "2", "--actor", "bootstrap"]).await.rows();
    let actions: Vec<_> = told.iter().rev().map(|row| row[2].as_str()).collect();
    assert_eq!(actions, ["queue.pause", "queue.resume", "queue.limit", "queue.limit", "breaker.force", "breaker.force"]);
}

#[tokio::test]
async fn a_watch_in_a_pipe_tells_the_lines_that_changed() {
    let app = TestApp::without_worker().await;
    let words = ["queues", "list", "--watch"];
    let mut watching = with_key(&app, API_KEY).args(words).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    for _ in 0..7 {
        lines.next_line().await.unwrap().unwrap();
    }
    act(&app, &["queues", "pause", "mail"]).await.done();
    assert!(lines.next_line().await.unwrap().unwrap().starts_with("mail\tpaused\t"));
    watching.kill().await.unwrap();
}
