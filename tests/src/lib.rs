//! The harness: a whole Vouch for one test, on real servers, with a clock that stands still.
//!
//! A database made from a template, a Redis database of its own, a folder for photos, the api on a real
//! port, the worker, a simulated vendor and a mail catcher. `scripts/test` gives it Postgres and Redis.
#![allow(clippy::disallowed_methods, reason = "tests look into the database and the environment from outside")]

pub mod browser;
pub mod collector;
mod database;
pub mod places;
pub mod proxy;
pub mod samples;
pub mod sealed;

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{EncodingKey, Header, encode};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vouch_api::state::AppState;
use vouch_cli::{
    mail_catcher::MailCatcher,
    simulator::{Script, Simulator, SimulatorConfig, WireFormat},
};
use vouch_common::{
    clock::{Clock, FrozenClock},
    config::{Program, Settings, Source},
    domain::effect::Queue,
    secret::Secret,
    telemetry::numbers::Numbers,
    vendor::software_secure::{
        canonical::Message,
        cipher::PhotoKey,
        rsa_keys::VendorPrivateKey,
        signature::{format_date, sign},
    },
    vendor::strict_json::{Json, parse},
};
use vouch_worker::{Stop, options::Options, services::Services};

pub use database::patient_redis;

/// How long anything may take to come about before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(40);

pub const ACCESS_KEY: &str = "BBBBBBBBBBBBBBBBBBBB";
pub const SECRET: &str = "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC";
pub const FORMER_SECRET: &str = "DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD";
pub const FACE_KEY: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub const API_KEY: &str = "vk_bootstrap_of_the_tests";
pub const JWT_SECRET: &str = "the learning platform's secret";
pub const PRIVATE_KEY: &str = include_str!("../keys/vendor-test-private.pem");
const PUBLIC_KEY: &str = include_str!("../keys/vendor-test-public.pem");

/// A whole Vouch.
pub struct TestApp {
    pub url: String,
    pub client: Client,
    pub clock: Arc<FrozenClock>,
    pub db: PgPool,
    pub mail: MailCatcher,
    pub vendor: Simulator,
    pub folder: tempfile::TempDir,
    pub redis_url: String,
    pub settings: Vec<(String, String)>,
    worker: Option<(CancellationToken, JoinHandle<()>)>,
}

/// What a test wants otherwise than usual.
#[derive(Default)]
pub struct Wishes {
    /// Settings over the usual ones.
    pub settings: Vec<(&'static str, String)>,
    /// How the vendor behaves.
    pub script: Script,
    /// What `/metrics` shows.
    pub numbers: Option<Numbers>,
    /// No worker is started.
    pub is_without_worker: bool,
}

impl TestApp {
    /// Everything, as usual.
    pub async fn start() -> Self {
        Self::start_with(Wishes::default()).await
    }

    /// Everything, but without a worker.
    pub async fn without_worker() -> Self {
        Self::start_with(Wishes { is_without_worker: true, ..Wishes::default() }).await
    }

    pub async fn start_with(wishes: Wishes) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (database_url, db) = database::create().await;
        let redis_url = database::choose_redis().await;
        let clock = Arc::new(FrozenClock::new(Utc::now()));
        let folder = tempfile::tempdir().unwrap();
        let mail = MailCatcher::start((Ipv4Addr::LOCALHOST, 0).into(), None).await.unwrap();
        let is_sealed = wishes.settings.contains(&("VOUCH_VENDOR_FORMAT", "sealed".to_owned()));
        let vendor = start_vendor(&clock, wishes.script, is_sealed).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut settings = usual_settings(&url, (&database_url, &redis_url), folder.path());
        settings.push(("VOUCH_VENDOR_URL".to_owned(), format!("http://{}/", vendor.addr())));
        settings.push(("VOUCH_SMTP_URL".to_owned(), format!("smtp://{}", mail.address())));
        settings.extend(wishes.settings.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let read_settings = read(&settings, Program::Api);
        let limits = read_settings.limits.clone().unwrap();
        let state = AppState::with_clock(read_settings, clock.clone(), wishes.numbers).unwrap();
        tokio::spawn(async move { vouch_api::serve(listener, vouch_api::app(state), &limits, std::future::pending()).await });
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let mut app = Self { url, client, clock, db, mail, vendor, folder, redis_url, settings, worker: None };
        if !wishes.is_without_worker {
            app.start_worker(&Queue::ALL);
        }
        app
    }

    /// Services as a worker has them.
    pub fn services(&self) -> Services {
        Services::with_clock(read(&self.settings, Program::Worker), self.clock.clone()).unwrap()
    }

