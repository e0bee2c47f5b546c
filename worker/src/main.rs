//! The program `vouch-worker`.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};
use tokio::signal::unix::{SignalKind, signal};
use vouch_common::{
    config::{Program, Settings, Source, help},
    domain::effect::Queue,
    operations::read_sealings,
    telemetry::{self, numbers::Numbers},
};
use vouch_worker::{
    Stop,
    options::{GRACE_DEFAULT, Options, parse_concurrency, parse_queues},
    services::Services,
    status,
};

/// A job without work costs a sixth less CPU than with the system's allocator (docs/performance.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Vouch's jobs: photos, the vendor, verdicts, credit, mail, events, upkeep.
#[derive(Debug, Parser)]
#[command(name = "vouch-worker", version)]
struct Arguments {
    /// The queues whose jobs it takes, comma separated; all by default
    #[arg(long, value_parser = queues, env = "VOUCH_QUEUES")]
    queues: Option<QueueList>,
    /// Whether it carries a relay, which moves due jobs from Postgres to Redis
    #[arg(long, default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    relay: bool,
    /// How many jobs of a queue run at once, as vendor=50; may be given several times
    #[arg(long, value_parser = parse_concurrency, value_delimiter = ',')]
    concurrency: Vec<(Queue, usize)>,
    /// Where to serve /healthz, /readyz and /metrics, as 127.0.0.1:9090
    #[arg(long, env = "VOUCH_METRICS_LISTEN")]
    metrics_listen: Option<SocketAddr>,
    /// For how many seconds running jobs may go on after the signal to stop; then they are given back
    #[arg(long, env = "VOUCH_GRACE", default_value_t = GRACE_DEFAULT.as_secs(), value_parser = clap::value_parser!(u64).range(0..=3600))]
    grace: u64,
}

/// A list of queues; a type of its own, so that one argument holds them all.
#[derive(Debug, Clone)]
struct QueueList(Vec<Queue>);

fn queues(text: &str) -> Result<QueueList, String> {
    parse_queues(text).map(QueueList)
}

fn main() -> anyhow::Result<()> {
    let command = Arguments::command().after_help(help(Program::Worker));
    let arguments = Arguments::from_arg_matches(&command.get_matches())?;
    let settings = Settings::read(&Source::from_environment()?, Program::Worker)?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let telemetry = telemetry::start("vouch-worker", settings.otlp_endpoint.as_ref(), runtime.handle())?;
    runtime.block_on(async {
        let worked = work(settings, arguments).await;
        telemetry.stop().await;
        worked
    })?;
    // A photo that is still being decoded must not hold up the end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(())
}

async fn work(settings: Settings, arguments: Arguments) -> anyhow::Result<()> {
    let options = Options {
        queues: arguments.queues.map_or_else(|| Queue::ALL.to_vec(), |list| list.0),
        has_relay: arguments.relay,
        concurrency: arguments.concurrency.into_iter().collect(),
        metrics_listen: arguments.metrics_listen,
        grace: Duration::from_secs(arguments.grace),
    };
    let numbers = Numbers::start(&[Program::Worker], &[]).context("metrics")?;
    tokio::spawn(numbers.clone().keep_up());
    let services = Services::new(settings)?;
    tokio::spawn(read_sealings::warn_at_start(services.db().clone(), services.settings().master_keys.clone()));
    let stop = Stop::default();
    if let Some(address) = options.metrics_listen {
        tokio::spawn(status::serve(address, services.clone(), numbers, stop.gently.clone()));
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
        tracing::info!("stopping: running jobs are finished or given back; another signal gives them back now");
        told.gently.cancel();
        tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
        told.at_once.cancel();
    });
    vouch_worker::run(services, options, stop).await;
    Ok(())
}
