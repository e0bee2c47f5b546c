//! How the queues stand is kept every few seconds, and shown as a picture of the last hours.

use std::time::Duration;

use super::OperationError;
use crate::store::{
    Db, job_views,
    queue_samples::{self, QueuePoint},
};

/// How long samples are kept: as far back as a history goes.
pub const KEPT: Duration = Duration::from_hours(48);

/// Takes a sample of every queue and drops those that are too old.
///
/// # Errors
///
/// When the database is away; the next sample tells of the time since the last.
pub async fn take(db: &Db) -> Result<(), OperationError> {
    let mut tx = db.begin().await?;
    let depths = job_views::depths(&mut tx).await?;
    queue_samples::take(&mut tx, &depths).await?;
    queue_samples::purge(&mut tx, KEPT).await?;
    tx.commit().await?;
    Ok(())
}

/// The last `hours` of every queue, oldest first, at most [`queue_samples::POINTS_MAX`] points a queue.
///
/// # Errors
///
/// When the database is away.
pub async fn history(db: &Db, hours: i32) -> Result<Vec<QueuePoint>, OperationError> {
    let mut conn = db.acquire().await?;
    Ok(queue_samples::list(&mut conn, hours).await?)
}
