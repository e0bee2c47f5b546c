//! Postgres and Redis of the harness' own, on ports that stay, which can be killed and started again.
//!
//! Postgres commits synchronously, so nothing that was committed goes with a process; only `fsync` is off, which
//! guards against the machine's end and not against the server's. Both die with the harness (`setpriv --pdeathsig`).

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::{
    process::{Child, Command},
    sync::Mutex,
};
use vouch_common::domain::effect::Queue;

use crate::patience;

/// How long a server may take to start, recovery included.
const START_MAX: Duration = Duration::from_secs(90);

/// A port that nothing listens on, below those that the system gives to clients.
pub fn free_port() -> u16 {
    (0..500)
        .map(|_| 12_000 + u16::try_from(uuid::Uuid::new_v4().as_u128() % 18_000).unwrap_or_default())
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap_or(29_999)
}

/// Whether this process is root's: Postgres must then be another user's.
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|found| found.uid() == 0)
}

/// Sends a signal to a process that the harness started.
pub async fn signal(name: &str, pid: u32) -> Result<()> {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).stderr(Stdio::null()).status().await?;
    if !sent.success() {
        bail!("the process {pid} is not there");
    }
    Ok(())
}

fn log(path: &Path) -> Result<(Stdio, Stdio)> {
    let file = File::options().create(true).append(true).open(path)?;
    Ok((file.try_clone()?.into(), file.into()))
}

/// A private Postgres.
pub struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    pub port: u16,
    child: Mutex<Option<Child>>,
}

impl Postgres {
    pub async fn start(folder: &Path) -> Result<Self> {
        let folder = folder.join("postgres");
        std::fs::create_dir_all(&folder)?;
        let server = Self { programs: newest_postgres()?, folder, port: free_port(), child: Mutex::new(None) };
        if is_root() {
            let given = Command::new("chown").arg("postgres:").arg(&server.folder).status().await?;
            anyhow::ensure!(given.success(), "the folder could not be given to postgres");
        }
        let mut made = server.command("initdb");
        made.arg("--pgdata").arg(&server.folder);
        made.args(["--username=vouch", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]);
        let made = made.stdout(Stdio::null()).status().await.context("initdb")?;
        anyhow::ensure!(made.success(), "initdb failed");
        server.up().await?;
        Ok(server)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "QUIT"]).current_dir("/");
        if is_root() {
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        }
        command.arg("--").arg(self.programs.join(program));
        command
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://vouch@127.0.0.1:{}/{database}", self.port)
    }

    pub fn log(&self) -> PathBuf {
        self.folder.with_file_name("postgres.log")
    }

    /// Starts it, if it does not run, and waits until it takes connections.
    pub async fn up(&self) -> Result<()> {
        let mut child = self.child.lock().await;
        if child.is_none() {
            let (out, err) = log(&self.log())?;
            let mut command = self.command("postgres");
            command.arg("-D").arg(&self.folder).arg("-p").arg(self.port.to_string());
            for setting in [
                "listen_addresses=127.0.0.1",
                "unix_socket_directories=",
                "max_connections=400",
                "shared_buffers=128MB",
                "fsync=off",
                "full_page_writes=off",
            ] {
                command.args(["-c", setting]);
            }
            *child = Some(command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().context("postgres")?);
        }
        patience(START_MAX, "Postgres to start", async || {
            let mut ready = Command::new(self.programs.join("pg_isready"));
            ready.args(["-q", "-h", "127.0.0.1", "-U", "vouch", "-p"]).arg(self.port.to_string());
            ready.status().await.is_ok_and(|status| status.success()).then_some(())
        })
        .await
    }

    /// Ends it at once, without a checkpoint, as `pg_ctl stop -m immediate` does.
    pub async fn stop(&self) -> Result<()> {
        if let Some(mut child) = self.child.lock().await.take() {
            signal("QUIT", child.id().context("Postgres is gone")?).await?;
            child.wait().await?;
        }
        Ok(())
    }
}

fn newest_postgres() -> Result<PathBuf> {
    let version = |path: &PathBuf| path.parent().and_then(|parent| parent.file_name()?.to_str()?.parse::<u32>().ok());
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|path| path.join("initdb").exists())
        .collect();
    let paths = std::env::var("PATH").unwrap_or_default();
    found.sort_by_key(version);
    let elsewhere = std::env::split_paths(&paths).find(|path| path.join("initdb").exists());
    found.pop().or(elsewhere).context("Postgres is not installed: run scripts/servers install")
}

/// A private Redis that saves only when it is told to.
pub struct Redis {
    folder: PathBuf,
    pub port: u16,
    child: Mutex<Option<Child>>,
}

impl Redis {
    pub async fn start(folder: &Path) -> Result<Self> {
        let folder = folder.join("redis");
        std::fs::create_dir_all(&folder)?;
        let server = Self { folder, port: free_port(), child: Mutex::new(None) };
        server.up().await?;
        Ok(server)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub fn log(&self) -> PathBuf {
        self.folder.with_file_name("redis.log")
    }

    fn dump(&self) -> PathBuf {
        self.folder.join("dump.rdb")
    }

    /// Starts it, if it does not run; it reads its dump, if there is one.
    pub async fn up(&self) -> Result<()> {
        let mut child = self.child.lock().await;
        if child.is_none() {
            let (out, err) = log(&self.log())?;
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL", "--", "redis-server", "--bind", "127.0.0.1", "--save", ""]);
            command.args(["--appendonly", "no", "--rdbcompression", "no", "--port"]).arg(self.port.to_string());
            command.arg("--dir").arg(&self.folder).stdin(Stdio::null()).stdout(out).stderr(err);
            *child = Some(command.spawn().context("redis-server")?);
        }
        patience(START_MAX, "Redis to start", async || self.ask(&["PING"]).await.ok()).await
    }

    /// Kills it; what it held is gone, but for an earlier dump.
    pub async fn kill(&self) -> Result<()> {
        if let Some(mut child) = self.child.lock().await.take() {
            child.kill().await?;
        }
        Ok(())
    }

    async fn connect(&self) -> Result<redis::aio::MultiplexedConnection> {
        Ok(vouch_tests::patient_redis(&self.url()).await?)
    }

    /// Sends a command and waits until it is done.
    pub async fn ask(&self, words: &[&str]) -> Result<()> {
        let mut connection = self.connect().await?;
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(*word);
        }
        command.query_async::<redis::Value>(&mut connection).await?;
        Ok(())
    }

    /// How many entries lie on all lists.
    pub async fn entries(&self) -> Result<u64> {
        let mut entries = 0;
        for queue in Queue::ALL {
            entries += self.entries_of(queue).await?;
        }
        Ok(entries)
    }

    /// How many entries lie on the list of one queue.
    pub async fn entries_of(&self, queue: Queue) -> Result<u64> {
        let mut connection = self.connect().await?;
        let key = vouch_common::adapters::redis::list_key(queue);
        Ok(redis::cmd("LLEN").arg(key).query_async(&mut connection).await?)
    }

    /// Everything that it holds, as bytes, uncompressed.
    pub async fn snapshot(&self) -> Result<Vec<u8>> {
        self.ask(&["SAVE"]).await?;
        Ok(std::fs::read(self.dump())?)
    }

    /// Forgets the dump, so that the next start is empty.
    pub fn forget_dump(&self) {
        let _ = std::fs::remove_file(self.dump());
    }
}
