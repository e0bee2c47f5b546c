//! The program `vouch`.

use std::process::ExitCode;

use vouch_cli::{failure, vouch::Vouch};

fn main() -> ExitCode {
    let vouch = Vouch::read();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(vouch.run()));
    result.map_or_else(|error| failure::tell(&error), |()| ExitCode::SUCCESS)
}
