//! What Vouch keeps: SQL, one file a table or aggregate.
//!
//! Functions take a connection, so that an operation can do several in one transaction. Rows are private
//! and conversion may fail. Only leases, delays and ticks use the database's clock.

pub mod analytics_events;
pub mod api_keys;
pub mod attempt_search;
pub mod attempt_work;
pub mod attempts;
pub mod audit;
pub mod brakes;
pub mod breakers;
pub mod callbacks;
pub mod checkpoints;
pub mod courses;
pub mod credit;
pub mod credit_requests;
pub mod deadlines;
pub(crate) mod erase_rows;
pub mod erasures;
pub mod error;
pub mod error_groups;
pub mod events;
pub mod flow;
pub mod gauges;
pub(crate) mod job_acts;
pub mod job_births;
pub(crate) mod job_returns;
pub mod job_rows;
pub mod job_runs;
pub mod job_search;
pub mod job_views;
pub mod jobs;
pub mod kept_details;
pub mod kept_photos;
mod migrate;
pub mod operator_actions;
pub mod orders;
pub mod orphans;
mod pool;
pub mod queue_samples;
pub mod queues;
pub mod renewals;
pub mod retention;
pub mod retries;
pub mod retry_targets;
pub mod schedule;
pub mod sealed_things;
pub mod skips;
pub mod submission_keys;
pub mod switches;
pub mod users;

use std::{io, str::FromStr, time::Duration};

use sqlx::{ConnectOptions, PgConnection, postgres::PgConnectOptions};
use tokio::time::timeout;

use pool::{Conn, Pool, Trusted};

pub(crate) use error::MayBeCut;
pub use error::{BadRow, StoreError};
pub use migrate::MIGRATOR;
pub use pool::Tx;

/// A connection inside a transaction; operations hand it to the functions here.
pub type Connection = PgConnection;

/// Does what may be done twice: the connection is not asked before if it answered a moment ago, and it is done again if
/// that had been cut. `repeat!(db, conn => jobs::renew(conn, leases).await)` is a `Result`.
///
/// A macro, for the future of a closure that borrows both the connection and its surroundings is not `Send` to the
/// compiler.
macro_rules! repeat {
    ($db:expr, $conn:ident => $act:expr) => {
        loop {
            match $db.trust().await {
                Ok(mut trusted) => {
                    let $conn = &mut *trusted.conn;
                    let done = $crate::store::unless_silent(async { $act }).await;
                    if let Some(done) = trusted.judge(done) {
                        break done;
                    }
                }
                Err(error) => break Err(error.into()),
            }
        }
    };
}
pub(crate) use repeat;

/// Longer than any statement may take: the line is dead then. Not sooner, for a claim that is given up while it runs counts
/// as a delivery of which nobody hears.
const SILENCE_MAX: Duration = Duration::from_secs(35);

/// Tells of a line that is silent as of one that was cut.
pub(crate) async fn unless_silent<T, E: From<StoreError>>(act: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let silence = |_| Err(StoreError::from(io::Error::from(io::ErrorKind::TimedOut)).into());
    timeout(SILENCE_MAX, act).await.unwrap_or_else(silence)
}

/// The database.
#[derive(Clone, Debug)]
pub struct Db {
    pool: Pool,
    keeps_events: bool,
}

impl Db {
    /// Prepares a pool of at most `connections_max`; it connects when it is first used. Call it inside a runtime.
    ///
    /// # Errors
    ///
    /// When the address can't be read; mend the setting.
    pub fn new(url: &str, connections_max: u32) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url)?
            .application_name("vouch")
            // A statement that hangs must not hold a lease for ever; SILENCE_MAX is longer. Ours read few rows: compiling
            // one takes longer than running it, and a search of a few milliseconds would take a hundred.
            .options([("statement_timeout", "30s"), ("idle_in_transaction_session_timeout", "30s"), ("jit", "off")])
            .disable_statement_logging();
        Ok(Self { pool: Pool::new(options, connections_max)?, keeps_events: false })
    }

    /// Keeps events for analytics from now on: somebody will deliver them.
    #[must_use]
    pub fn keeping_events(mut self) -> Self {
        self.keeps_events = true;
        self
    }

    /// Whether events for analytics are kept.
    pub(crate) const fn keeps_events(&self) -> bool {
        self.keeps_events
    }

    /// Starts a transaction; dropped without a commit, it is undone.
    ///
    /// # Errors
    ///
    /// When the database is away.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        self.pool.begin("BEGIN").await
    }

    /// Starts a transaction that only reads, and sees one moment whatever is committed meanwhile.
    ///
    /// # Errors
    ///
    /// When the database is away.
    pub(crate) async fn snapshot(&self) -> Result<Tx, StoreError> {
        self.pool.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    /// A connection for single statements.
    ///
    /// # Errors
    ///
    /// When the database is away.
    pub(crate) async fn acquire(&self) -> Result<Conn, StoreError> {
        self.pool.acquire().await
    }

    /// A connection for [`repeat`].
    ///
    /// # Errors
    ///
    /// When the database is away.
    pub(crate) async fn trust(&self) -> Result<Trusted, StoreError> {
        self.pool.trust().await
    }

    /// Whether the database answers and has this release's tables.
    ///
    /// # Errors
    ///
    /// When it is away, or when `vouch migrate` has not been run.
    pub async fn check(&self) -> Result<(), StoreError> {
        let newest = MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or_default();
        let applied = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM _sqlx_migrations WHERE version = $1 AND success) AS "applied!""#,
            newest
        )
        .fetch_one(&mut *self.acquire().await?)
        .await;
        match applied {
            Ok(true) => Ok(()),
            Ok(false) => Err(StoreError::NotMigrated),
            Err(error) if error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() == Some("42P01") => {
                Err(StoreError::NotMigrated)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Brings the tables to this release; safe to run twice at once, and while programs work on them.
    ///
    /// # Errors
    ///
    /// [`StoreError::Contended`] when a transaction holds a table that a migration needs: try again. Otherwise when a
    /// migration fails or the database is away. What was begun is undone, or done again the next time.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let mut conn = self.pool.acquire().await?;
        let migrated = migrate::run(&mut conn).await;
        // The connection is not one for the daily work any more, and holds the lock of whoever migrates.
        conn.discard().await;
        migrated
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
