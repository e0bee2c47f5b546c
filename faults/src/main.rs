//! `scripts/faults`: breaks real programs and servers on purpose, and checks what must hold all the same.
//!
//! Each scenario gets an api and three workers, a Postgres database and a Redis of its own, a simulated vendor and a
//! mail server with journals, and proxies in every line. It does its harm; then everything is healed, the harness
//! waits until nothing is left to do, and [`check`] looks at what came of it. `docs/reliability.md` has the results.
#![allow(clippy::disallowed_methods, reason = "the harness looks at the database, the clock and the environment from outside")]

mod check;
mod dice;
mod disk;
mod gather;
mod ground;
mod learners;
mod markers;
mod process;
mod random;
mod report;
mod run;
mod scenarios;
mod servers;
mod smtp;
mod stage;

use std::{path::PathBuf, process::ExitCode, sync::OnceLock, time::Duration};

use anyhow::{Context, Result};
use clap::Parser;
use tokio::time::{Instant, interval};

use report::Teller;
use scenarios::{ALL, Numbered, Scenario};

/// Breaks Vouch on purpose, and checks that nothing is lost and nothing happens twice.
#[derive(Debug, Parser)]
#[command(name = "scripts/faults")]
struct Options {
    /// Lists the scenarios and does nothing
    #[arg(long)]
    list: bool,
    /// Only this scenario, by name or number; may be given several times
    #[arg(long, value_name = "NAME|NUMBER")]
    only: Vec<String>,
    /// The short set, as `scripts/test` runs it
    #[arg(long)]
    short: bool,
    /// Rounds of harms that dice choose, for so long or until so many programs were killed
    #[arg(long, value_name = "DURATION|KILLS", conflicts_with_all = ["only", "short"])]
    random: Option<random::Extent>,
    /// Throws the dice of an earlier run again
    #[arg(long)]
    seed: Option<u64>,
    /// How many scenarios run side by side, each with servers of its own
    #[arg(long, default_value_t = 3)]
    lanes: usize,
    /// Prints the outcomes as JSON instead of the table
    #[arg(long)]
    json: bool,
    /// Keeps the folder with logs and journals also when all is well
    #[arg(long)]
    keep: bool,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    if options.list {
        for (number, scenario) in (1..).zip(ALL) {
            let short = if scenario.is_short { "short" } else { "" };
            println!("{number:>3}  {:<32} {short:<6} {}", scenario.name, scenario.what);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = choose(&options)?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(run_all(&options, &chosen));
    runtime.shutdown_timeout(Duration::from_secs(2));
    code
}

fn choose(options: &Options) -> Result<Vec<Numbered>> {
    let numbered = || (1..).zip(ALL);
    for wanted in &options.only {
        let is_known = numbered().any(|(number, scenario)| *wanted == scenario.name || *wanted == number.to_string());
        anyhow::ensure!(is_known, "there is no scenario {wanted}; --list names them");
    }
    let is_chosen = |number: usize, scenario: &Scenario| {
        let is_named = options.only.iter().any(|wanted| *wanted == scenario.name || *wanted == number.to_string());
        if options.only.is_empty() { scenario.is_short || !options.short } else { is_named }
    };
    Ok(numbered().filter(|(number, scenario)| is_chosen(*number, scenario)).collect())
}

async fn run_all(options: &Options, chosen: &[Numbered]) -> Result<ExitCode> {
    let teller = Teller::new();
    let seed = options.seed.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 % 1_000_000_000);
    let folder = std::env::temp_dir().join(format!("vouch-faults.{}", std::process::id()));
    make_folder(&folder)?;
    let again = options.random.map_or_else(String::new, |extent| format!("--random {extent} "));
    teller.say(&format!("seed {seed}; the same dice again: scripts/faults {again}--seed {seed}"));
    let ways = (&teller, run::Lanes(options.lanes));
    let done = match options.random {
        Some(extent) => random::run(&folder, seed, extent, ways).await,
        None => run::all(&folder, seed, chosen, ways).await,
    };
    let is_well = done.as_ref().is_ok_and(|outcomes| !outcomes.iter().any(report::Outcome::is_broken));
    if is_well && !options.keep {
        std::fs::remove_dir_all(&folder)?;
    } else {
        std::fs::write(folder.join("seed"), seed.to_string())?;
        teller.say(&format!("logs and journals of seed {seed}: {}", folder.display()));
    }
    let mut outcomes = done?;
    if options.json {
        report::print_json(seed, &outcomes);
        return Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if options.random.is_some() {
        println!("{}", report::sum(&outcomes));
        outcomes.retain(report::Outcome::is_broken);
    }
    if !outcomes.is_empty() {
        teller.table(&outcomes);
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The folder of this run; the user of Postgres must be able to walk through it.
fn make_folder(folder: &PathBuf) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(folder).context("the folder of this run")?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// The client of all calls: no proxy, no redirect.
fn client() -> reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    let make = || {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        client.timeout(Duration::from_secs(60)).build().unwrap_or_default()
    };
    CLIENT.get_or_init(make).clone()
}

/// Looks again and again until something is there.
async fn patience<T>(at_most: Duration, what: &str, look: impl AsyncFn() -> Option<T>) -> Result<T> {
    let began = Instant::now();
    let mut ticks = interval(Duration::from_millis(30));
    while began.elapsed() < at_most {
        ticks.tick().await;
        if let Some(found) = look().await {
            return Ok(found);
        }
    }
    anyhow::bail!("waited {at_most:?} in vain for {what}")
}
