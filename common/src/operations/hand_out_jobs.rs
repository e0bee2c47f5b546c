//! The relay's and the workers' side of the ledger: handing out and claiming.

use std::time::Duration;

use chrono::TimeDelta;

use super::OperationError;
use crate::{
    domain::{effect::Queue, ids::JobId},
    store::{
        Db, breakers,
        job_views::{self, QueueDepth},
        jobs::{self, ClaimedJob, HandedOut, Lease},
        queues, repeat, schedule, unless_silent,
    },
};

/// How long a handed-out job may lie in Redis before it falls due again.
pub const DISPATCH_WINDOW: Duration = Duration::from_secs(30);
/// So long a probe of a breaker may be out before another goes: on its list, and with a worker at most.
const PROBE_WINDOW: TimeDelta = TimeDelta::seconds(30 + 80);
/// Most jobs in one handing-out; larger batches are slower.
pub const BATCH_MAX: i64 = 500;

/// Which of the queues have due jobs, and no brake that stops all of them.
///
/// # Errors
///
/// When the database is away; ask again later.
pub async fn find_due(db: &Db, wanted: &[Queue]) -> Result<Vec<Queue>, OperationError> {
    Ok(repeat!(db, conn => queues::list_with_due(conn, wanted).await)?)
}

/// Hands out up to `limit` due jobs (at most [`BATCH_MAX`]) of a queue, as far as its brakes let them go.
///
/// # Errors
///
/// When the database is away; nothing was handed out, or it falls due again by itself.
pub async fn hand_out(db: &Db, queue: Queue, limit: i64) -> Result<HandedOut, OperationError> {
    let limit = limit.min(BATCH_MAX);
    // What nobody heard of falls due again.
    let handed = repeat!(db, conn => jobs::hand_out(conn, queue, limit, DISPATCH_WINDOW, false).await)?;
    // Mostly there is no brake, and one statement does it. Nothing came: perhaps there is one.
    if handed != HandedOut::default() {
        return Ok(handed);
    }
    // Boxed, because it is rare and large.
    unless_silent(Box::pin(hand_out_braked(db, queue, limit))).await
}

/// Hands out what the brakes allow. They are locked meanwhile, so that many relays together don't hand out more.
async fn hand_out_braked(db: &Db, queue: Queue, limit: i64) -> Result<HandedOut, OperationError> {
    let mut tx = db.begin().await?;
    let control = queues::find_and_lock(&mut tx, queue).await?;
    let mut breaker = breakers::find_of_queue_and_lock(&mut tx, queue, false).await?;
    if control.is_none() && breaker.is_none() {
        return Ok(HandedOut::default());
    }
    let now = queues::now(&mut tx).await?;
    if let Some(named) = &mut breaker {
        named.breaker = named.breaker.clone().at(now);
    }
    let by_operator = control.as_ref().and_then(|control| control.allowance(now));
    let by_breaker = breaker.as_ref().and_then(|named| named.breaker.allowance(now));
    let allowed = [by_operator, by_breaker].into_iter().flatten().fold(limit, i64::min);
    if allowed <= 0 {
        return Ok(HandedOut::default());
    }
    let handed = jobs::hand_out(&mut tx, queue, allowed, DISPATCH_WINDOW, true).await?;
    let gone: Vec<JobId> = handed.tickets.iter().map(|ticket| ticket.id).collect();
    if let Some((control, rate)) = control.and_then(|control| control.rate_limit.map(|rate| (control, rate))) {
        let taken = i64::try_from(gone.len()).unwrap_or(i64::MAX);
        queues::set_bucket(&mut tx, queue, control.bucket.filled(rate, now).taken(taken)).await?;
    }
    if let Some(named) = &mut breaker {
        named.breaker = named.breaker.clone().handed_out(&gone, PROBE_WINDOW, now);
        breakers::save(&mut tx, named).await?;
    }
    tx.commit().await?;
    Ok(handed)
}

/// Takes back what was handed out and could not be put on its list.
///
/// # Errors
///
/// When the database is away; the jobs fall due again after [`DISPATCH_WINDOW`].
pub async fn take_back(db: &Db, leases: &[Lease]) -> Result<u64, OperationError> {
    Ok(repeat!(db, conn => jobs::take_back(conn, leases).await)?)
}

/// Claims handed-out jobs of a queue for `window`. What is not returned is not ours: do not work on it.
///
/// # Errors
///
/// When the database is away; nothing is ours.
pub async fn claim(db: &Db, queue: Queue, leases: &[Lease], window: Duration) -> Result<Vec<ClaimedJob>, OperationError> {
    // What was claimed and nobody heard of falls due again.
    Ok(repeat!(db, conn => jobs::claim(conn, queue, leases, window).await)?)
}

/// Renews claims for another `lease` each, no longer than each job may run; how many were renewed. What has passed
/// to another meanwhile is not.
///
/// # Errors
///
/// When the database is away; try again before the leases end.
pub async fn renew(db: &Db, leases: &[(Lease, Duration)], lease: Duration) -> Result<u64, OperationError> {
    Ok(repeat!(db, conn => jobs::renew(conn, leases, lease).await)?)
}

/// Takes the present tick of a recurring task; `false` when another worker has it.
///
/// # Errors
///
/// When the database is away.
pub async fn take_tick(db: &Db, task: &str, period: Duration) -> Result<bool, OperationError> {
    let mut conn = db.acquire().await?;
    Ok(schedule::take_tick(&mut conn, task, period).await?)
}

/// How each queue stands.
///
/// # Errors
///
/// When the database is away.
pub async fn depths(db: &Db) -> Result<Vec<QueueDepth>, OperationError> {
    let mut conn = db.acquire().await?;
    Ok(job_views::depths(&mut conn).await?)
}
