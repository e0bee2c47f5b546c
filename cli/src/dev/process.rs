//! The programs of `vouch dev`: private servers, and the roles of the Procfile.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::{
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
    time::timeout,
};

/// Starts and stops private servers; the same script serves the tests.
const SERVERS_SCRIPT: &str = include_str!("../../../scripts/servers");
/// How often the roles are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// How long a role may take to stop by itself.
const STOP_TIMEOUT: Duration = Duration::from_secs(35);

/// Waits for Ctrl-C or a signal to stop.
///
/// # Errors
///
/// When signals can't be listened to.
pub async fn wait_for_signal() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
    Ok(())
}

/// A private Postgres and Redis.
pub struct Servers {
    /// The database.
    pub database_url: String,
    /// Redis.
    pub redis_url: String,
    dir: PathBuf,
    is_stopped: bool,
}

impl Servers {
    /// Starts both in a folder.
    ///
    /// # Errors
    ///
    /// When they are not installed or do not start.
    pub async fn start(dir: &Path) -> Result<Self> {
        let dir = dir.join("servers");
        // Made first, so that servers that are only half started are stopped too.
        let mut servers = Self { database_url: String::new(), redis_url: String::new(), dir, is_stopped: false };
        let output = script(&["start"], &servers.dir).output().await.context("bash can't be run")?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let find = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.map(str::to_owned).with_context(|| format!("the servers did not tell {name}"))
        };
        servers.database_url = find("DATABASE_URL")?;
        servers.redis_url = find("REDIS_URL")?;
        Ok(servers)
    }

    /// Stops both.
    pub async fn stop(mut self) {
        self.is_stopped = true;
        let _ = script(&["stop"], &self.dir).status().await;
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        if !self.is_stopped {
            let _ = std::process::Command::new("bash").args(["-c", SERVERS_SCRIPT, "servers", "stop"]).arg(&self.dir).status();
        }
    }
}

fn script(words: &[&str], dir: &Path) -> Command {
    let mut command = Command::new("bash");
    command.args(["-c", SERVERS_SCRIPT, "servers"]).args(words).arg(dir).stdin(Stdio::null());
    command
}

/// The roles that run.
pub struct Children {
    logs: PathBuf,
    settings: BTreeMap<String, String>,
    running: Mutex<Vec<Running>>,
}

/// A role that runs.
struct Running {
    role: &'static str,
    line: &'static str,
    child: Child,
}

impl Running {
    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Children {
    /// Prepares roles that log into a folder and share their settings.
    #[must_use]
    pub fn new(logs: PathBuf, settings: BTreeMap<String, String>) -> Self {
        Self { logs, settings, running: Mutex::default() }
    }

    /// Where the roles log.
    #[must_use]
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// Runs a line to its end.
    ///
    /// # Errors
    ///
    /// When it fails; the text is what it said.
    pub async fn run_to_end(&self, line: &str) -> Result<()> {
        let output = self.command(line)?.output().await?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    /// Starts a line and keeps it running.
    ///
    /// # Errors
    ///
    /// When the program is not there.
    pub fn start(&self, role: &'static str, line: &'static str) -> Result<()> {
        let child = self.spawn(role, line)?;
        self.running.lock().unwrap_or_else(PoisonError::into_inner).push(Running { role, line, child });
        Ok(())
    }

    fn spawn(&self, role: &str, line: &str) -> Result<Child> {
        let log = File::options().create(true).append(true).open(self.logs.join(format!("{role}.log")))?;
        let child = self.command(line)?.stdout(log.try_clone()?).stderr(log).kill_on_drop(true).spawn();
        child.with_context(|| format!("`{line}` can't be started"))
    }

    /// Waits until any role ends; returns its name.
    pub async fn wait_for_any(&self) -> &'static str {
        loop {
            if let Some(role) = self.first_ended() {
                return role;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    fn first_ended(&self) -> Option<&'static str> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.iter_mut().find_map(|role| role.has_ended().then_some(role.role))
    }

    /// Starts again what has ended.
    fn revive(&self) {
        for role in self.running.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            if role.has_ended()
                && let Ok(child) = self.spawn(role.role, role.line)
            {
                eprintln!("{} ended and was started again; its log is in {}", role.role, self.logs.display());
                role.child = child;
            }
        }
    }

    /// Starts every role again that ended, for ever, as a platform would.
    pub async fn keep_alive(&self) -> ! {
        loop {
            self.revive();
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Asks every role to stop, and waits for it.
    pub async fn stop(self) {
        let running = self.running.into_inner().unwrap_or_else(PoisonError::into_inner);
        for role in &running {
            if let Some(id) = role.child.id() {
                let _ = Command::new("kill").args(["-TERM", &id.to_string()]).status().await;
            }
        }
        for mut role in running {
            if timeout(STOP_TIMEOUT, role.child.wait()).await.is_err() {
                let _ = role.child.kill().await;
            }
        }
    }

    /// A line of the Procfile as a command; the programs are those beside this one.
    fn command(&self, line: &str) -> Result<Command> {
        let mut words = line.split_whitespace();
        let program = words.next().context("an empty line")?;
        let here = std::env::current_exe()?;
        let beside = here.parent().context("no folder")?.join(program);
        let mut command = Command::new(if beside.exists() { beside } else { PathBuf::from(program) });
        command.args(words).envs(&self.settings).stdin(Stdio::null());
        Ok(command)
    }
}
