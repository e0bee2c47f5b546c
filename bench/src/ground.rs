//! Where measurements happen: servers of their own, and for each a database, a Redis database and a folder.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, postgres::PgPoolOptions};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use url::Url;
use vouch_cli::{
    mail_catcher::MailCatcher,
    simulator::{self, Script, Simulator, SimulatorConfig, WireFormat},
};
use vouch_common::{secret::Secret, store::Db, vendor::software_secure::rsa_keys::VendorPrivateKey};
use vouch_tests::{ACCESS_KEY, API_KEY, JWT_SECRET, PRIVATE_KEY, SECRET};

use crate::process::{Program, cpu_of_tree};

pub const PUBLIC_KEY: &str = include_str!("../../tests/keys/vendor-test-public.pem");
/// A template of the database, made once a run.
const TEMPLATE: &str = "bench_template";

/// The servers, and how much is measured.
pub struct Ground {
    postgres: Url,
    redis: Url,
    /// Little of everything: it shows that the measurements run, and its figures say nothing.
    pub is_quick: bool,
    /// How often each side of a comparison is measured; medians count.
    pub runs: usize,
    /// Attempts on their whole way for each second of CPU that api and worker use, once it was measured in this run.
    pub attempts_per_cpu_second: OnceCell<f64>,
}

impl Ground {
    /// Looks at the servers of the environment and makes the template.
    pub async fn prepare(is_quick: bool, runs: usize) -> Result<Self> {
        let url = |name: &str| -> Result<Url> {
            Ok(Url::parse(&std::env::var(name).with_context(|| format!("{name} is not set: run scripts/bench"))?)?)
        };
        let attempts_per_cpu_second = OnceCell::new();
        let (postgres, redis) = (url("DATABASE_URL")?, url("REDIS_URL")?);
        let ground = Self { postgres, redis, is_quick, runs, attempts_per_cpu_second };
        ground.run(&format!("DROP DATABASE IF EXISTS {TEMPLATE}")).await?;
        ground.run(&format!("CREATE DATABASE {TEMPLATE}")).await?;
        let db = Db::new(named(&ground.postgres, TEMPLATE).as_str(), 2)?;
        db.migrate().await.context("the migrations")?;
        db.close().await;
        Ok(ground)
    }

    /// As much as `full`, or as little as `quick`.
    pub fn amount(&self, full: usize, quick: usize) -> usize {
        if self.is_quick { quick } else { full }
    }

    async fn run(&self, sql: &str) -> Result<()> {
        let mut server = PgConnection::connect(self.postgres.as_str()).await?;
        sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut server).await?;
        Ok(())
    }

    /// A fresh place for a measurement.
    pub async fn place(&self) -> Result<Place> {
        let name = format!("bench_{}", uuid::Uuid::new_v4().simple());
        self.run(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}")).await?;
        let folder = tempfile::Builder::new().prefix("vouch-bench.").tempdir()?;
        std::fs::create_dir_all(folder.path().join("objects"))?;
        let database = named(&self.postgres, &name);
        let db = PgPoolOptions::new().max_connections(16).connect_lazy(database.as_str())?;
        let mut redis = vouch_tests::patient_redis(self.redis.as_str()).await?;
        // In the background: a peer may have left so much that it takes longer than an answer may.
        redis::cmd("FLUSHALL").arg("ASYNC").query_async::<()>(&mut redis).await?;
        let place = Place { name, database, redis: self.redis.clone(), db, folder, api: free_address()?, settings: Vec::new() };
        Ok(place)
    }

    /// Throws a place away. What still runs there must be stopped before.
    pub async fn clear(&self, place: Place) -> Result<()> {
        place.db.close().await;
        self.run(&format!("DROP DATABASE {} WITH (FORCE)", place.name)).await
    }
}

/// A database, a Redis and a folder for one measurement.
pub struct Place {
    name: String,
    pub database: Url,
    pub redis: Url,
    pub db: PgPool,
    pub folder: TempDir,
    /// Where its api listens.
    pub api: SocketAddr,
    /// Settings over the usual ones.
    pub settings: Vec<(String, String)>,
}

