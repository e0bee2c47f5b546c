//! What `vouch` can do, one command a file. Operators' commands speak to the api alone.

mod approve_many;
mod arguments;
pub mod attempts;
pub mod audit;
pub mod erasures;
pub mod jobs;
pub mod keys;
mod listing;
mod master_keys;
pub mod migrate;
pub mod queues;
pub mod retries;
mod series;
pub mod shell;
pub mod simulate_vendor;
pub mod users;
mod watch;

use anyhow::{Context, Result};
use vouch_common::store::Db;

/// Opens the database that `DATABASE_URL` names.
///
/// # Errors
///
/// When the address can't be read.
pub(crate) fn open_database(url: &str) -> Result<Db> {
    Db::new(url, 2).context("DATABASE_URL can't be used")
}
