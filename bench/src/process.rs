//! Programs as operators run them, and what they cost by `/proc`.

use std::{fs::File, net::SocketAddr, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result};
use tokio::process::{Child, Command};

use crate::patience;

/// How long a program may take until it answers.
const START_MAX: Duration = Duration::from_secs(60);
/// Clock ticks a second in `/proc`; Linux has no other figure on the machines that Vouch runs on.
const TICKS_A_SECOND: f64 = 100.0;

/// A program that runs; it is killed when this is dropped.
pub struct Program {
    child: Child,
    pub pid: u32,
    /// Where it serves health and numbers.
    pub address: SocketAddr,
}

impl Program {
    /// Starts `vouch-api` or `vouch-worker`; it may not be ready yet.
    pub fn start(
        binary: &str,
        arguments: &[String],
        settings: &[(String, String)],
        folder: &Path,
        address: SocketAddr,
    ) -> Result<Self> {
        let program = std::env::current_exe()?.with_file_name(binary);
        anyhow::ensure!(program.exists(), "{} is not built: run scripts/bench", program.display());
        let log = File::options().create(true).append(true).open(folder.join(format!("{binary}.log")))?;
        let mut command = Command::new(program);
        command.args(arguments).env_clear().env("RUST_LOG", "warn").envs(settings.iter().cloned());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        let child = command.spawn().context(binary.to_owned())?;
        let pid = child.id().context("it ended at once")?;
        Ok(Self { child, pid, address })
    }

    /// Waits until it says that it is ready.
    pub async fn wait_until_ready(&self) -> Result<()> {
        let (url, client) = (format!("http://{}/readyz", self.address), crate::client());
        patience(START_MAX, "a program to start", async || {
            client.get(&url).send().await.ok().filter(|answer| answer.status().is_success()).map(drop)
        })
        .await
    }

    /// The sum of its numbers whose line begins so.
    pub async fn number(&self, beginning: &str) -> Result<f64> {
        let text = crate::client().get(format!("http://{}/metrics", self.address)).send().await?.text().await?;
        let values = text
            .lines()
            .filter(|line| line.starts_with(beginning))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        Ok(values.sum())
    }

    /// Ends it as operators do, and waits for it.
    pub async fn stop(mut self) -> Result<()> {
        self.signal("TERM").await?;
        self.child.wait().await?;
        Ok(())
    }

    /// Lets it do nothing until it is to [go on](Self::go_on).
    pub async fn stand_still(&self) -> Result<()> {
        self.signal("STOP").await
    }

    /// Lets it go on where it stands still.
    pub async fn go_on(&self) -> Result<()> {
        self.signal("CONT").await
    }

    async fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("kill").args(["-s", name, &self.pid.to_string()]).status().await?;
        anyhow::ensure!(status.success(), "the program could not be sent {name}: it has ended");
        Ok(())
    }

    /// Most memory that it ever had, in MiB.
    pub fn peak_mib(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("no VmHWM")?;
        let kib: f64 = line.split_whitespace().nth(1).context("no figure")?.parse()?;
        Ok(kib / 1024.0)
    }
}

/// Seconds of CPU that a process and all that it started have used, those that have ended included.
pub fn cpu_of_tree(root: u32) -> Result<f64> {
    let mut total = 0.0;
    let mut waiting = vec![root];
    while let Some(pid) = waiting.pop() {
        // A process may end while we look.
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let fields: Vec<&str> = stat.rsplit_once(')').context("no name")?.1.split_whitespace().collect();
        // utime, stime, and the same of children that were waited for.
        for place in 11..15 {
            total += fields.get(place).context("too few fields")?.parse::<f64>()? / TICKS_A_SECOND;
        }
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        waiting.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
    }
    Ok(total)
}

/// Seconds of CPU that this thread has used.
pub fn cpu_of_thread() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = stat.split_whitespace().next().context("no figure")?.parse()?;
    Ok(nanoseconds / 1e9)
}
