//! Callers' keys are kept as long as somebody may still send the same again, and then forgotten.

use chrono::{DateTime, TimeDelta, Utc};

use super::OperationError;
use crate::store::{Db, submission_keys};

/// How long a key is kept.
const KEPT_FOR: TimeDelta = TimeDelta::days(7);
/// Most batches that are forgotten in one go.
const BATCHES_MAX: usize = 100;

/// Forgets old keys, a batch at a time; how many.
///
/// # Errors
///
/// When the database is away; what is forgotten stays forgotten.
pub async fn forget(db: &Db, now: DateTime<Utc>) -> Result<u64, OperationError> {
    let mut forgotten = 0;
    for _ in 0..BATCHES_MAX {
        let mut conn = db.acquire().await?;
        match submission_keys::purge(&mut conn, now - KEPT_FOR).await? {
            0 => break,
            some => forgotten += some,
        }
    }
    Ok(forgotten)
}
