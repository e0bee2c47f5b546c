//! `vouch migrate`: brings the database to this release.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;
use vouch_common::store::{Db, StoreError};

use super::open_database;
use crate::out::Looks;

/// After how long a migration that met a transaction tries again.
const PAUSE: Duration = Duration::from_secs(1);

/// Where the tables are.
#[derive(Debug, clap::Args)]
pub struct Migrate {
    /// The database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
    /// For how many seconds it tries again when a transaction holds a table that a migration needs
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    wait: u64,
}

impl Migrate {
    /// Runs every migration that is missing; safe to run twice at once, and while programs work on the tables.
    ///
    /// # Errors
    ///
    /// When the database is away or a migration fails.
    pub async fn run(self, looks: &Looks) -> Result<()> {
        let db = open_database(&self.database_url)?;
        migrate(&db, Duration::from_secs(self.wait)).await?;
        db.close().await;
        looks.tell(&json!({ "database": "up to date" }), |_, _| "The database is up to date.\n".to_owned())
    }
}

async fn migrate(db: &Db, wait: Duration) -> Result<()> {
    let started = Instant::now();
    loop {
        match db.migrate().await {
            Err(StoreError::Contended(_)) if started.elapsed() < wait => {
                eprintln!("A transaction holds a table that a migration needs; trying again, so that nobody waits behind it.");
                tokio::time::sleep(PAUSE).await;
            }
            Err(StoreError::Contended(_)) => bail!(
                "a transaction holds a table that a migration needs, for over {} seconds; end it (pg_stat_activity shows it) and migrate again",
                wait.as_secs()
            ),
            done => return done.context("the database could not be migrated"),
        }
    }
}
