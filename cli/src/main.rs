//! The program `vouch`.

use anyhow::Result;
use clap::{Parser, Subcommand};
use vouch_cli::{
    commands::{attempts::Attempts, keys::Keys, migrate::Migrate, simulate_vendor::SimulateVendor},
    dev::Dev,
};

/// Vouch: photo identity verification as a job-queue service.
#[derive(Debug, Parser)]
#[command(name = "vouch", version)]
struct Vouch {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring the database to this release
    Migrate(Migrate),
    /// Make, list and revoke api keys
    Keys(Keys),
    /// Look at attempts
    Attempts(Attempts),
    /// Run everything on this machine, with private servers, a simulated vendor and a mail catcher
    Dev(Dev),
    /// Stand in for the vendor
    SimulateVendor(SimulateVendor),
}

fn main() -> Result<()> {
    let vouch = Vouch::parse();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match vouch.command {
            Command::Migrate(migrate) => migrate.run().await,
            Command::Keys(keys) => keys.run().await,
            Command::Attempts(attempts) => attempts.run().await,
            Command::Dev(dev) => dev.run().await,
            Command::SimulateVendor(simulate) => simulate.run().await,
        }
    })
}
