//! How a claimed job ends when no operation of its own ended it.

use std::time::Duration;

use super::{OperationError, take};
use crate::{
    domain::effect::Queue,
    store::{
        Db,
        jobs::{self, Failure, Lease},
        queues,
    },
};

/// Ends a job that had no effect on the database (or none that is left to do).
///
/// # Errors
///
/// [`OperationError::Fenced`] when the job is somebody else's by now.
pub async fn finish(db: &Db, lease: Lease) -> Result<(), OperationError> {
    let mut conn = db.pool().acquire().await?;
    take(&mut conn, lease).await
}

/// Records a failed try. `hold` holds the whole queue back for that long, for all workers.
///
/// # Errors
///
/// [`OperationError::Fenced`] when the job is somebody else's by now.
pub async fn fail(db: &Db, lease: Lease, failure: &Failure, hold: Option<(Queue, Duration)>) -> Result<(), OperationError> {
    let mut tx = db.begin().await?;
    if !jobs::fail(&mut tx, lease, failure).await? {
        return Err(OperationError::Fenced);
    }
    if let Some((queue, hold)) = hold {
        queues::hold(&mut tx, queue, hold, failure.class).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Puts a job back that this release does not know; the delivery counts.
///
/// # Errors
///
/// When the database is away; the job falls due again when its lease ends.
pub async fn put_back_unknown(db: &Db, lease: Lease, delay: Duration) -> Result<(), OperationError> {
    let mut conn = db.pool().acquire().await?;
    jobs::put_back(&mut conn, &[lease], delay, true).await?;
    Ok(())
}

/// Gives claimed jobs back unharmed, as at shutdown: due at once, and the delivery does not count.
///
/// # Errors
///
/// When the database is away; the jobs fall due again when their leases end.
pub async fn release(db: &Db, leases: &[Lease]) -> Result<u64, OperationError> {
    if leases.is_empty() {
        return Ok(0);
    }
    let mut conn = db.pool().acquire().await?;
    Ok(jobs::put_back(&mut conn, leases, Duration::ZERO, false).await?)
}
