//! `vouch` as operators type it: the real program against a whole Vouch.

mod keys;
mod retries_and_queues;

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::{io::AsyncReadExt, process::Command};
use vouch_cli::simulator::{AnswerScript, CallbackScript, Fault, Script};
use vouch_tests::{API_KEY, TestApp, Wishes};

const WHY: [&str; 2] = ["--reason", "the vendor is back"];

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!((self.code, self.err.contains("vouch:")), (0, false), "{} {}", self.out, self.err);
        self.out
    }

    /// It ended with this code, one line says why, and nothing panicked.
    #[track_caller]
    pub(crate) fn refused(self, code: i32, word: &str) {
        assert_eq!(self.code, code, "{} {}", self.out, self.err);
        assert!(self.err.contains(word) && !self.err.contains("panicked"), "{}", self.err);
    }

    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.done()).unwrap()
    }

    /// The fields of each line.
    #[track_caller]
    pub(crate) fn rows(self) -> Vec<Vec<String>> {
        let out = self.done();
        assert!(!out.contains('\u{1b}') && !out.contains('│'), "plain in a pipe: {out}");
        out.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    }
}

pub(crate) fn program() -> Command {
    let here = std::env::current_exe().unwrap();
    let path = here.parent().unwrap().parent().unwrap().join("vouch");
    assert!(path.exists(), "{} is not built: run scripts/test", path.display());
    let mut command = Command::new(path);
    command.env_clear().stdin(Stdio::null()).kill_on_drop(true);
    command
}