    /// Starts a worker for these queues; the one that runs is stopped with the app.
    pub fn start_worker(&mut self, queues: &[Queue]) {
        let options = Options { queues: queues.to_vec(), ..Options::default() };
        let stop = Stop::default();
        let running = tokio::spawn(vouch_worker::run(self.services(), options, stop.clone()));
        self.worker = Some((stop.gently, running));
    }

    /// Stops the worker and waits until it has given back what it held.
    pub async fn stop_worker(&mut self) {
        if let Some((stop, running)) = self.worker.take() {
            stop.cancel();
            running.await.unwrap();
        }
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// A learner's token.
    pub fn token(&self, user: i64) -> String {
        self.token_of(&json!({ "sub": user.to_string(), "exp": (self.now() + TimeDelta::hours(1)).timestamp() }))
    }

    pub fn token_of(&self, claims: &Value) -> String {
        encode(&Header::default(), claims, &EncodingKey::from_secret(JWT_SECRET.as_bytes())).unwrap()
    }

    /// A request of a learner to submit photos.
    pub fn submission(&self, user: i64, fields: &Value) -> RequestBuilder {
        self.client.post(format!("{}/verify_student/submit-photos/", self.url)).bearer_auth(self.token(user)).json(fields)
    }

    /// Registers a learner and submits a good face and ID; the receipt.
    pub async fn submit(&self, user: i64, name: &str, more: Value) -> String {
        self.put_user(user, name).await;
        let mut fields = json!({ "face_image": samples::good("face.jpg"), "photo_id_image": samples::good("id.jpg") });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        receipt(&self.submission(user, &fields).send().await.unwrap())
    }

    pub async fn put_user(&self, user: i64, name: &str) {
        let document = json!({ "username": format!("u{user}"), "email": format!("u{user}@example.com"), "full_name": name });
        self.put(&format!("users/{user}"), &document).await;
    }

    /// The sample course with a checkpoint and one credit requirement.
    pub async fn put_course(&self) {
        self.put(&format!("courses/{}", percent(samples::COURSE)), &samples::course()).await;
    }

    pub async fn put(&self, path: &str, document: &Value) {
        let answer = self.api(reqwest::Method::PUT, path).json(document).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {} {}", answer.status(), answer.text().await.unwrap());
    }

    pub fn api(&self, method: reqwest::Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}/api/v1/{path}", self.url)).bearer_auth(API_KEY)
    }

    pub async fn get(&self, path: &str) -> Value {
        self.api(reqwest::Method::GET, path).send().await.unwrap().json().await.unwrap()
    }

    pub async fn attempt(&self, receipt: &str) -> Value {
        self.get(&format!("attempts/{receipt}")).await
    }

    /// Waits until an attempt has that status.
    pub async fn wait_for_status(&self, receipt: &str, status: &str) -> Value {
        wait_for(&format!("{receipt} to be {status}"), async || {
            let attempt = self.attempt(receipt).await;
            (attempt["status"] == status).then_some(attempt)
        })
        .await
    }

    /// Waits until nothing is left to do but what is dead, and the vendor owes no verdict.
    pub async fn wait_until_idle(&self) {
        let is_empty = async || self.count("SELECT count(*) FROM jobs WHERE dead_at IS NULL").await == 0;
        wait_for("the ledger to be empty and the vendor to be idle", async || {
            // The second look sees what the vendor's last verdict left to do.
            (is_empty().await && self.vendor.is_idle() && is_empty().await).then_some(())
        })
        .await;
    }

    /// Ends a test: nothing is left to do, and nothing died.
    pub async fn finish(mut self) {
        self.wait_until_idle().await;
        assert_eq!(self.count("SELECT count(*) FROM jobs").await, 0, "dead letters");
        self.stop_worker().await;
    }

    pub async fn count(&self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&self.db).await.unwrap()
    }

    pub async fn sql(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.db).await.unwrap();
    }

    /// The files in the object store.
    pub fn objects(&self) -> Vec<std::path::PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.path().is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
            }
        }
        files
    }

    /// A callback as the vendor signs it.
    pub fn callback(&self, body: &Value) -> Callback<'_> {
        Callback {
            app: self,
            body: body.to_string(),
            date: self.now(),
            secret: SECRET,
            access_key: ACCESS_KEY,
            covers_type: false,
        }
    }
}

/// A callback on its way.
pub struct Callback<'a> {
    app: &'a TestApp,
    pub body: String,
    pub date: DateTime<Utc>,
    pub secret: &'a str,
    pub access_key: &'a str,
    pub covers_type: bool,
}

