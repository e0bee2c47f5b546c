//! The items of bulk retries that are over, and callers' keys for them, are kept for a while and then forgotten.

use chrono::{DateTime, TimeDelta, Utc};

use super::OperationError;
use crate::store::{Db, retries};

/// How long they are kept.
const KEPT_FOR: TimeDelta = TimeDelta::days(7);
/// Most batches that are forgotten in one go.
const BATCHES_MAX: usize = 100;

/// Forgets old ones, a batch at a time; how many. What a bulk retry was and did stays.
///
/// # Errors
///
/// When the database is away; what is forgotten stays forgotten.
pub async fn forget(db: &Db, now: DateTime<Utc>) -> Result<u64, OperationError> {
    let mut forgotten = 0;
    for _ in 0..BATCHES_MAX {
        let mut conn = db.acquire().await?;
        match retries::purge(&mut conn, now - KEPT_FOR).await? {
            0 => break,
            some => forgotten += some,
        }
    }
    Ok(forgotten)
}
