//! `vouch dev`: everything on one machine. Private Postgres and Redis, every line of the Procfile, a
//! simulated vendor, a mail catcher and a stand-in for the learning platform, with keys made for the occasion.

pub mod api;
pub mod cast;
pub mod demo;
pub mod keys;
pub mod platform;
pub mod process;
pub mod seeds;
mod show;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use vouch_common::{
    clock::{Clock, SystemClock},
    domain::vendor_format::VendorFormat,
    secret::Secret,
};

use crate::{
    commands::simulate_vendor::parse_format,
    mail_catcher::MailCatcher,
    simulator::{Script, Simulator, SimulatorConfig, WireFormat, start},
};
use api::Api;
use keys::DevKeys;
use platform::Platform;
use process::{Children, Servers};
use show::Steps;

/// The roles of a deployment; `vouch dev` runs these very lines.
const PROCFILE: &str = include_str!("../../../Procfile");

/// How long a role may take until it answers.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// Run everything on this machine.
#[derive(Debug, clap::Args)]
pub struct Dev {
    /// Where data, logs and mails lie; a new temporary folder by default
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Where the api listens; a free port by default
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// How long the simulated vendor takes for a verdict
    #[arg(long, default_value = "1s", value_parser = humantime::parse_duration)]
    verdict_delay: Duration,
    /// The vendor's wire format: software-secure or sealed
    #[arg(long, default_value = "software-secure", value_parser = parse_format)]
    format: VendorFormat,
    /// Submit real photos and show what happens to them
    #[arg(long)]
    demo: bool,
    /// With --demo: stop at the end
    #[arg(long, requires = "demo")]
    once: bool,
    /// With --demo: where the sample photos are
    #[arg(long, default_value = "tests/photos")]
    photos: PathBuf,
}

/// A whole Vouch on this machine; dropping it stops every part.
pub struct World {
    /// The api, as the platform calls it.
    pub api: Api,
    /// A key with every right.
    pub api_key: String,
    /// Caught mail.
    pub mail: MailCatcher,
    /// The simulated vendor.
    pub vendor: Simulator,
    /// The stand-in for the learning platform and the payment page.
    pub platform: Platform,
    /// Where everything lies.
    pub dir: PathBuf,
    children: Children,
    // Dropped last: the servers outlive the programs that use them.
    servers: Servers,
    temporary: Option<tempfile::TempDir>,
}

impl Dev {
    /// Starts everything, shows the demo if asked, and runs until it is told to stop.
    ///
    /// # Errors
    ///
    /// When a part does not start or the demo does not arrive.
    pub async fn run(self) -> Result<()> {
        // Whatever is under way when the signal comes is dropped, and stops what it started.
        tokio::select! {
            result = self.run_to_end() => result,
            stopped = process::wait_for_signal() => stopped,
        }
    }

    async fn run_to_end(&self) -> Result<()> {
        let steps = Steps::start();
        let world = World::start(self.dir.clone(), self.listen, (self.format, self.verdict_delay), &steps).await?;
        let result = self.show(&world, &steps).await;
        if result.is_ok() {
            world.tell_where_to_look();
        }
        if result.is_ok() && !self.once {
            println!("\nPress Ctrl-C to stop.");
            world.children.keep_alive().await;
        }
        world.stop(result.is_err()).await;
        result
    }

    /// The demo, if asked; and for who looks around, somebody in every state.
    async fn show(&self, world: &World, steps: &Steps) -> Result<()> {
        if self.demo {
            demo::run(world, &self.photos, steps).await?;
        }
        if !self.once {
            seeds::plant(world, steps).await?;
            seeds::tell(world);
        }
        Ok(())
    }
}

impl World {
    /// Starts every part and waits until the api is ready.
    ///
    /// # Errors
    ///
    /// When a part does not start; its log says why.
    pub async fn start(
        dir: Option<PathBuf>,
        listen: Option<SocketAddr>,
        (format, verdict_delay): (VendorFormat, Duration),
        steps: &Steps,
    ) -> Result<Self> {
        let temporary = if dir.is_none() { Some(tempfile::Builder::new().prefix("vouch-dev.").tempdir()?) } else { None };
        let dir = dir.or_else(|| temporary.as_ref().map(|folder| folder.path().to_owned())).context("no folder")?;
        let dir = create_folders(&dir)?;
        let servers = steps.while_doing("Private Postgres and Redis", Servers::start(&dir)).await?;
        let keys = DevKeys::load_or_make(&dir.join("keys.json"))?;
        let mail = MailCatcher::start((Ipv4Addr::LOCALHOST, 0).into(), Some(dir.join("mail"))).await?;
        let vendor = start(simulator(&keys, &dir, (format, verdict_delay))?).await.context("the simulated vendor can't start")?;
        steps.done(&format!("Simulated vendor on http://{}, mail catcher on {}", vendor.addr(), mail.address()));
        let listen = match listen {
            Some(listen) => listen,
            None => free_address()?,
        };
        let api = Api::new(&format!("http://{listen}"), &keys.api_key, &keys.jwt_secret)?;
        let platform = Platform::start((Ipv4Addr::LOCALHOST, 0).into(), api.clone(), &keys).await?;
        steps.done(&format!("Stand-in for the learning platform on {}", platform.url()));
        let mut settings = settings(&keys, &servers, &dir, (listen, vendor.addr(), mail.address()));
        settings.insert("VOUCH_VENDOR_FORMAT".to_owned(), format.as_str().to_owned());
        settings.extend(platform.settings(&keys).map(|(name, value)| (name.to_owned(), value)));
        let children = Children::new(dir.join("logs"), settings);
        let release = steps.while_doing("vouch migrate", children.run_to_end(line("release")?)).await;
        release.context("the database was not migrated")?;
        for (role, command) in lines().filter(|(role, _)| *role != "release") {
            children.start(role, command)?;
        }
        steps.while_doing("Every role of the Procfile", wait_until_ready(&api.url, &children)).await?;
        let api_key = keys.api_key.clone();
        Ok(Self { api, api_key, mail, vendor, platform, dir, children, servers, temporary })
    }

