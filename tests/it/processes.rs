//! The programs themselves, as operators run them: how they start, refuse to start, and survive.

use std::{cell::RefCell, path::PathBuf, process::Command, time::Duration};

use serde_json::json;
use vouch_cli::simulator::Script;
use vouch_tests::{TestApp, Wishes, samples, wait_for};

/// A program that was built beside this test.
pub(crate) fn program(name: &str) -> Command {
    let here = std::env::current_exe().unwrap();
    let folder: PathBuf = here.parent().unwrap().parent().unwrap().into();
    let path = folder.join(name);
    assert!(path.exists(), "{} is not built: run scripts/test", path.display());
    let mut command = Command::new(path);
    command.env_clear().env("RUST_LOG", "info");
    command
}

#[test]
fn a_program_without_settings_names_everything_that_is_missing_and_stops() {
    for (name, settings) in [
        ("vouch-api", ["DATABASE_URL", "VOUCH_MASTER_KEYS", "VOUCH_JWT_SECRET"]),
        ("vouch-worker", ["REDIS_URL", "VOUCH_VENDOR_URL", "VOUCH_SMTP_URL"]),
    ] {
        let output = program(name).env("VOUCH_MASTER_KEYS", "").output().unwrap();
        assert!(!output.status.success());
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(settings.iter().all(|setting| text.contains(setting)), "{text}");
    }
}

#[test]
fn a_wrong_setting_is_named_and_never_repeated() {
    let output = program("vouch-api").env("VOUCH_MASTER_KEYS", "hush:hush").env("DATABASE_URL", "hush://hush").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("VOUCH_MASTER_KEYS is not right") && text.contains("DATABASE_URL is not right"), "{text}");
    assert!(!text.contains("hush"), "{text}");
}

#[test]
fn help_explains_every_setting() {
    let text = String::from_utf8(program("vouch-worker").arg("--help").output().unwrap().stdout).unwrap();
    for setting in
        vouch_common::config::CATALOGUE.iter().filter(|setting| setting.programs.contains(&vouch_common::config::Program::Worker))
    {
        assert!(text.contains(setting.name), "{}", setting.name);
    }
}

#[tokio::test]
async fn workers_killed_again_and_again_lose_nothing_and_decide_once() {
    let app = TestApp::without_worker().await;
    let mut receipts = Vec::new();
    for user in 1..=12 {
        receipts.push(app.submit(user, "Sofia Marek", json!({ "face_image": samples::good("face-1920.jpg") })).await);
    }
    let start = || program("vouch-worker").envs(app.settings.iter().cloned()).spawn().unwrap();
    let mut worker = start();
    for round in 1..=4_i64 {
        wait_for("some progress", async || {
            let sql = "SELECT count(*) FROM attempt_events WHERE kind <> 'received'";
            (app.count(sql).await >= round * 6).then_some(())
        })
        .await;
        worker.kill().unwrap();
        worker.wait().unwrap();
        // Leases of the dead run out; the test makes that at once, and forgives the deliveries it caused.
        app.sql("UPDATE jobs SET due_at = now(), deliveries = 0 WHERE phase <> 'waiting'").await;
        worker = start();
    }
    for receipt in &receipts {
        app.wait_for_status(receipt, "approved").await;
    }
    app.wait_until_idle().await;
    assert_eq!(app.count("SELECT count(*) FROM attempt_events WHERE to_status IN ('ready', 'submitted', 'approved')").await, 36);
    let mut ids: Vec<_> = app.mail.mails().into_iter().map(|mail| mail.message_id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 24, "a mail may be sent twice around a kill, but always with one Message-ID");
    let terminated = Command::new("kill").args(["-TERM", &worker.id().to_string()]).status().unwrap();
    assert!(terminated.success());
    let stopped = tokio::time::timeout(Duration::from_secs(35), tokio::task::spawn_blocking(move || worker.wait())).await;
    assert!(stopped.unwrap().unwrap().unwrap().success(), "SIGTERM: exit 0");
}

#[tokio::test]
async fn a_worker_that_is_told_twice_gives_back_what_runs_and_ends() {
    let script = Script::parse(br#"{"answer": {"fault": {"kind": "hang"}}}"#).unwrap();
    let app = TestApp::start_with(Wishes { script, is_without_worker: true, ..Wishes::default() }).await;
    app.submit(7, "Sofia Marek", json!({})).await;
    let worker = program("vouch-worker").args(["--grace", "3600"]).envs(app.settings.iter().cloned()).spawn().unwrap();
    let worker = RefCell::new(worker);
    wait_for("the vendor to be asked", async || {
        (app.count("SELECT count(*) FROM jobs WHERE kind = 'submit_to_vendor' AND phase = 'running'").await == 1).then_some(())
    })
    .await;
    let ended = wait_for("it to end", async || {
        // Signals that come too close to each other are one.
        Command::new("kill").args(["-TERM", &worker.borrow().id().to_string()]).status().unwrap();
        worker.borrow_mut().try_wait().unwrap()
    })
    .await;
    assert!(ended.success());
    let given_back = "SELECT count(*) FROM jobs
        WHERE kind = 'submit_to_vendor' AND phase = 'waiting' AND due_at <= now() AND deliveries = 0 AND failures = 0";
    assert_eq!(app.count(given_back).await, 1);
}
