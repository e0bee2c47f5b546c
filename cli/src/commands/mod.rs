//! What `vouch` can do, one command a file.

pub mod attempts;
pub mod keys;
pub mod migrate;
pub mod simulate_vendor;

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
