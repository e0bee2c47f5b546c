//! The programs as operators run them, each with a proxy of its own before Postgres.

use std::{
    fs::File,
    net::SocketAddr,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::process::{Child, Command};
use vouch_tests::proxy::Proxy;

use crate::{check::facts::Process, patience, servers::signal};

/// How long a program may take until it answers.
const START_MAX: Duration = Duration::from_secs(60);
/// How long a program may take to end after SIGTERM: 30 seconds of grace, and what a slow machine needs.
pub const STOP_MAX: Duration = Duration::from_secs(60);

/// One program: an api or a worker.
pub struct Program {
    pub name: String,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// Before its environment: another clock.
    pub clock: Vec<(String, String)>,
    pub log: PathBuf,
    /// Where it serves health and numbers.
    pub address: SocketAddr,
    pub postgres: Proxy,
    child: Option<Child>,
    pub kills: usize,
}

/// What a program is started with.
pub struct Plan {
    pub name: String,
    pub binary: &'static str,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    pub log: PathBuf,
    pub address: SocketAddr,
    pub postgres: Proxy,
}

impl Program {
    pub fn new(plan: Plan) -> Result<Self> {
        let program = std::env::current_exe()?.with_file_name(plan.binary);
        anyhow::ensure!(program.exists(), "{} is not built: run scripts/faults", program.display());
        Ok(Self {
            name: plan.name,
            program,
            arguments: plan.arguments,
            environment: plan.environment,
            clock: Vec::new(),
            log: plan.log,
            address: plan.address,
            postgres: plan.postgres,
            child: None,
            kills: 0,
        })
    }

    /// Starts it, if it does not run. It may not be ready yet.
    pub fn start(&mut self) -> Result<()> {
        if self.is_running() {
            return Ok(());
        }
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(&self.program).args(&self.arguments);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("RUST_LOG", "info").envs(self.environment.iter().cloned());
        command.envs(self.clock.iter().cloned());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        self.child = Some(command.spawn().with_context(|| self.name.clone())?);
        Ok(())
    }

    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Its number, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Its exit status, when it was started and has ended by itself.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().and_then(|child| child.try_wait().ok().flatten())
    }

    /// Waits until it serves its health.
    pub async fn wait_until_up(&self) -> Result<()> {
        let url = format!("http://{}/healthz", self.address);
        let client = crate::client();
        patience(START_MAX, &format!("{} to start", self.name), async || {
            client.get(&url).send().await.ok().filter(|answer| answer.status().is_success()).map(drop)
        })
        .await
    }

    /// `kill -9`, and waits until it is gone. Whether it ran.
    pub async fn kill(&mut self) -> Result<bool> {
        let is_running = self.is_running();
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        self.kills += usize::from(is_running);
        Ok(is_running)
    }

    pub async fn signal(&self, name: &str) -> Result<()> {
        signal(name, self.id().context("it does not run")?).await
    }

    /// Waits until it has ended by itself; its exit code.
    pub async fn wait_for_end(&mut self) -> Result<Option<i32>> {
        let child = self.child.as_mut().context("it does not run")?;
        let ended = tokio::time::timeout(STOP_MAX, child.wait()).await.context("it did not end")??;
        self.child = None;
        Ok(ended.code())
    }

    /// The most memory that it ever had, and its files and threads, while it runs.
    pub fn usage(&self) -> Option<Process> {
        let pid = self.id()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let number = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        Some(Process {
            name: self.name.clone(),
            rss_mib: number("VmHWM:")? / 1024,
            files: std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count(),
            threads: usize::try_from(number("Threads:")?).ok()?,
        })
    }
}
