//! What all scenarios of a run share: the servers, a migrated database to copy, the folder of the run.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use vouch_common::store::Db;

use crate::{
    markers::Photos,
    servers::{Postgres, Redis},
};

const TEMPLATE: &str = "template_of_all";

/// The servers and the folder of one run.
pub struct Ground {
    pub folder: PathBuf,
    pub postgres: Postgres,
    pub redis: Redis,
    pub photos: Photos,
}

impl Ground {
    pub async fn prepare(folder: &Path) -> Result<Self> {
        let (postgres, redis) = tokio::try_join!(Postgres::start(folder), Redis::start(folder))?;
        let ground = Self { folder: folder.to_owned(), postgres, redis, photos: Photos::read() };
        ground.run(&format!("CREATE DATABASE {TEMPLATE}")).await?;
        let db = Db::new(&ground.postgres.url(TEMPLATE), 2)?;
        db.migrate().await.context("the migrations")?;
        db.close().await;
        Ok(ground)
    }

    async fn run(&self, sql: &str) -> Result<()> {
        let mut server = PgConnection::connect(&self.postgres.url("postgres")).await?;
        sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut server).await?;
        Ok(())
    }

    /// A database of its own for a scenario.
    pub async fn make_database(&self, name: &str) -> Result<()> {
        self.run(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}")).await
    }

    pub async fn drop_database(&self, name: &str) -> Result<()> {
        self.run(&format!("DROP DATABASE {name} WITH (FORCE)")).await
    }

    /// Drops the logs and journals of what was checked and found well.
    pub fn forget(&self, name: &str) -> Result<()> {
        std::fs::remove_dir_all(self.folder.join(name))?;
        for log in [self.postgres.log(), self.redis.log()] {
            // The servers append, and go on from the start.
            std::fs::File::options().write(true).open(log)?.set_len(0)?;
        }
        Ok(())
    }

    pub async fn stop(&self) {
        // The run is over; what does not stop now dies with the harness.
        let _ = self.redis.kill().await;
        let _ = self.postgres.stop().await;
    }
}
