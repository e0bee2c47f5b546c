//! One scenario's Vouch: real programs, a vendor and a mail server with journals, and a proxy in every line.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};
use vouch_cli::simulator::{self, Script, Simulator, SimulatorConfig, WireFormat};
use vouch_common::{
    secret::Secret,
    vendor::{
        sealed::webhook::{Message, parse_secret, sign},
        software_secure::rsa_keys::VendorPrivateKey,
    },
};
use vouch_tests::{ACCESS_KEY, API_KEY, JWT_SECRET, PRIVATE_KEY, SECRET, percent, proxy::Proxy, samples};

use crate::{
    dice::Dice,
    disk::Disk,
    ground::Ground,
    learners::Learners,
    markers::MASTER_KEY,
    patience,
    process::{Plan, Program},
    servers::free_port,
    smtp::MailServer,
};

const PUBLIC_KEY: &str = include_str!("../../tests/keys/vendor-test-public.pem");
/// Connections of one program to Postgres.
pub const CONNECTIONS: i64 = 8;
/// How long anything may take to come about before a scenario gives up on it.
pub const WAIT_MAX: Duration = Duration::from_mins(2);
/// How long it may take until all is done after all is well again: the breaker alone may wait for five minutes.
const QUIET_MAX: Duration = Duration::from_mins(10);
/// How long nothing may move before it counts as stuck; less than the longest wait of the breaker would be too little.
const STILL_MAX: Duration = Duration::from_mins(6);

/// The workers, and the queues of each.
pub const WORKERS: [(&str, &str); 3] =
    [("photos", "photos"), ("vendor", "vendor"), ("rest", "results,credit,mail,events,upkeep")];

/// A whole Vouch that is about to be broken.
pub struct Stage {
    pub ground: Arc<Ground>,
    pub folder: PathBuf,
    pub db: PgPool,
    pub redis: Proxy,
    pub vendor_line: Proxy,
    pub mail_line: Proxy,
    pub vendor: Simulator,
    pub mail: MailServer,
    pub programs: Vec<Program>,
    pub learners: Arc<Learners>,
    pub dice: Dice,
    /// What the scenario itself found broken.
    pub broken: Vec<String>,
    /// Kills and cuts after which a mail may have come twice.
    pub disturbances: usize,
    /// Kills of servers.
    pub server_kills: usize,
    /// Whether jobs may die of kills; an operator then sets them going again.
    pub may_quarantine: bool,
    /// Jobs that an operator set going again.
    pub quarantined: usize,
    /// Dumps of Redis, taken while there was something in it.
    pub dumps: Vec<Vec<u8>>,
    /// How a vendor that is well behaves.
    pub well: Script,
    /// A disk of its own under the objects, which can be full or read-only.
    pub disk: Option<Disk>,
    /// What is worth telling besides the outcome.
    pub notes: Vec<String>,
    database: String,
    api: SocketAddr,
}

