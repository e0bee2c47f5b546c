//! `vouch migrate`: brings the database to this release.

use anyhow::{Context, Result};

use super::open_database;

/// Where the tables are.
#[derive(Debug, clap::Args)]
pub struct Migrate {
    /// The database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
}

impl Migrate {
    /// Runs every migration that is missing; safe to run twice at once.
    ///
    /// # Errors
    ///
    /// When the database is away or a migration fails.
    pub async fn run(self) -> Result<()> {
        let db = open_database(&self.database_url)?;
        db.migrate().await.context("the database could not be migrated")?;
        db.close().await;
        println!("The database is up to date.");
        Ok(())
    }
}