impl Callback<'_> {
    pub fn request(&self) -> RequestBuilder {
        let date = format_date(self.date);
        let members = match parse(self.body.as_bytes()) {
            Ok(Json::Object(members)) => members,
            _ => Default::default(),
        };
        let content_type = self.covers_type.then_some("application/json");
        let message = Message { method: "POST", content_type, date: Some(&date), content_md5: None, body: &members };
        let authorization = sign(&message, self.access_key, &Secret::new(self.secret));
        self.unsigned().header("Date", date).header("Authorization", authorization)
    }

    pub fn unsigned(&self) -> RequestBuilder {
        let url = format!("{}/verify_student/results_callback", self.app.url);
        self.app.client.post(url).header("Content-Type", "application/json").body(self.body.clone())
    }

    /// Sends it; status and text of the answer.
    pub async fn send(&self) -> (u16, String) {
        answer(self.request().send().await.unwrap()).await
    }
}

/// Status and text of an answer.
pub async fn answer(response: Response) -> (u16, String) {
    (response.status().as_u16(), response.text().await.unwrap())
}

/// The receipt of an accepted submission.
pub fn receipt(response: &Response) -> String {
    assert_eq!(response.status(), 200);
    response.headers()["vouch-receipt-id"].to_str().unwrap().to_owned()
}

/// Waits for a condition, looking again and again, and fails with its name.
pub async fn wait_for<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let waiting = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

pub fn percent(key: &str) -> String {
    url::form_urlencoded::byte_serialize(key.as_bytes()).collect()
}

async fn start_vendor(clock: &Arc<FrozenClock>, script: Script, is_sealed: bool) -> Simulator {
    let clock = clock.clone();
    let software_secure = WireFormat::SoftwareSecure { face_key: PhotoKey::parse_hex(FACE_KEY).unwrap() };
    let config = SimulatorConfig {
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        access_key: ACCESS_KEY.to_owned(),
        secret_key: Secret::new(SECRET),
        private_key: VendorPrivateKey::parse(PRIVATE_KEY.as_bytes()).unwrap(),
        format: if is_sealed { WireFormat::Sealed } else { software_secure },
        journal: None,
        verdict_delay: Duration::ZERO,
        script,
        clock: Arc::new(move || clock.now()),
    };
    vouch_cli::simulator::start(config).await.unwrap()
}

fn usual_settings(url: &str, (database, redis): (&str, &str), folder: &std::path::Path) -> Vec<(String, String)> {
    let storage = url::Url::from_file_path(folder).unwrap().to_string();
    let master = format!("m1:{}", STANDARD.encode([7; 32]));
    [
        ("DATABASE_URL", database),
        ("REDIS_URL", redis),
        ("VOUCH_STORAGE_URL", &storage),
        ("VOUCH_MASTER_KEYS", &master),
        ("VOUCH_PUBLIC_URL", url),
        ("VOUCH_JWT_SECRET", JWT_SECRET),
        ("VOUCH_BOOTSTRAP_API_KEY", API_KEY),
        ("VOUCH_ERASURE_KEY", &STANDARD.encode([9; 32])),
        ("VOUCH_VENDOR_FORMAT", "software-secure"),
        ("VOUCH_VENDOR_ACCESS_KEY", ACCESS_KEY),
        ("VOUCH_VENDOR_SECRET_KEYS", &format!("{SECRET},{FORMER_SECRET}")),
        ("VOUCH_VENDOR_RSA_PUBLIC_KEY", PUBLIC_KEY),
        ("VOUCH_VENDOR_FACE_KEY", FACE_KEY),
        // A machine that is busy with other tests may let the simulated vendor wait.
        ("VOUCH_VENDOR_TIMEOUT", "1m"),
        ("VOUCH_VENDOR_BACKOFF_BASE", "100ms"),
        ("VOUCH_VENDOR_BACKOFF_CAP", "200ms"),
        ("VOUCH_MAIL_FROM", "Vouch <vouch@example.com>"),
        ("VOUCH_DATABASE_CONNECTIONS", "8"),
        // Tests come from one address and fail on purpose; those of the limits set their own.
        ("VOUCH_RATE_FAILURES", "1000000/1m"),
        ("VOUCH_RATE_ADDRESS", "1000000/1m"),
        ("VOUCH_RATE_SUBMISSIONS", "1000000/1h"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn read(pairs: &[(String, String)], program: Program) -> Settings {
    Settings::read(&Source::from_pairs(pairs.iter().cloned()), program).unwrap()
}