impl Stage {
    pub async fn set(ground: Arc<Ground>, name: &str, seed: u64, more: &[(&str, &str)]) -> Result<Self> {
        let folder = ground.folder.join(name);
        std::fs::create_dir_all(folder.join("objects"))?;
        let database = format!("scenario_{}", name.replace('-', "_"));
        ground.make_database(&database).await?;
        ground.redis.forget_dump();
        ground.redis.ask(&["FLUSHALL"]).await?;
        let db = PgPool::connect_lazy(&ground.postgres.url(&database))?;
        let well = Script::parse(br#"{"callback": {"tries": 20, "delay_ms": 100}}"#)?;
        let vendor = start_vendor(&folder, well.clone()).await?;
        let mail = MailServer::start().await?;
        let redis = Proxy::start((Ipv4Addr::LOCALHOST, ground.redis.port).into()).await;
        let (vendor_line, mail_line) = (Proxy::start(vendor.addr()).await, Proxy::start(mail.address).await);
        let api = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let learners = Learners::new(api, db.clone(), ground.photos.clone());
        let mut stage = Self {
            programs: Vec::new(),
            dice: Dice::new(seed),
            broken: Vec::new(),
            disturbances: 0,
            server_kills: 0,
            may_quarantine: false,
            quarantined: 0,
            dumps: Vec::new(),
            ground,
            folder,
            db,
            redis,
            vendor_line,
            mail_line,
            vendor,
            mail,
            learners,
            well,
            disk: None,
            notes: Vec::new(),
            database,
            api,
        };
        stage.add("api", "vouch-api", &[], more).await?;
        for (name, queues) in WORKERS {
            stage.add(name, "vouch-worker", &["--queues", queues], more).await?;
        }
        stage.start_all().await?;
        stage.put(&format!("courses/{}", percent(samples::COURSE)), &samples::course()).await?;
        Ok(stage)
    }

    /// Adds a program; it does not run yet.
    pub async fn add(&mut self, name: &str, binary: &'static str, arguments: &[&str], more: &[(&str, &str)]) -> Result<()> {
        let postgres = Proxy::start((Ipv4Addr::LOCALHOST, self.ground.postgres.port).into()).await;
        let address = if name == "api" { self.api } else { (Ipv4Addr::LOCALHOST, free_port()).into() };
        let mut arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        if name != "api" {
            arguments.extend(["--metrics-listen".to_owned(), address.to_string()]);
        }
        let mut environment = self.settings(postgres.addr())?;
        environment.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let log = self.folder.join(format!("{name}.log"));
        let plan = Plan { name: name.to_owned(), binary, arguments, environment, log, address, postgres };
        self.programs.push(Program::new(plan)?);
        Ok(())
    }

    fn settings(&self, postgres: SocketAddr) -> Result<Vec<(String, String)>> {
        let storage = url::Url::from_file_path(self.folder.join("objects")).ok().context("the folder's address")?;
        let pairs = [
            ("DATABASE_URL", format!("postgres://vouch@{postgres}/{}", self.database)),
            ("REDIS_URL", format!("redis://{}/0", self.redis.addr())),
            ("VOUCH_STORAGE_URL", storage.to_string()),
            ("VOUCH_MASTER_KEYS", format!("m1:{}", STANDARD.encode(MASTER_KEY))),
            ("VOUCH_PUBLIC_URL", format!("http://{}", self.api)),
            ("VOUCH_LISTEN", self.api.to_string()),
            ("VOUCH_JWT_SECRET", JWT_SECRET.to_owned()),
            ("VOUCH_BOOTSTRAP_API_KEY", API_KEY.to_owned()),
            ("VOUCH_VENDOR_URL", format!("http://{}/", self.vendor_line.addr())),
            ("VOUCH_VENDOR_ACCESS_KEY", ACCESS_KEY.to_owned()),
            ("VOUCH_VENDOR_SECRET_KEYS", SECRET.to_owned()),
            ("VOUCH_VENDOR_RSA_PUBLIC_KEY", PUBLIC_KEY.to_owned()),
            ("VOUCH_VENDOR_BACKOFF_BASE", "200ms".to_owned()),
            ("VOUCH_VENDOR_BACKOFF_CAP", "2s".to_owned()),
            ("VOUCH_SMTP_URL", format!("smtp://{}", self.mail_line.addr())),
            ("VOUCH_MAIL_FROM", "Vouch <vouch@example.com>".to_owned()),
            ("VOUCH_DATABASE_CONNECTIONS", CONNECTIONS.to_string()),
        ];
        Ok(pairs.map(|(name, value)| (name.to_owned(), value)).into())
    }

    /// Starts whatever does not run, and waits until it is up.
    pub async fn start_all(&mut self) -> Result<()> {
        for program in &mut self.programs {
            program.start()?;
        }
        for program in &self.programs {
            program.wait_until_up().await?;
        }
        Ok(())
    }

    pub fn program(&mut self, name: &str) -> Result<&mut Program> {
        self.programs.iter_mut().find(|program| program.name == name).with_context(|| format!("no program {name}"))
    }

    /// The vendor does not download photos before it answers: an api that is away would make it refuse for good.
    pub fn without_downloads(&mut self) -> Result<()> {
        self.well.inspect_photos = false;
        Ok(self.vendor.set_script(self.well.clone())?)
    }

    /// `kill -9`.
    pub async fn kill(&mut self, name: &str) -> Result<()> {
        let was_running = self.program(name)?.kill().await?;
        self.disturbances += usize::from(was_running);
        Ok(())
    }

    /// Starts it again and waits until it is up.
    pub async fn start(&mut self, name: &str) -> Result<()> {
        let program = self.program(name)?;
        program.start()?;
        program.wait_until_up().await
    }

    /// Notes that something should be so and is not.
    pub fn expect(&mut self, is_so: bool, what: impl Into<String>) {
        if !is_so {
            self.broken.push(what.into());
        }
    }

    pub fn kills(&self) -> usize {
        self.server_kills + self.programs.iter().map(|program| program.kills).sum::<usize>()
    }

    /// Keeps what Redis holds now for the search for secrets.
    pub async fn take_dump(&mut self) {
        if let Ok(dump) = self.ground.redis.snapshot().await {
            self.dumps.push(dump);
        }
        self.ground.redis.forget_dump();
    }

    /// Everything is well again.
    pub async fn heal(&mut self) -> Result<()> {
        self.ground.postgres.up().await?;
        self.ground.redis.up().await?;
        for proxy in [&self.redis, &self.vendor_line, &self.mail_line] {
            proxy.heal();
        }
        for program in &self.programs {
            program.postgres.heal();
        }
        self.vendor.set_script(self.well.clone())?;
        self.mail.set(None);
        if let Some(disk) = &self.disk {
            disk.heal()?;
        }
        for program in &mut self.programs {
            program.start()?;
        }
        Ok(())
    }

    /// Waits until nothing is left to do; how long it took.
    pub async fn wait_until_quiet(&mut self) -> Result<Duration> {
        let began = Instant::now();
        for program in &self.programs {
            program.wait_until_up().await?;
        }
        let (mut last, mut changed) = ((-1, -1), Instant::now());
        while began.elapsed() < QUIET_MAX {
            let open = "SELECT (SELECT count(*) FROM jobs WHERE dead_at IS NULL)
                             + (SELECT count(*) FROM attempts WHERE status NOT IN ('approved', 'denied'))";
            let left = self.count(open).await.unwrap_or(1);
            if self.may_quarantine {
                self.retry_the_dead("error_class = 'no_outcome'").await?;
            }
            let dead = self.count("SELECT count(*) FROM jobs WHERE dead_at IS NOT NULL").await.unwrap_or(1);
            if left == 0 && (dead == 0 || !self.may_quarantine) {
                return Ok(began.elapsed());
            }
            let now = (left, dead);
            if now != last {
                (last, changed) = (now, Instant::now());
            }
            anyhow::ensure!(changed.elapsed() < STILL_MAX, "nothing moves any more: {left} are left, {dead} jobs are dead");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        anyhow::bail!("it did not come to rest within {QUIET_MAX:?}")
    }

    /// Does what an operator does with jobs that died: sets them going again.
    pub async fn retry_the_dead(&mut self, which: &'static str) -> Result<()> {
        let sql = format!("SELECT id FROM jobs WHERE dead_at IS NOT NULL AND {which} ORDER BY id LIMIT 500");
        let dead: Vec<i64> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&self.db).await.unwrap_or_default();
        for id in dead {
            let request = self.request(reqwest::Method::POST, &format!("jobs/{id}/retry"));
            let answer = request.json(&json!({ "reason": "what killed it is over" })).send().await?;
            self.quarantined += usize::from(answer.status().is_success());
        }
        Ok(())
    }

    pub async fn count(&self, sql: &str) -> Result<i64> {
        Ok(sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&self.db).await?)
    }

