//! The relay's and the workers' side of the ledger: handing out and claiming.

use std::time::Duration;

use super::OperationError;
use crate::{
    domain::effect::Queue,
    store::{
        Db,
        job_views::{self, QueueDepth},
        jobs::{self, ClaimedJob, HandedOut, Lease},
        schedule,
    },
};

/// How long a handed-out job may lie in Redis before it falls due again.
pub const DISPATCH_WINDOW: Duration = Duration::from_secs(30);
/// Most jobs in one handing-out; larger batches are slower.
pub const BATCH_MAX: i64 = 500;

/// Which of `queues` have due jobs and are not held back.
///
/// # Errors
///
/// When the database is away; ask again later.
pub async fn find_due(db: &Db, queues: &[Queue]) -> Result<Vec<Queue>, OperationError> {
    let mut conn = db.pool().acquire().await?;
    Ok(jobs::queues_with_due(&mut conn, queues).await?)
}

/// Hands out up to `limit` due jobs (at most [`BATCH_MAX`]) of a queue.
///
/// # Errors
///
/// When the database is away; nothing was handed out, or it falls due again by itself.
pub async fn hand_out(db: &Db, queue: Queue, limit: i64) -> Result<HandedOut, OperationError> {
    let mut conn = db.pool().acquire().await?;
    Ok(jobs::hand_out(&mut conn, queue, limit.min(BATCH_MAX), DISPATCH_WINDOW).await?)
}

/// Takes back what was handed out and could not be put on its list.
///
/// # Errors
///
/// When the database is away; the jobs fall due again after [`DISPATCH_WINDOW`].
pub async fn take_back(db: &Db, leases: &[Lease]) -> Result<u64, OperationError> {
    let mut conn = db.pool().acquire().await?;
    Ok(jobs::take_back(&mut conn, leases).await?)
}

/// Claims handed-out jobs, each for its run window. What is not returned is not ours: do not work on it.
///
/// # Errors
///
/// When the database is away; nothing is ours.
pub async fn claim(db: &Db, tickets: &[(Lease, Duration)]) -> Result<Vec<ClaimedJob>, OperationError> {
    let mut conn = db.pool().acquire().await?;
    Ok(jobs::claim(&mut conn, tickets).await?)
}

/// Takes the present tick of a recurring task; `false` when another worker has it.
///
/// # Errors
///
/// When the database is away.
pub async fn take_tick(db: &Db, task: &str, period: Duration) -> Result<bool, OperationError> {
    let mut conn = db.pool().acquire().await?;
    Ok(schedule::take_tick(&mut conn, task, period).await?)
}

/// How each queue stands.
///
/// # Errors
///
/// When the database is away.
pub async fn depths(db: &Db) -> Result<Vec<QueueDepth>, OperationError> {
    let mut conn = db.pool().acquire().await?;
    Ok(job_views::depths(&mut conn).await?)
}
