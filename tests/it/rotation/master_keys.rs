//! A new master key, from the first photo that it seals to the day on which the old one goes.

use std::process::Stdio;

use reqwest::Method;
use serde_json::json;
use vouch_common::domain::effect::Queue;
use vouch_tests::{TestApp, samples, wait_for};

use super::{keys, open_all, plant, rewrap, set, status};
use crate::{cli::run, processes};

#[tokio::test]
async fn when_all_is_sealed_anew_the_old_key_is_free_and_without_it_everything_opens() {
    let mut app = TestApp::without_worker().await;
    let mut receipts = Vec::new();
    for user in 1..=3 {
        receipts.push(plant(&app, user).await);
    }
    assert_eq!(status(&app, &["m1"]).await, ["m1 newest 3 3"]);
    assert_eq!(status(&app, &["m2", "m1"]).await, ["m2 newest 0 0", "m1 needed 3 3"]);
    let ended = rewrap(&app, &["m2", "m1"]).await;
    assert!(ended.err.contains("6 of 6 sealed anew"), "{}", ended.err);
    assert_eq!(ended.done(), "3 uploads and 3 callbacks are sealed under m2 now.\n");
    assert_eq!(status(&app, &["m2", "m1"]).await, ["m2 newest 3 3", "m1 free 0 0"]);
    assert_eq!(status(&app, &["m2"]).await, ["m2 newest 3 3"]);
    assert_eq!(open_all(&app, &["m2"], "m2").await, 9);
    set(&mut app, "VOUCH_MASTER_KEYS", &super::list(&["m2"]));
    app.start_worker(&[Queue::Photos, Queue::Upkeep]);
    for receipt in &receipts {
        app.wait_for_status(receipt, "ready").await;
    }
    app.stop_worker().await;
}

#[tokio::test]
async fn done_again_it_does_nothing_more_and_the_audit_tells_who_began_it_and_why() {
    let app = TestApp::without_worker().await;
    plant(&app, 1).await;
    keys(&app, &["m2", "m1"], &["rewrap"]).await.refused(2, "--reason");
    rewrap(&app, &["m2", "m1"]).await.done();
    let sealed = "SELECT sum(hashtext(body_sealed::text))::bigint FROM vendor_callbacks";
    let before = app.count(sealed).await;
    assert_eq!(rewrap(&app, &["m2", "m1"]).await.done(), "Nothing to do: everything is sealed under m2.\n");
    assert_eq!(app.count(sealed).await, before);
    let audit = app.get("audit?action=keys.rewrap").await;
    assert_eq!(audit["items"].as_array().unwrap().len(), 1, "{audit}");
    let act = &audit["items"][0];
    assert_eq!((&act["actor"], &act["target"], &act["reason"]), (&json!("vouch"), &json!("m2"), &json!("a new key each year")));
}

#[tokio::test]
async fn two_who_seal_anew_at_once_do_it_once() {
    let app = TestApp::without_worker().await;
    for user in 1..=8 {
        plant(&app, user).await;
    }
    let (one, other) = tokio::join!(rewrap(&app, &["m2", "m1"]), rewrap(&app, &["m2", "m1"]));
    one.done();
    other.done();
    assert_eq!(status(&app, &["m2", "m1"]).await, ["m2 newest 8 8", "m1 free 0 0"]);
    assert_eq!(open_all(&app, &["m2"], "m2").await, 24);
}

#[tokio::test]
async fn what_an_older_release_stored_without_a_note_is_looked_at_before_any_key_is_free() {
    let app = TestApp::without_worker().await;
    plant(&app, 1).await;
    app.sql("UPDATE attempts SET upload_master_key = NULL").await;
    assert_eq!(status(&app, &["m2", "m1"]).await, ["m2 newest 0 0", "m1 needed 0 1", "? not noted 1 0"]);
    rewrap(&app, &["m2", "m1"]).await.done();
    assert_eq!(status(&app, &["m2", "m1"]).await, ["m2 newest 1 1", "m1 free 0 0"]);
    assert_eq!(open_all(&app, &["m2"], "m2").await, 3);
}