    pub async fn sql(&self, sql: &str) -> Result<()> {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.db).await?;
        Ok(())
    }

    /// Waits until a count is at least so much.
    pub async fn wait_for_count(&self, what: &str, sql: &str, at_least: i64) -> Result<()> {
        patience(WAIT_MAX, what, async || self.count(sql).await.ok().filter(|count| *count >= at_least).map(drop)).await
    }

    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        crate::client().request(method, format!("http://{}/api/v1/{path}", self.api)).bearer_auth(API_KEY)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.api)
    }

    /// Calls back as the vendor does, beside the simulator; the status of the answer.
    pub async fn call_back(&self, receipt: &str, result: &str) -> Result<reqwest::Response> {
        let body = json!({ "receipt_id": receipt, "result": result, "reasons": [], "code": "said so" }).to_string();
        let (id, timestamp) = (format!("call_{}", uuid::Uuid::new_v4().simple()), chrono::Utc::now().timestamp().to_string());
        let message = Message { id: &id, timestamp: &timestamp, body: body.as_bytes() };
        let signature = sign(message, &parse_secret(SECRET).ok().context("the vendor's secret")?);
        let request = crate::client().post(self.url("/callbacks/vendor")).header("content-type", "application/json");
        let signed = request.header("webhook-id", &id).header("webhook-timestamp", &timestamp);
        Ok(signed.header("webhook-signature", signature).body(body).send().await?)
    }

    /// Does what an operator does, with a reason.
    pub async fn act(&self, path: &str) -> Result<()> {
        let request = self.request(reqwest::Method::POST, path).json(&json!({ "reason": "a fault is played" }));
        request.send().await?.error_for_status()?;
        Ok(())
    }

    /// A number of a program, by its name and labels as they are shown.
    pub async fn metric(&self, program: &str, series: &str) -> Option<f64> {
        let program = self.programs.iter().find(|one| one.name == program)?;
        let page = crate::client().get(format!("http://{}/metrics", program.address)).send().await.ok()?.text().await.ok()?;
        page.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
    }

    async fn put(&self, path: &str, document: &serde_json::Value) -> Result<()> {
        self.request(reqwest::Method::PUT, path).json(document).send().await?.error_for_status()?;
        Ok(())
    }

    /// Ends everything of this scenario.
    pub async fn clear(mut self) -> Result<()> {
        for program in &mut self.programs {
            program.kill().await?;
        }
        self.db.close().await;
        self.ground.drop_database(&self.database).await
    }
}

async fn start_vendor(folder: &std::path::Path, script: Script) -> Result<Simulator> {
    let config = SimulatorConfig {
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        access_key: ACCESS_KEY.to_owned(),
        secret_key: Secret::new(SECRET),
        private_key: VendorPrivateKey::parse(PRIVATE_KEY.as_bytes())?,
        format: WireFormat::Sealed,
        journal: Some(folder.join("vendor.ndjson")),
        verdict_delay: Duration::ZERO,
        script,
        clock: Arc::new(chrono::Utc::now),
    };
    Ok(simulator::start(config).await?)
}
