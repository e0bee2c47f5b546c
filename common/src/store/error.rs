//! What can go wrong with the database.

use std::io;

/// A fault of the database. `#[source]` has the cause; the texts name nobody.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It can't be reached, is starting, stopping or out of connections; try again later.
    #[error("the database is away")]
    Unavailable(#[source] sqlx::Error),
    /// Two transactions met; try again at once.
    #[error("the transaction met another one")]
    Contended(#[source] sqlx::Error),
    /// A row makes no sense to this release.
    #[error(transparent)]
    BadRow(#[from] BadRow),
    /// A write did not touch the row that it must touch.
    #[error("a write to {table} touched {touched} rows instead of 1")]
    WrongCount {
        /// The table.
        table: &'static str,
        /// How many rows it touched.
        touched: u64,
    },
    /// The tables are not those of this release: run `vouch migrate`.
    #[error("the database is not migrated to this release; run `vouch migrate`")]
    NotMigrated,
    /// A migration failed.
    #[error("a migration failed")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// A text that came from outside holds U+0000, which Postgres does not keep.
    #[error("a text holds a character that can't be kept")]
    Unstorable(#[source] sqlx::Error),
    /// A moment that came from outside lies before those that Postgres keeps (4713 BC).
    #[error("a moment lies too long ago to be kept")]
    TooLongAgo(#[source] sqlx::Error),
    /// The learner was erased: nothing about them is kept any more.
    #[error("the learner was erased; nothing about them is kept")]
    Erased,
    /// It refused the statement: a fault of ours.
    #[error("the database refused a statement")]
    Refused(#[source] sqlx::Error),
}

/// A value in the database that this release can't read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{table}.{column} holds a value that this release does not know")]
pub struct BadRow {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
}

impl StoreError {
    /// Whether the same call may succeed later without anybody's help.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Contended(_) | Self::NotMigrated)
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code).map(|code| code.to_string());
        match code.as_deref() {
            Some("40001" | "40P01" | "55P03") => return Self::Contended(error),
            // Connection faults, shutdown, "too many", out of disk or memory, read-only, statement cancelled.
            Some(code) if ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class)) || code == "25006" => {
                return Self::Unavailable(error);
            }
            Some("22021" | "22P05") => return Self::Unstorable(error),
            Some("22008") => return Self::TooLongAgo(error),
            Some("VE001") => return Self::Erased,
            Some(_) => return Self::Refused(error),
            None => {}
        }
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
            other => Self::Refused(other),
        }
    }
}

/// Whether an error says that the connection itself was cut, so that whoever may begin again should.
pub(crate) trait MayBeCut {
    fn is_cut(&self) -> bool;
}

impl MayBeCut for StoreError {
    fn is_cut(&self) -> bool {
        let Self::Unavailable(cause) = self else { return false };
        // A server that stops, or an operator who ends a session, says so before it closes.
        cause.as_database_error().is_none_or(|told| told.code().is_some_and(|code| code.starts_with("57P")))
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        Self::Unavailable(sqlx::Error::Io(error))
    }
}

/// Checks that a write touched one row of `table`.
///
/// # Errors
///
/// [`StoreError::WrongCount`] when it did not.
pub(crate) const fn must_touch_one(table: &'static str, touched: u64) -> Result<(), StoreError> {
    if touched == 1 { Ok(()) } else { Err(StoreError::WrongCount { table, touched }) }
}
