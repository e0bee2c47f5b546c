//! What is planted at the doors is found nowhere where it must not be, also when things fail.

use std::{
    io,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;
use vouch_cli::simulator::Script;
use vouch_common::{
    config::{Program, Settings, Source},
    domain::effect::Queue,
    telemetry::numbers::Numbers,
};
use vouch_tests::{API_KEY, FACE_KEY, FORMER_SECRET, JWT_SECRET, PRIVATE_KEY, SECRET, TestApp, Wishes, samples, wait_for};

use crate::console::{Desk, give, key};

/// All that is written to the log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What was planted, by name.
struct Markers(Vec<(&'static str, Vec<u8>)>);

impl Markers {
    fn new() -> Self {
        let mut all = Self(Vec::new());
        for (name, text) in [
            ("the name", "Zyxwv Qmarker"),
            ("the new name", "Vutsr Pmarker"),
            ("the address", "u7@example.com"),
            ("the vendor's words", "Ponml Omarker"),
            ("an api key", API_KEY),
            ("the tokens' secret", JWT_SECRET),
            ("the vendor's secret", SECRET),
            ("the vendor's former secret", FORMER_SECRET),
            ("the face key", FACE_KEY),
        ] {
            all.plant(name, text);
        }
        all.plant("the master key", &STANDARD.encode([7; 32]));
        all.plant("the private key", PRIVATE_KEY.lines().nth(3).unwrap());
        let face = samples::bytes("good/face.jpg");
        all.0.push(("a photo", face[3000..3032].to_vec()));
        // The photo as it travels, at each of its three places in base64.
        let text = STANDARD.encode(&face);
        all.plant("a photo as text", &text[4000..4040]);
        all
    }

    fn plant(&mut self, name: &'static str, text: &str) {
        assert!(text.len() >= 9, "{name} is too short to be told from chance");
        self.0.push((name, text.as_bytes().to_vec()));
    }

    fn are_not_in(&self, place: &str, bytes: &[u8]) {
        for (name, marker) in &self.0 {
            if let Some(at) = bytes.windows(marker.len()).position(|window| window == marker.as_slice()) {
                let around = &bytes[at.saturating_sub(200)..bytes.len().min(at + 200)];
                panic!("{name} is in {place}: …{}…", String::from_utf8_lossy(around));
            }
        }
    }
}

async fn redis_dump(app: &TestApp) -> Vec<u8> {
    let mut connection = vouch_tests::patient_redis(&app.redis_url).await.unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    let mut dump = keys.concat().into_bytes();
    for key in keys {
        dump.extend(
            redis::cmd("DUMP").arg(key).query_async::<Option<Vec<u8>>>(&mut connection).await.unwrap().unwrap_or_default(),
        );
    }
    dump
}

/// The whole way, and failures at each of its steps.
async fn go_all_ways(app: &mut TestApp, markers: &mut Markers, answers: &mut Vec<u8>) {
    let receipt = app.submit(7, "Zyxwv Qmarker", json!({ "full_name": "Vutsr Pmarker" })).await;
    app.wait_for_status(&receipt, "submitted").await;
    let verdict = json!({ "EdX-ID": receipt, "Result": "FAIL", "Reason": "Ponml Omarker", "MessageType": "Ponml Omarker x" });
    // The mail server refuses once, then takes it.
    app.mail.refuse_next(1);
    for (secret, status) in [("guessed", 400), (SECRET, 200), (FORMER_SECRET, 200)] {
        let mut callback = app.callback(&verdict);
        callback.secret = secret;
        let answer = callback.send().await;
        assert_eq!(answer.0, status);
        answers.extend(answer.1.into_bytes());
    }
    app.wait_for_status(&receipt, "denied").await;
    // The vendor refuses, repeating all that it was sent, and the job is dead.
    let refusing = br#"{"answer": {"fault": {"kind": "status", "status": 400}}, "callback": {"copies": 0}}"#;
    app.vendor.set_script(Script::parse(refusing).unwrap()).unwrap();
    app.submit(7, "Zyxwv Qmarker", json!({})).await;
    wait_for("a dead job", async || (app.count("SELECT count(*) FROM jobs WHERE dead_at IS NOT NULL").await == 1).then_some(()))
        .await;
    // Photos that are none, bodies that break off, tokens and keys that are wrong: the answers name nothing.
    let token = app.token(7);
    markers.plant("a token", &token);
    let made = key(app, "ann", "admin").await;
    markers.plant("a key that was made", &made);
    for body in [r#"{"face_image": "Zyxwv Qmarker"}"#, "Zyxwv Qmarker", r#"{"full_name": ["Zyxwv Qmarker"]}"#] {
        let post = app.client.post(format!("{}/verify_student/submit-photos/", app.url)).bearer_auth(&token);
        let answer = post.header("content-type", "application/json").body(body).send().await.unwrap();
        assert_eq!(answer.status(), 400);
        answers.extend(answer.bytes().await.unwrap());
        let put = app.client.put(format!("{}/api/v1/users/7", app.url)).bearer_auth(&made);
        let answer = put.header("content-type", "application/json").body(body).send().await.unwrap();
        assert_eq!(answer.status(), 400);
        answers.extend(answer.bytes().await.unwrap());
    }
    for wrong in [format!("{made}x"), format!("{token}x")] {
        for path in ["/api/v1/me", "/verify_student/status/"] {
            let answer = app.client.get(format!("{}{path}", app.url)).bearer_auth(&wrong).send().await.unwrap();
            assert!([401, 302].contains(&answer.status().as_u16()));
            answers.extend(format!("{:?}", answer.headers()).into_bytes());
            answers.extend(answer.bytes().await.unwrap());
        }
    }
    let signed_in = give(app, &made, "/ops").await;
    answers.extend(format!("{:?} {}", signed_in.cookies, signed_in.text).into_bytes());
    let desk = Desk::open_with(app, &made).await;
    for path in ["/ops", "/ops/jobs", "/ops/errors", "/ops/audit"] {
        answers.extend(desk.page(path).await.text.into_bytes());
    }
    // The database goes while somebody asks.
    app.sql("ALTER TABLE users RENAME TO away").await;
    let answer = app.submission(7, &json!({ "face_image": samples::good("face.jpg") })).send().await.unwrap();
    assert_eq!(answer.status(), 500);
    answers.extend(answer.bytes().await.unwrap());
    app.sql("ALTER TABLE away RENAME TO users").await;
}

#[tokio::test]
async fn nothing_that_is_secret_or_personal_is_in_logs_spans_redis_numbers_errors_or_dead_jobs() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).with_ansi(false);
    let spans = tracing_subscriber::fmt::format::FmtSpan::FULL;
    tracing::subscriber::set_global_default(subscriber.with_span_events(spans).finish()).unwrap();
    let numbers = Numbers::start(&[Program::Api, Program::Worker], &[]).unwrap();
    let script = Script::parse(br#"{"callback": {"copies": 0}}"#).unwrap();
    let mut app = TestApp::start_with(Wishes { script, numbers: Some(numbers.clone()), ..Wishes::default() }).await;
    let (mut markers, mut answers) = (Markers::new(), Vec::new());
    go_all_ways(&mut app, &mut markers, &mut answers).await;
    app.stop_worker().await;
    app.sql("UPDATE jobs SET due_at = now(), dead_at = NULL, phase = 'waiting'").await;
    app.start_worker(&[Queue::Upkeep]);
    wait_for("a job in Redis", async || (!redis_dump(&app).await.is_empty()).then_some(())).await;
    markers.are_not_in("Redis", &redis_dump(&app).await);
    app.stop_worker().await;
    markers.are_not_in("an answer", &answers);
    markers.are_not_in("/metrics", numbers.render().as_bytes());
    for (place, sql) in [
        ("the jobs", "SELECT coalesce(string_agg(j::text, ' '), '') FROM jobs j"),
        ("the runs", "SELECT coalesce(string_agg(r::text, ' '), '') FROM job_runs r"),
        ("the groups of errors", "SELECT coalesce(string_agg(e::text, ' '), '') FROM error_groups e"),
        ("the audit", "SELECT coalesce(string_agg(o::text, ' '), '') FROM operator_actions o"),
        ("the keys", "SELECT coalesce(string_agg(k::text, ' '), '') FROM api_keys k"),
    ] {
        let text: String = sqlx::query_scalar(sql).fetch_one(&app.db).await.unwrap();
        markers.are_not_in(place, text.as_bytes());
    }
    for program in [Program::Api, Program::Worker] {
        let settings = Settings::read(&Source::from_pairs(app.settings.clone()), program).unwrap();
        let told = format!("{settings:?} {settings:#?} {:?} {:?} {:?}", settings.jwt, settings.vendor, settings.master_keys);
        markers.are_not_in("the settings as they print", told.as_bytes());
    }
    let told = log.0.lock().unwrap().clone();
    let text = String::from_utf8_lossy(&told);
    for sign in ["TRACE", "submission committed", "job.submit_to_vendor", "request served"] {
        assert!(text.contains(sign), "the log was not looked at: no {sign}");
    }
    markers.are_not_in("the log", &told);
}