pub(crate) async fn run(mut command: Command, words: &[&str]) -> Ended {
    let output = command.args(words).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn with_key(app: &TestApp, key: &str) -> Command {
    let mut command = program();
    command.env("VOUCH_API_URL", &app.url).env("VOUCH_API_KEY", key);
    command
}

async fn vouch(app: &TestApp, words: &[&str]) -> Ended {
    run(with_key(app, API_KEY), words).await
}

/// Runs a command that needs a reason.
async fn act(app: &TestApp, words: &[&str]) -> Ended {
    vouch(app, &[words, &WHY].concat()).await
}

/// Makes a key with `vouch keys`.
async fn key(app: &TestApp, scope: &str) -> String {
    let mut command = program();
    command.envs(app.settings.iter().filter(|(name, _)| name == "DATABASE_URL").cloned());
    run(command, &["keys", "create", "--name", "somebody", "--scope", scope]).await.done().trim().to_owned()
}

/// A vendor that refuses all: each attempt stays with a dead job.
async fn refusing() -> TestApp {
    let fault = Some(Fault::Status { status: 400 });
    let script = Script { answer: AnswerScript { fault, ..AnswerScript::default() }, ..Script::default() };
    TestApp::start_with(Wishes { script, ..Wishes::default() }).await
}

async fn dead_attempt(app: &TestApp, user: i64) -> String {
    let receipt = app.submit(user, "Sofia Marek", json!({})).await;
    app.wait_for_status(&receipt, "must_retry").await;
    receipt
}

/// A vendor that takes all and stays silent.
async fn silent() -> TestApp {
    let callback = CallbackScript { copies: 0, ..CallbackScript::default() };
    TestApp::start_with(Wishes { script: Script { callback, ..Script::default() }, ..Wishes::default() }).await
}

async fn submitted_attempt(app: &TestApp, user: i64) -> String {
    let receipt = app.submit(user, "Sofia Marek", json!({})).await;
    app.wait_for_status(&receipt, "submitted").await;
    receipt
}

#[tokio::test]
async fn what_makes_no_sense_is_told_before_anything_is_called() {
    let wrong: [&[&str]; 18] = [
        &[],
        &["attempts", "retry", "r"],
        &["attempts", "retry", "--reason", "why"],
        &["attempts", "approve", "r", "--reason", " "],
        &["attempts", "deny", "r", "--reason", "why", "--learner-reason", "nothing"],
        &["attempts", "list", "--status", "lost"],
        &["attempts", "list", "--limit", "201"],
        &["attempts", "list", "--created-after", "yesterday"],
        &["attempts", "show", ".."],
        &["retries", "start", "--reason", "why"],
        &["retries", "start", "--state", "dead"],
        &["retries", "start", "--state", "dead", "--rate", "0", "--reason", "why"],
        &["queues", "pause", "nothing", "--reason", "why"],
        &["queues", "limit", "vendor", "0", "--reason", "why"],
        &["queues", "breaker", "v", "ajar", "--reason", "why"],
        &["jobs", "drop", "0", "--reason", "why"],
        &["errors", "--api-url", "nowhere"],
        &["audit", "--color", "red"],
    ];
    for words in wrong {
        let ended = run(program(), words).await;
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{words:?}: {}", ended.err);
    }
}

#[tokio::test]
async fn an_api_that_is_away_is_1_and_no_key_is_5() {
    let here = ["queues", "list", "--api-url", "http://127.0.0.1:1"];
    run(program(), &here).await.refused(5, "VOUCH_API_KEY");
    run(program(), &[&here[..], &["--api-key", "vk_x"]].concat()).await.refused(1, "can't be reached");
}

#[tokio::test]
async fn a_key_without_the_right_is_5_and_changes_nothing() {
    let app = refusing().await;
    let receipt = dead_attempt(&app, 7).await;
    run(with_key(&app, "vk_wrong"), &["attempts", "show", &receipt]).await.refused(5, "vouch keys list");
    let viewer = key(&app, "attempts:read").await;
    assert!(run(with_key(&app, &viewer), &["attempts", "show", &receipt]).await.done().contains(&receipt));
    for words in [
        &["attempts", "approve", receipt.as_str()][..],
        &["queues", "pause", "vendor"],
        &["retries", "start", "--state", "dead", "--yes"],
    ] {
        run(with_key(&app, &viewer), &[words, &WHY].concat()).await.refused(5, "");
    }
    assert_eq!(app.count("SELECT count(*) FROM operator_actions").await, 0);
    assert_eq!(app.attempt(&receipt).await["status"], "must_retry");
}

#[tokio::test]
async fn an_attempt_is_shown_as_a_timeline_and_as_the_apis_document() {
    let app = refusing().await;
    let receipt = dead_attempt(&app, 7).await;
    let text = vouch(&app, &["attempts", "show", &receipt]).await.done();
    for part in
        [&format!("Attempt {receipt}   must_retry"), "received", "✗ dead", "vendor_refused 400", "Why job", "Jobs left to do"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("Marek") && !text.contains('\u{1b}'), "{text}");
    let coloured = vouch(&app, &["attempts", "show", &receipt, "--color", "always"]).await.done();
    assert!(coloured.contains('\u{1b}'), "{coloured}");
    assert_eq!(vouch(&app, &["attempts", "show", &receipt, "--json"]).await.json(), app.attempt(&receipt).await);
    let unknown = "00000000-0000-4000-8000-000000000000";
    vouch(&app, &["attempts", "show", unknown]).await.refused(4, "no attempt");
}

#[tokio::test]
async fn lists_are_one_line_an_item_page_by_page_or_all() {
    let app = refusing().await;
    let mut receipts = Vec::new();
    for user in 1..=3 {
        receipts.insert(0, dead_attempt(&app, user).await);
    }
    let list = ["attempts", "list", "--status", "must_retry,submitted", "--error-class", "vendor_refused"];
    let rows = vouch(&app, &list).await.rows();
    assert_eq!(rows.iter().map(|row| row[0].clone()).collect::<Vec<_>>(), receipts);
    assert_eq!(rows[0][1..3], ["3", "must_retry"]);
    let first = vouch(&app, &[&list[..], &["--limit", "2"]].concat()).await;
    let cursor = first.err.trim().strip_prefix("more: --cursor ").unwrap().to_owned();
    assert_eq!(first.out.lines().count(), 2);
    let rest = vouch(&app, &[&list[..], &["--limit", "2", "--cursor", &cursor]].concat()).await.rows();
    assert_eq!(rest[0][0], receipts[2]);
    vouch(&app, &[&list[..], &["--cursor", "broken"]].concat()).await.refused(3, "cursor");

    let all = vouch(&app, &[&list[..], &["--all", "--limit", "1", "--json"]].concat()).await.done();
    let users: Vec<_> = all.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["user_id"].clone()).collect();
    assert_eq!(users, [3, 2, 1]);
    let page = vouch(&app, &["jobs", "dead", "--http-status", "400", "--json"]).await.json();
    assert_eq!(page["items"].as_array().unwrap().len(), 3);
    assert_eq!(vouch(&app, &["jobs", "list", "--state", "dead", "--user", "2"]).await.rows().len(), 1);
    assert_eq!(vouch(&app, &["jobs", "list", "--state", "running"]).await.rows().len(), 0);
    for groups in [&["errors"][..], &["jobs", "dead", "--groups", "--queue", "vendor"]] {
        let rows = vouch(&app, groups).await.rows();
        assert_eq!((rows.len(), rows[0][0].as_str(), rows[0][3].as_str()), (1, "3", "vendor_refused"));
    }
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_error() {
    let app = refusing().await;
    dead_attempt(&app, 1).await;
    for words in [&["attempts", "list", "--all"][..], &["man"], &["completions", "zsh"], &["--help"]] {
        let mut child = with_key(&app, API_KEY).args(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).await.unwrap();
        assert_eq!((child.wait().await.unwrap().code(), err.as_str()), (Some(0), ""), "{words:?}");
    }
}

#[tokio::test]
async fn a_dead_job_is_shown_retried_and_dropped() {
    let app = refusing().await;
    let receipt = dead_attempt(&app, 7).await;
    let id = vouch(&app, &["jobs", "dead", "--receipt", &receipt]).await.rows()[0][0].clone();
    let text = vouch(&app, &["jobs", "show", &id]).await.done();
    for part in ["submit_to_vendor (queue vendor)", "What went wrong", "vendor_refused 400", &receipt] {
        assert!(text.contains(part), "{part} in {text}");
    }
    vouch(&app, &["jobs", "show", "999999"]).await.refused(4, "job");
    act(&app, &["jobs", "drop", &id]).await.refused(3, "");
    app.vendor.set_script(Script::default()).unwrap();
    assert_eq!(act(&app, &["jobs", "retry", &id]).await.rows()[0][0], id);
    app.wait_for_status(&receipt, "approved").await;
    app.wait_until_idle().await;
    act(&app, &["jobs", "retry", &id]).await.refused(4, "");

    app.sql("INSERT INTO jobs (queue, kind, args, dead_at, error_class, last_error) VALUES ('mail', 'send_email', '{}', now(), 'mail_address', 'no')").await;
    let id = vouch(&app, &["jobs", "dead"]).await.rows()[0][0].clone();
    act(&app, &["jobs", "drop", &id, "999999"]).await.refused(6, "1 of 2 done, 1 failed");
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 0);
    let audit = vouch(&app, &["audit", "--target", &id, "--action", "job.drop"]).await.rows();
    assert_eq!((audit.len(), &audit[0][1..5]), (1, &["bootstrap", "job.drop", id.as_str(), WHY[1]].map(str::to_owned)[..]));
}

