//! Secrets that two sides share, and api keys: for a while the old and the new one count.

use chrono::TimeDelta;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use vouch_common::{
    config::{Program, Settings, Source},
    vendor::sealed::webhook::parse_secret,
};
use vouch_tests::{ACCESS_KEY, FORMER_SECRET, JWT_SECRET, SECRET, TestApp, Wishes, answer, sealed};

use super::keys;

const FORMER_ACCESS_KEY: &str = "AAAAAAAAAAAAAAAAAAAA";

/// A Vouch without a worker, with these settings, whose former secrets end in ten hours.
async fn with_end(more: &[(&'static str, &str)]) -> TestApp {
    let until = (chrono::Utc::now() + TimeDelta::hours(10)).to_rfc3339();
    let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
    let settings = more.chain([("VOUCH_VENDOR_FORMER_SECRETS_UNTIL", until)]).collect();
    TestApp::start_with(Wishes { settings, is_without_worker: true, ..Wishes::default() }).await
}

#[tokio::test]
async fn a_former_secret_of_sealed_signs_until_its_end_and_the_first_goes_on() {
    let app = with_end(&[("VOUCH_VENDOR_FORMAT", "sealed")]).await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    let send = async |id: &str, secret: &str| {
        let mut callback = sealed::SealedCallback::new(&app, id, &sealed::verdict(&receipt, "approved"));
        callback.secret = parse_secret(secret).unwrap();
        callback.send(&app).await.0
    };
    assert_eq!((send("evt_1", FORMER_SECRET).await, send("evt_2", SECRET).await), (202, 202));
    app.clock.advance(TimeDelta::hours(8));
    assert_eq!(send("evt_3", FORMER_SECRET).await, 202);
    app.clock.advance(TimeDelta::hours(3));
    assert_eq!((send("evt_4", FORMER_SECRET).await, send("evt_5", SECRET).await), (401, 202));
    assert_eq!(app.count("SELECT count(*) FROM vendor_callbacks").await, 4);
}

#[tokio::test]
async fn a_former_secret_of_software_secure_signs_until_its_end_and_the_first_goes_on() {
    let app = with_end(&[]).await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    let body = |message: &str| json!({ "EdX-ID": receipt, "Result": "PASS", "Reason": "", "MessageType": message });
    let send = async |message: &str, secret: &'static str| {
        let body = body(message);
        let mut callback = app.callback(&body);
        callback.secret = secret;
        callback.send().await
    };
    let (taken, refused) = ((200, "OK!".to_owned()), (400, "Signature is invalid".to_owned()));
    assert_eq!(send("1", FORMER_SECRET).await, taken);
    app.clock.advance(TimeDelta::hours(11));
    assert_eq!(send("2", FORMER_SECRET).await, refused);
    assert_eq!(send("3", SECRET).await, taken);
    assert_eq!(app.count("SELECT count(*) FROM vendor_callbacks").await, 2);
}

#[tokio::test]
async fn a_callback_may_name_a_former_access_key_and_no_other() {
    let both = format!("{ACCESS_KEY},{FORMER_ACCESS_KEY}");
    let app = with_end(&[("VOUCH_VENDOR_ACCESS_KEY", &both)]).await;
    let receipt = app.submit(7, "Sofia Marek", json!({})).await;
    for (key, status) in [(ACCESS_KEY, 200), (FORMER_ACCESS_KEY, 200), ("EEEEEEEEEEEEEEEEEEEE", 400), (&*both, 400), ("", 400)] {
        let body = json!({ "EdX-ID": receipt, "Result": "PASS", "Reason": "", "MessageType": key });
        let mut callback = app.callback(&body);
        callback.access_key = key;
        assert_eq!(callback.send().await.0, status, "{key}");
    }
}

#[tokio::test]
async fn a_token_by_the_platforms_former_secret_is_taken_too() {
    const NEW: &str = "the platform's new secret";
    let settings = vec![("VOUCH_JWT_SECRET", NEW.to_owned()), ("VOUCH_JWT_FORMER_SECRET", JWT_SECRET.to_owned())];
    let app = TestApp::start_with(Wishes { settings, is_without_worker: true, ..Wishes::default() }).await;
    app.put_user(7, "Sofia Marek").await;
    let status = async |secret: &str| {
        let claims = json!({ "sub": "7", "exp": (app.now() + TimeDelta::hours(1)).timestamp() });
        let token = encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap();
        let url = format!("{}/verify_student/status/", app.url);
        app.client.get(url).header("Accept", "application/json").bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    assert_eq!((status(NEW).await, status(JWT_SECRET).await), (200, 200));
    assert_ne!(status("another").await, 200);
}

#[tokio::test]
async fn an_end_that_is_no_moment_and_a_former_secret_alone_are_refused_at_start() {
    let app = TestApp::without_worker().await;
    let faults = |more: &[(&str, &str)]| {
        let pairs =
            app.settings.iter().cloned().chain(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Settings::read(&Source::from_pairs(pairs), Program::Api).err().unwrap().faults
    };
    let wrong = "VOUCH_VENDOR_FORMER_SECRETS_UNTIL is not right: it must be a moment such as 2026-12-31T00:00:00Z";
    for value in ["tomorrow", "2026-12-31", "90d"] {
        assert_eq!(faults(&[("VOUCH_VENDOR_FORMER_SECRETS_UNTIL", value)]), [wrong]);
    }
    let alone = [("VOUCH_JWT_SECRET", ""), ("VOUCH_JWT_JWKS_URL", "http://127.0.0.1/"), ("VOUCH_JWT_FORMER_SECRET", "x")];
    assert_eq!(faults(&alone), ["VOUCH_JWT_FORMER_SECRET is set without VOUCH_JWT_SECRET: take it away"]);
}

async fn listed(app: &TestApp) -> Vec<Value> {
    keys(app, &["m1"], &["list", "--json"]).await.json()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_api_key_is_replaced_when_its_last_use_is_over() {
    let app = TestApp::without_worker().await;
    let make = async |name: &str| {
        keys(&app, &["m1"], &["create", "--name", name, "--scope", "attempts:read"]).await.done().trim().to_owned()
    };
    let (old, new) = (make("lms 2025").await, make("lms 2026").await);
    let status = async |key: &str| {
        let url = format!("{}/api/v1/queues", app.url);
        answer(app.client.get(url).bearer_auth(key).send().await.unwrap()).await.0
    };
    assert_eq!((listed(&app).await[1]["last_used_at"].clone(), status(&old).await), (Value::Null, 200));
    let first_use = listed(&app).await[1]["last_used_at"].clone();
    assert!(first_use.is_string());
    app.clock.advance(TimeDelta::seconds(59));
    assert_eq!(status(&old).await, 200);
    assert_eq!(listed(&app).await[1]["last_used_at"], first_use, "written once a minute at most");
    app.clock.advance(TimeDelta::seconds(2));
    assert_eq!((status(&old).await, status(&new).await), (200, 200));
    let both = listed(&app).await;
    assert_ne!(both[1]["last_used_at"], first_use);
    assert_eq!(both[1]["last_used_at"], both[0]["last_used_at"]);
    let rows = keys(&app, &["m1"], &["list"]).await.rows();
    assert_eq!(rows.iter().map(|row| row[1].as_str()).collect::<Vec<_>>(), ["lms 2026", "lms 2025"]);
    keys(&app, &["m1"], &["revoke", &both[1]["id"].to_string()]).await.done();
    assert_eq!((status(&old).await, status(&new).await), (401, 200));
}

#[tokio::test]
async fn a_key_works_while_its_use_can_not_be_noted_and_a_wrong_one_is_noted_nowhere() {
    let app = TestApp::without_worker().await;
    let key = keys(&app, &["m1"], &["create", "--name", "a", "--scope", "attempts:read"]).await.done().trim().to_owned();
    let status = async |key: &str| {
        app.client.get(format!("{}/api/v1/queues", app.url)).bearer_auth(key).send().await.unwrap().status().as_u16()
    };
    assert_eq!(status(&format!("{key}x")).await, 401);
    let mut held = app.db.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM api_keys FOR UPDATE").execute(&mut *held).await.unwrap();
    assert_eq!(status(&key).await, 200, "nobody waits for whoever holds the row");
    held.rollback().await.unwrap();
    assert_eq!(listed(&app).await[0]["last_used_at"], Value::Null);
    app.sql("ALTER TABLE api_keys ADD CONSTRAINT never_used CHECK (last_used_at IS NULL)").await;
    assert_eq!(status(&key).await, 200);
}
