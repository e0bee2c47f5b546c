//! How a claimed job ends when no operation of its own ended it.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{OperationError, take};
use crate::{
    domain::{
        breaker::{Event, Judgement, State},
        effect::Queue,
    },
    store::{
        Connection, Db, breakers,
        jobs::{self, Failure, Lease},
        queues, repeat, unless_silent,
    },
};

/// Holds cost no try of a job that is younger.
const HOLDS_SPARED: Duration = Duration::from_hours(24);

/// Ends a job that had no effect on the database (or none that is left to do).
///
/// # Errors
///
/// [`OperationError::Fenced`] when the job is somebody else's by now.
pub async fn finish(db: &Db, lease: Lease) -> Result<(), OperationError> {
    repeat!(db, conn => take(conn, lease).await)
}

/// As [`finish`], for many jobs at once; which of them were ended. The others are somebody else's by now.
///
/// # Errors
///
/// When the database is away: none is ended.
pub async fn finish_all(db: &Db, leases: &[Lease]) -> Result<Vec<Lease>, OperationError> {
    Ok(repeat!(db, conn => jobs::delete(conn, leases).await)?)
}

/// A try that failed because the far side did not answer or is at fault.
#[derive(Debug, Clone, Copy)]
pub struct Outage {
    /// The queue whose jobs call it.
    pub queue: Queue,
    /// When this try was claimed.
    pub began: DateTime<Utc>,
    /// How long the job waits at least, if it is not the job's fault.
    pub wait: Duration,
}

/// How a failed try was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// After how long another try follows; `None`: the job is dead.
    pub retry_after: Option<Duration>,
    /// Whether it cost the job a try.
    pub is_counted: bool,
    /// Why the breaker opened or stays open, if it does.
    pub opened: Option<String>,
}

/// Records a failed try. `hold` holds the whole queue back for that long, for all workers, and costs no try in a job's first
/// day: the far side lives, and says nothing of this job. Later it does, so that a job which alone is put off ends, and no
/// longer holds the others. An `outage` is told to the breaker; what meets an open one, or opens it, costs no
/// try and is not the end of a job.
///
/// # Errors
///
/// [`OperationError::Fenced`] when the job is somebody else's by now.
pub async fn fail(
    db: &Db,
    lease: Lease,
    failure: &Failure,
    hold: Option<(Queue, Duration)>,
    outage: Option<&Outage>,
) -> Result<Settled, OperationError> {
    unless_silent(record_failure(db, lease, failure, hold, outage)).await
}

async fn record_failure(
    db: &Db,
    lease: Lease,
    failure: &Failure,
    hold: Option<(Queue, Duration)>,
    outage: Option<&Outage>,
) -> Result<Settled, OperationError> {
    let mut tx = db.begin().await?;
    let spared_for = match hold {
        Some((_, wait)) if jobs::is_younger_than(&mut tx, lease.job, HOLDS_SPARED).await? => Some(wait),
        _ => None,
    };
    let retry_after = failure.retry_after.or(spared_for);
    let mut settled = Settled { retry_after, is_counted: spared_for.is_none(), opened: None };
    // The breaker is locked before any job, here and by relays, so that they can't wait for each other.
    if let Some(outage) = outage {
        settled = tell_breaker(&mut tx, lease, failure, outage).await?.unwrap_or(settled);
    }
    let failure = Failure { retry_after: settled.retry_after, ..failure.clone() };
    if !jobs::fail(&mut tx, lease, &failure, settled.is_counted).await? {
        return Err(OperationError::Fenced);
    }
    if let Some((queue, hold)) = hold {
        queues::hold(&mut tx, queue, hold, failure.class).await?;
    }
    tx.commit().await?;
    Ok(settled)
}

/// Tells the breaker of the queue, if it has one, of an outage.
async fn tell_breaker(
    conn: &mut Connection,
    lease: Lease,
    failure: &Failure,
    outage: &Outage,
) -> Result<Option<Settled>, OperationError> {
    let Some(mut named) = breakers::find_of_queue_and_lock(conn, outage.queue, true).await? else { return Ok(None) };
    let now = queues::now(conn).await?;
    let former = named.breaker.until;
    let event = Event::Outage { job: lease.job, began: outage.began, class: failure.class };
    let Judgement { breaker, is_counted, forgiven } = named.breaker.judge(&event, now);
    let open_for = breaker.until.filter(|_| breaker.state == State::Open).and_then(|until| (until - now).to_std().ok());
    named.breaker = breaker;
    breakers::save(conn, &named).await?;
    breakers::forgive(conn, &forgiven).await?;
    let retry_after = if is_counted {
        failure.retry_after
    } else {
        // Behind all that have not tried yet.
        Some(failure.retry_after.unwrap_or(outage.wait).max(open_for.unwrap_or_default()))
    };
    let opened = (open_for.is_some() && named.breaker.until != former).then_some(named.breaker.reason);
    Ok(Some(Settled { retry_after, is_counted, opened }))
}

/// Gives claimed jobs back unharmed, as at shutdown: due again, in their old place, and the delivery does not count.
///
/// # Errors
///
/// When the database is away; the jobs fall due again when their leases end.
pub async fn release(db: &Db, leases: &[Lease]) -> Result<u64, OperationError> {
    if leases.is_empty() {
        return Ok(0);
    }
    let mut conn = db.acquire().await?;
    Ok(jobs::put_back(&mut conn, leases).await?)
}
