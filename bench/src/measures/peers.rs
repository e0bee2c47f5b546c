//! What others do with jobs without work, on the same machine in the same run, each tuned as its pages advise. The
//! programs are in `bench/peers`; `bench/peers/install` puts into `target/peers` what they need.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{process::Command, time::timeout};

use super::{Pairs, ledger};
use crate::{
    figure::{Aim, Figure},
    ground::{Ground, Place},
};

/// How long a peer may take.
const RUN_MAX: Duration = Duration::from_mins(5);

/// A peer: a program that is told how many jobs, and prints how many a second it did.
pub struct Peer {
    name: &'static str,
    /// The program, and what stands before the number of jobs; paths are from the folder of the repository.
    program: &'static str,
    arguments: &'static [&'static str],
    jobs: usize,
    /// Whether a job that was taken survives a crash of the machine.
    is_durable: bool,
}

pub const BULLMQ: Peer =
    Peer { name: "peer_bullmq", program: "node", arguments: &["target/peers/bullmq.mjs"], jobs: 50_000, is_durable: false };
pub const CELERY: Peer = Peer {
    name: "peer_celery",
    program: "target/peers/python/bin/python",
    arguments: &["bench/peers/celery_noop.py"],
    jobs: 10_000,
    is_durable: false,
};
pub const SIDEKIQ: Peer =
    Peer { name: "peer_sidekiq", program: "ruby", arguments: &["bench/peers/sidekiq_noop.rb"], jobs: 50_000, is_durable: false };
pub const PG_BOSS: Peer =
    Peer { name: "peer_pgboss", program: "node", arguments: &["target/peers/pg_boss.mjs"], jobs: 50_000, is_durable: true };
pub const APALIS_POSTGRES: Peer = Peer {
    name: "peer_apalis_postgres",
    program: "target/peers/vouch-bench-apalis-postgres",
    arguments: &[],
    jobs: 50_000,
    is_durable: true,
};

/// Our jobs without work a second, beside the peer's, in turns.
pub async fn beside(ground: &Ground, peer: &Peer) -> Result<Vec<Figure>> {
    let mut pairs = Pairs::default();
    for _ in 0..ground.runs {
        let place = ground.place().await?;
        let theirs = rate(&place, peer, ground.amount(peer.jobs, 500)).await;
        ground.clear(place).await?;
        // A peer that failed ends it before ours is measured.
        let theirs = theirs?;
        pairs.push(ledger::jobs_per_second(ground).await?, theirs);
    }
    let aim = if peer.is_durable { Aim::AtLeast(1.0) } else { Aim::Shown };
    let mut figure = pairs.figure(peer.name, "jobs/s", aim);
    figure.notes.push(if peer.is_durable {
        "durable: a job is committed in Postgres".to_owned()
    } else {
        "not durable: a job is in the memory of Redis alone, and Vouch's is committed in Postgres".to_owned()
    });
    Ok(vec![figure])
}

async fn rate(place: &Place, peer: &Peer, jobs: usize) -> Result<f64> {
    let mut command = Command::new(program(peer.program));
    command.args(peer.arguments).arg(jobs.to_string()).current_dir(root());
    command.env("DATABASE_URL", place.database.as_str()).env("REDIS_URL", place.redis.as_str());
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    let log = place.folder().join("peer.log");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(std::fs::File::create(&log)?).kill_on_drop(true);
    let output =
        timeout(RUN_MAX, command.spawn().context(peer.program)?.wait_with_output()).await.context("it takes too long")??;
    let said = String::from_utf8_lossy(&output.stdout);
    let failure = || format!("{} said: {}", peer.program, last_lines(&log));
    anyhow::ensure!(output.status.success(), failure());
    said.lines().last().and_then(|line| line.trim().parse().ok()).with_context(failure)
}

/// A program of the repository's folder, or one that the system has.
pub(super) fn program(name: &str) -> PathBuf {
    if name.contains('/') { root().join(name) } else { PathBuf::from(name) }
}

pub(super) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// How a log ends.
pub(super) fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(3).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}