    fn tell_where_to_look(&self) {
        println!("\nWhere to look");
        println!("  sign in            {}/login", self.platform.url());
        println!("  the console        {}/ops, with the key {}", self.api.url, self.api_key);
        println!("  the api's page     {}/docs", self.api.url);
        println!("  the vendor's view  http://{}/_journal", self.vendor.addr());
        println!("  mails              {}", self.dir.join("mail").display());
        println!("  logs               {}", self.dir.join("logs").display());
        println!("  database           {}", self.servers.database_url);
        println!(
            "  an attempt         VOUCH_API_URL={} VOUCH_API_KEY={} vouch attempts show RECEIPT",
            self.api.url, self.api_key
        );
    }

    /// Stops every part in order. After a fault the folder is kept, and told.
    pub async fn stop(self, is_kept: bool) {
        let Self { children, servers, temporary, vendor, dir, .. } = self;
        children.stop().await;
        drop(vendor);
        servers.stop().await;
        if is_kept && let Some(folder) = temporary {
            let _ = folder.keep();
            eprintln!("The logs are in {}", dir.join("logs").display());
        }
    }
}

fn create_folders(dir: &Path) -> Result<PathBuf> {
    for folder in ["objects", "mail", "logs"] {
        std::fs::create_dir_all(dir.join(folder)).with_context(|| format!("{} can't be made", dir.display()))?;
    }
    // As root the database runs as a user of its own, who must be able to pass.
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755))?;
    Ok(dir.canonicalize()?)
}

fn simulator(keys: &DevKeys, dir: &Path, (format, verdict_delay): (VendorFormat, Duration)) -> Result<SimulatorConfig> {
    let format = match format {
        VendorFormat::SoftwareSecure => WireFormat::SoftwareSecure { face_key: keys.face_key()? },
        VendorFormat::Sealed => WireFormat::Sealed,
    };
    Ok(SimulatorConfig {
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        access_key: keys.vendor_access_key.clone(),
        secret_key: Secret::new(keys.vendor_secret.clone()),
        private_key: keys.vendor_private_key()?,
        format,
        journal: Some(dir.join("vendor-journal.jsonl")),
        verdict_delay,
        script: Script::default(),
        clock: Arc::new(|| SystemClock.now()),
    })
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// The settings of a deployment on this machine.
fn settings(
    keys: &DevKeys,
    servers: &Servers,
    dir: &Path,
    (api, vendor, mail): (SocketAddr, SocketAddr, SocketAddr),
) -> BTreeMap<String, String> {
    let storage = url::Url::from_file_path(dir.join("objects")).map(String::from).unwrap_or_default();
    [
        ("DATABASE_URL", servers.database_url.clone()),
        ("REDIS_URL", servers.redis_url.clone()),
        ("VOUCH_STORAGE_URL", storage),
        ("VOUCH_MASTER_KEYS", keys.master_keys.clone()),
        ("VOUCH_ERASURE_KEY", keys.erasure_key.clone()),
        ("VOUCH_PUBLIC_URL", format!("http://{api}")),
        ("VOUCH_LISTEN", api.to_string()),
        ("VOUCH_PLATFORM_NAME", "Vouch Demo".to_owned()),
        ("VOUCH_JWT_SECRET", keys.jwt_secret.clone()),
        ("VOUCH_BOOTSTRAP_API_KEY", keys.api_key.clone()),
        ("VOUCH_VENDOR_URL", format!("http://{vendor}/")),
        ("VOUCH_VENDOR_ACCESS_KEY", keys.vendor_access_key.clone()),
        ("VOUCH_VENDOR_SECRET_KEYS", keys.vendor_secret.clone()),
        ("VOUCH_VENDOR_RSA_PUBLIC_KEY", keys.vendor_public_pem.clone()),
        ("VOUCH_VENDOR_FACE_KEY", keys.face_key_hex.clone()),
        ("VOUCH_SMTP_URL", format!("smtp://{mail}")),
        ("VOUCH_MAIL_FROM", "Vouch Demo <vouch@example.com>".to_owned()),
        ("VOUCH_EMBARGO", "true".to_owned()),
        ("VOUCH_DATABASE_CONNECTIONS", "10".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn lines() -> impl Iterator<Item = (&'static str, &'static str)> {
    PROCFILE.lines().filter_map(|line| line.split_once(':')).map(|(role, command)| (role.trim(), command.trim()))
}

fn line(role: &str) -> Result<&'static str> {
    lines()
        .find(|(name, _)| *name == role)
        .map(|(_, command)| command)
        .with_context(|| format!("the Procfile has no line {role}"))
}

async fn wait_until_ready(api_url: &str, children: &Children) -> Result<()> {
    let client = reqwest::Client::new();
    let ready = async {
        loop {
            let answer = client.get(format!("{api_url}/readyz")).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        done = tokio::time::timeout(START_TIMEOUT, ready) => done.context("the api did not become ready")?,
        ended = children.wait_for_any() => anyhow::bail!("{ended} ended at its start; its log is in {}", children.logs().display()),
    }
}