#[tokio::test]
async fn a_key_that_is_missed_is_named_at_start_and_by_status_its_jobs_die_and_go_on_when_it_is_back() {
    let mut app = TestApp::without_worker().await;
    let receipt = plant(&app, 1).await;
    set(&mut app, "VOUCH_MASTER_KEYS", &super::list(&["m2"]));
    assert_eq!(status(&app, &["m2"]).await, ["m2 newest 0 0", "m1 missing 1 1"]);
    rewrap(&app, &["m2"]).await.refused(6, "2 are sealed under keys that are not on the list");
    for (name, words) in [("vouch-worker", &["--queues", "mail"][..]), ("vouch-api", &[])] {
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut command = processes::program(name);
        command.args(words).envs(app.settings.iter().cloned()).env("VOUCH_LISTEN", "127.0.0.1:0");
        let mut running = command.stdout(Stdio::null()).stderr(log.reopen().unwrap()).spawn().unwrap();
        wait_for("the missing key to be told", async || {
            let text = std::fs::read_to_string(log.path()).unwrap();
            let told: Vec<&str> = text.lines().filter(|line| line.contains("can't be opened: put it back")).collect();
            let names = |kind: &str| told.iter().any(|line| line.contains(kind) && line.contains("m1"));
            (names("uploads") && names("callbacks")).then_some(())
        })
        .await;
        running.kill().unwrap();
        running.wait().unwrap();
    }
    app.sql("UPDATE jobs SET due_at = now() WHERE dead_at IS NULL").await;
    app.start_worker(&[Queue::Photos]);
    wait_for("the job to die", async || {
        (app.count("SELECT count(*) FROM jobs WHERE error_class = 'cannot_open' AND dead_at IS NOT NULL").await == 1)
            .then_some(())
    })
    .await;
    app.stop_worker().await;
    rewrap(&app, &["m2", "m1"]).await.done();
    let job = app.count("SELECT id FROM jobs WHERE error_class = 'cannot_open'").await;
    let why = json!({ "reason": "the old master key is back" });
    assert!(app.api(Method::POST, &format!("jobs/{job}/retry")).json(&why).send().await.unwrap().status().is_success());
    app.start_worker(&[Queue::Photos]);
    app.wait_for_status(&receipt, "ready").await;
    app.stop_worker().await;
}

#[tokio::test]
async fn what_can_not_be_opened_and_what_is_not_there_is_told_and_holds_up_nothing_else() {
    let app = TestApp::without_worker().await;
    let [torn, lost, whole] = [plant(&app, 1).await, plant(&app, 2).await, plant(&app, 3).await];
    let face = app.folder.path().join(samples::stored("uploads", &torn, "face"));
    let mut bytes = std::fs::read(&face).unwrap();
    bytes[30] ^= 1;
    std::fs::write(&face, bytes).unwrap();
    std::fs::remove_file(app.folder.path().join(samples::stored("uploads", &lost, "photo_id"))).unwrap();
    rewrap(&app, &["m2", "m1"]).await.refused(6, "4 are sealed anew; 2 are left: 1 can't be opened, 1 are not in the store");
    assert_eq!(status(&app, &["m2", "m1"]).await, ["m2 newest 1 3", "m1 needed 2 0"]);
    let noted = format!("SELECT count(*) FROM attempts WHERE receipt_id = '{whole}' AND upload_master_key = 'm2'");
    assert_eq!(app.count(&noted).await, 1);
}

#[tokio::test]
async fn a_callback_of_a_receipt_that_is_kept_in_part_only_is_sealed_anew_like_any_other() {
    let app = TestApp::without_worker().await;
    for receipt in ["a\u{0}".to_owned(), "é".repeat(200)] {
        let verdict = json!({ "EdX-ID": receipt, "Result": "PASS", "Reason": "", "MessageType": "" });
        assert_eq!(app.callback(&verdict).send().await.0, 400);
    }
    rewrap(&app, &["m2", "m1"]).await.done();
    assert_eq!(status(&app, &["m2", "m1"]).await, ["m2 newest 0 2", "m1 free 0 0"]);
}

#[tokio::test]
async fn without_its_settings_or_its_database_it_says_so_and_repeats_no_key() {
    let app = TestApp::without_worker().await;
    let mut command = crate::cli::program();
    command.env("DATABASE_URL", super::setting(&app, "DATABASE_URL")).env("VOUCH_MASTER_KEYS", "m1:aHVzaA==");
    let ended = run(command, &["keys", "status"]).await;
    assert!(!ended.err.contains("aHVzaA"), "{}", ended.err);
    ended.refused(1, "VOUCH_STORAGE_URL is missing");
    super::keys_at(&app, "postgres://vouch@127.0.0.1:1/none", &["m1"], &["status"]).await.refused(1, "can't be counted");
}
