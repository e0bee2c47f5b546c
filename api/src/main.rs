//! The program `vouch-api`.

use std::time::Duration;

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser};
use poem::{Server, listener::TcpListener};
use tokio::signal::unix::{SignalKind, signal};
use vouch_api::{
    app,
    routes::{counted, health},
    state::AppState,
};
use vouch_common::{
    config::{Program, Settings, Source, help},
    telemetry::{self, numbers::Numbers},
};

/// How long requests that run may go on after the signal to stop.
const GRACE: Duration = Duration::from_secs(30);
/// A connection that says nothing for so long is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// Vouch's HTTP side: submissions, callbacks, the platform's pushes, and what others may read.
#[derive(Debug, Parser)]
#[command(name = "vouch-api", version)]
struct Arguments {}

fn main() -> anyhow::Result<()> {
    let command = Arguments::command().after_help(help(Program::Api));
    Arguments::from_arg_matches(&command.get_matches())?;
    let settings = Settings::read(&Source::from_environment()?, Program::Api)?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let telemetry = telemetry::start("vouch-api", settings.otlp_endpoint.as_ref(), runtime.handle())?;
    runtime.block_on(async {
        let served = serve(settings).await;
        telemetry.stop().await;
        served
    })
}

async fn serve(settings: Settings) -> anyhow::Result<()> {
    let listen = settings.listen;
    let numbers = Numbers::start(&[Program::Api], &counted::routes()).context("metrics")?;
    tokio::spawn(numbers.clone().keep_up());
    let state = AppState::new(settings, numbers)?;
    tokio::spawn(health::watch_servers(state.clone()));
    if state.accepts_unsigned_callbacks() {
        tracing::warn!(
            "CALLBACK_SIGNATURE is audit: callbacks are accepted on the access key alone; set enforce as soon as you can"
        );
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stopping = state.clone();
    let stop = async move {
        tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
        stopping.stop();
        tracing::info!("stopping: running requests are finished");
    };
    tracing::info!(address = %listen, "listening");
    Server::new(TcpListener::bind(listen))
        .idle_timeout(IDLE_TIMEOUT)
        .run_with_graceful_shutdown(app(state), stop, Some(GRACE))
        .await
        .context("the api can't listen")
}
