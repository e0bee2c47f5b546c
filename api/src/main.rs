//! The program `vouch-api`.

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use vouch_api::{
    app,
    routes::{counted, health},
    state::AppState,
};
use vouch_common::{
    config::{Program, Settings, Source, help},
    operations::read_sealings,
    telemetry::{self, numbers::Numbers},
};

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
    let (listen, limits) = (settings.listen, settings.limits.clone());
    let numbers = Numbers::start(&[Program::Api], &counted::routes()).context("metrics")?;
    tokio::spawn(numbers.clone().keep_up());
    let state = AppState::new(settings, numbers)?;
    tokio::spawn(health::watch_servers(state.clone()));
    tokio::spawn(read_sealings::warn_at_start(state.db().clone(), state.settings().master_keys.clone()));
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
    let listener = TcpListener::bind(listen).await.context("the api can't listen")?;
    let limits = limits.context("the limits are not set")?;
    vouch_api::serve(listener, app(state), &limits, stop).await;
    Ok(())
}
