//! `scripts/bench`: measures what a deployment pays for, beside what it could at best cost.
//!
//! Each side of a comparison is measured in the same run, one after the other and several times; the median of the
//! ratios counts, because machines differ and are noisy. `docs/performance.md` has the results.
#![allow(clippy::disallowed_methods, reason = "measurements look at the database, the clock and the environment from outside")]

mod figure;
mod ground;
mod load;
mod measures;
mod pgbench;
mod process;

use std::{process::ExitCode, sync::OnceLock, time::Duration};

use anyhow::Result;
use clap::Parser;
use tokio::time::{Instant, interval};

use figure::{Figure, print_table};
use ground::Ground;
use measures::{ALL, Measure, PEERS};

/// Measures what Vouch costs, beside what it could at best cost.
#[derive(Debug, Parser)]
#[command(name = "scripts/bench")]
struct Options {
    /// Lists the measures and does nothing
    #[arg(long)]
    list: bool,
    /// Only this measure; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Measures the peers too, as far as they can be had here
    #[arg(long)]
    peers: bool,
    /// Little of everything: shows that the measures run; the figures say nothing
    #[arg(long)]
    quick: bool,
    /// How often each side of a comparison is measured
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Prints one JSON object a line instead of the table
    #[arg(long)]
    json: bool,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    if options.list {
        for measure in ALL.iter().chain(PEERS) {
            println!("{:<20} {}", measure.name, measure.what);
        }
        return Ok(ExitCode::SUCCESS);
    }
    for wanted in &options.only {
        anyhow::ensure!(
            ALL.iter().chain(PEERS).any(|measure| measure.name == wanted),
            "there is no measure {wanted}; --list names them"
        );
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(&options))
}

async fn run(options: &Options) -> Result<ExitCode> {
    let runs = if options.quick { 1 } else { options.runs.max(1) };
    let ground = Ground::prepare(options.quick, runs).await?;
    let (mut figures, mut is_well) = (Vec::new(), true);
    let is_named = |measure: &Measure| options.only.iter().any(|name| name == measure.name);
    let ours = ALL.iter().filter(|measure| options.only.is_empty() || is_named(measure)).map(|measure| (measure, false));
    let peers = PEERS.iter().filter(|measure| if options.only.is_empty() { options.peers } else { is_named(measure) });
    for (measure, is_peer) in ours.chain(peers.map(|measure| (measure, true))) {
        eprintln!("{:<20} {}", measure.name, measure.what);
        let began = Instant::now();
        match (measure.run)(&ground).await {
            Ok(found) => {
                eprintln!("{:<20} measured in {:.0} s", "", began.elapsed().as_secs_f64());
                if options.json {
                    found.iter().for_each(Figure::print_json);
                }
                figures.extend(found);
            }
            Err(error) if is_peer => eprintln!("{:<20} left out: {error:#}", ""),
            // One that can't be measured here does not keep the others back.
            Err(error) => {
                eprintln!("{:<20} could not be measured: {error:#}", "");
                is_well = false;
            }
        }
    }
    if !options.json {
        print_table(&figures);
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The client of all calls: no proxy, no redirect.
fn client() -> reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    let make = || {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        client.timeout(Duration::from_mins(2)).build().unwrap_or_default()
    };
    CLIENT.get_or_init(make).clone()
}

/// Looks again and again, every few milliseconds, until something is there.
async fn patience<T>(at_most: Duration, what: &str, look: impl AsyncFn() -> Option<T>) -> Result<T> {
    let began = Instant::now();
    let mut ticks = interval(Duration::from_millis(5));
    while began.elapsed() < at_most {
        ticks.tick().await;
        if let Some(found) = look().await {
            return Ok(found);
        }
    }
    anyhow::bail!("waited {at_most:?} in vain for {what}")
}