#[tokio::test]
async fn attempts_are_retried_and_what_can_not_be_is_named() {
    let app = refusing().await;
    let first = dead_attempt(&app, 1).await;
    let second = dead_attempt(&app, 2).await;
    app.vendor.set_script(Script::default()).unwrap();
    let unknown = "00000000-0000-4000-8000-000000000000";
    let ended = act(&app, &["attempts", "retry", &first, unknown, &second]).await;
    assert_eq!((ended.code, ended.out.lines().count()), (6, 2), "{}", ended.err);
    assert!(ended.err.contains(unknown) && ended.err.contains("2 of 3 done, 1 failed"), "{}", ended.err);
    for receipt in [&first, &second] {
        app.wait_for_status(receipt, "approved").await;
    }
    app.wait_until_idle().await;
    act(&app, &["attempts", "retry", &first]).await.refused(3, "");
    act(&app, &["attempts", "retry", unknown]).await.refused(4, "");
    act(&app, &["attempts", "retry", unknown, unknown]).await.refused(4, "0 of 2 done");
}

#[tokio::test]
async fn attempts_are_decided_and_the_learner_reads_the_reason_that_is_meant_for_them() {
    let app = silent().await;
    let (first, second) = (submitted_attempt(&app, 1).await, submitted_attempt(&app, 2).await);
    assert_eq!(act(&app, &["attempts", "approve", &first]).await.rows(), [[first.as_str(), "approved"]]);
    act(&app, &["attempts", "approve", &first]).await.refused(3, "approved");
    let reason = ["--learner-reason", r#"photoIdReasons:"Not provided""#];
    let denied = act(&app, &[&["attempts", "deny", &second, "--json"][..], &reason].concat()).await.json();
    assert_eq!(denied["status"], "denied");
    let attempt = app.attempt(&second).await;
    assert!(!attempt["reasons"][0].as_str().unwrap().contains(WHY[1]), "{attempt}");
    act(&app, &["attempts", "deny", &second, "--learner-reason", "photoIdReasons:Nonsense"]).await.refused(3, "");
    act(&app, &["attempts", "deny", "nothing"]).await.refused(4, "");
    app.finish().await;
}

#[tokio::test]
async fn learners_of_a_file_are_approved_and_who_is_passed_over_is_named() {
    let app = silent().await;
    let receipts = [submitted_attempt(&app, 1).await, submitted_attempt(&app, 2).await];
    let file = app.folder.path().join("users");
    let expired = submitted_attempt(&app, 3).await;
    app.sql("UPDATE attempts SET created_at = created_at - interval '366 days' WHERE user_id = 3").await;
    std::fs::write(&file, "1\n\n 2 \nsofia\n99\n1\n02\n3\n").unwrap();
    let ended = act(&app, &["attempts", "approve", "--users-file", file.to_str().unwrap()]).await;
    assert_eq!(ended.code, 6, "{}", ended.err);
    for receipt in &receipts {
        assert!(ended.out.contains(receipt.as_str()), "{}", ended.out);
        assert_eq!(app.attempt(receipt).await["status"], "approved");
    }
    for told in [
        "skipped sofia: it is no learner's number",
        "skipped 99: there is no such learner",
        &format!("skipped 3: attempt {expired} has expired"),
        "2 approved, 0 approved before, 3 skipped, 0 failed",
    ] {
        assert!(ended.err.contains(told), "{told}: {}", ended.err);
    }
    assert_eq!(app.attempt(&expired).await["status"], "submitted");
    std::fs::write(&file, "1\n2\n").unwrap();
    let again = act(&app, &["attempts", "approve", "--users-file", file.to_str().unwrap()]).await;
    assert!(again.err.contains("0 approved, 2 approved before"), "{}", again.err);
    assert_eq!(again.done(), "");
    std::fs::write(&file, "sofia\n").unwrap();
    act(&app, &["attempts", "approve", "--users-file", file.to_str().unwrap()]).await.refused(3, "skipped sofia");
    act(&app, &["attempts", "approve", "--users-file", "/nowhere"]).await.refused(1, "can't be read");
    app.finish().await;
}

#[tokio::test]
async fn completions_and_the_manual_name_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(run(program(), &["completions", shell]).await.done().contains("retries"), "{shell}");
    }
    let page = run(program(), &["man"]).await.done();
    assert!(page.contains(".TH vouch") && page.contains("Exit codes"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    run(program(), &["man", folder.path().to_str().unwrap()]).await.done();
    for name in vouch_cli::vouch::names() {
        assert!(folder.path().join(format!("{}.1", name.replace(' ', "-"))).exists(), "{name}");
        let words: Vec<&str> = name.split(' ').skip(1).chain(["--help"]).collect();
        assert!(run(program(), &words).await.done().contains("Usage: vouch"), "{name}");
    }
}

#[tokio::test]
async fn learners_are_verified_without_photos_and_who_is_verified_already_is_named() {
    let app = TestApp::without_worker().await;
    for user in [7, 8] {
        app.put_user(user, "Sofia Marek").await;
    }
    let rows = act(&app, &["users", "verify", "7"]).await.rows();
    assert_eq!(rows[0][1], "approved");
    act(&app, &["users", "verify", "7"]).await.refused(3, "verified until");
    act(&app, &["users", "verify", "9"]).await.refused(4, "not known");
    act(&app, &["users", "verify", "7", "8"]).await.refused(6, "1 of 2 done");
    vouch(&app, &["users", "verify", "7"]).await.refused(2, "--reason");
    assert_eq!(app.count("SELECT count(*) FROM operator_actions WHERE action = 'user.verify'").await, 2);
}