impl Place {
    /// The settings of its programs.
    pub fn environment(&self) -> Result<Vec<(String, String)>> {
        let storage = Url::from_file_path(self.folder.path().join("objects")).ok().context("the folder's address")?;
        let pairs = [
            ("DATABASE_URL", self.database.to_string()),
            ("REDIS_URL", self.redis.to_string()),
            ("VOUCH_STORAGE_URL", storage.to_string()),
            ("VOUCH_MASTER_KEYS", format!("m1:{}", STANDARD.encode([7; 32]))),
            ("VOUCH_PUBLIC_URL", format!("http://{}", self.api)),
            ("VOUCH_LISTEN", self.api.to_string()),
            ("VOUCH_JWT_SECRET", JWT_SECRET.to_owned()),
            ("VOUCH_BOOTSTRAP_API_KEY", API_KEY.to_owned()),
            ("VOUCH_VENDOR_URL", "http://127.0.0.1:9/".to_owned()),
            ("VOUCH_VENDOR_ACCESS_KEY", ACCESS_KEY.to_owned()),
            ("VOUCH_VENDOR_SECRET_KEYS", SECRET.to_owned()),
            ("VOUCH_VENDOR_RSA_PUBLIC_KEY", PUBLIC_KEY.to_owned()),
            ("VOUCH_SMTP_URL", "smtp://127.0.0.1:9".to_owned()),
            ("VOUCH_MAIL_FROM", "Vouch <vouch@example.com>".to_owned()),
            ("VOUCH_RATE_ADDRESS", "1000000/1m".to_owned()),
            ("VOUCH_RATE_SUBMISSIONS", "1000000/1h".to_owned()),
        ];
        let usual = pairs.into_iter().map(|(name, value)| (name.to_owned(), value));
        Ok(usual.chain(self.settings.iter().cloned()).collect())
    }

    /// Sets something otherwise than usual, for programs that start later.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.settings.push((name.to_owned(), value.into()));
    }

    /// Starts the api and waits until it is ready.
    pub async fn start_api(&self) -> Result<Program> {
        let api = Program::start("vouch-api", &[], &self.environment()?, self.folder.path(), self.api)?;
        api.wait_until_ready().await?;
        Ok(api)
    }

    /// Starts a worker and waits until it is ready.
    pub async fn start_worker(&self, arguments: &[&str]) -> Result<Program> {
        let address = free_address()?;
        let mut all = vec!["--metrics-listen".to_owned(), address.to_string()];
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let worker = Program::start("vouch-worker", &all, &self.environment()?, self.folder.path(), address)?;
        worker.wait_until_ready().await?;
        Ok(worker)
    }

    /// Starts a vendor that passes everybody, and a mail server; both in this process, so that they count for nobody.
    pub async fn start_far_sides(&mut self, script: &str) -> Result<(Simulator, MailCatcher)> {
        self.start_far_sides_in(WireFormat::Sealed, script).await
    }

    /// The same, with a vendor that speaks another wire format.
    pub async fn start_far_sides_in(&mut self, format: WireFormat, script: &str) -> Result<(Simulator, MailCatcher)> {
        let config = SimulatorConfig {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            access_key: ACCESS_KEY.to_owned(),
            secret_key: Secret::new(SECRET),
            private_key: VendorPrivateKey::parse(PRIVATE_KEY.as_bytes())?,
            format,
            journal: None,
            verdict_delay: Duration::ZERO,
            script: Script::parse(script.as_bytes())?,
            clock: Arc::new(chrono::Utc::now),
        };
        let vendor = simulator::start(config).await?;
        let mail = MailCatcher::start((Ipv4Addr::LOCALHOST, 0).into(), None).await?;
        self.set("VOUCH_VENDOR_URL", format!("http://{}/", vendor.addr()));
        self.set("VOUCH_SMTP_URL", format!("smtp://{}", mail.address()));
        Ok((vendor, mail))
    }

    /// A number from its database.
    pub async fn count(&self, sql: &'static str) -> Result<i64> {
        Ok(sqlx::query_scalar(sql).fetch_one(&self.db).await?)
    }

    pub async fn sql(&self, sql: &'static str) -> Result<()> {
        sqlx::raw_sql(sql).execute(&self.db).await?;
        Ok(())
    }

    /// Seconds of CPU that Postgres and Redis have used.
    pub async fn servers_cpu(&self) -> Result<f64> {
        let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&self.db).await?;
        let mut redis = vouch_tests::patient_redis(self.redis.as_str()).await?;
        let info: String = redis::cmd("INFO").arg("server").query_async(&mut redis).await?;
        let redis_pid = info.lines().find_map(|line| line.strip_prefix("process_id:")).context("no process_id")?;
        Ok(cpu_of_tree(parent_of(u32::try_from(backend)?)?)? + cpu_of_tree(redis_pid.trim().parse()?)?)
    }

    /// Its database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn parent_of(pid: u32) -> Result<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)).context("no parent")?;
    Ok(parent.parse()?)
}

fn named(base: &Url, name: &str) -> Url {
    let mut url = base.clone();
    url.set_path(name);
    url
}

/// A port that nobody listens on at this moment.
fn free_address() -> Result<SocketAddr> {
    Ok(std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
