//! The next items of a bulk retry are set going again.
//!
//! One run is one transaction: the items, the counters and the job's own next turn, or nothing. So it may be killed at
//! any point, and goes on where it was.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::{OperationError, retry_attempt, take};
use crate::{
    domain::{
        ids::{JobId, ReceiptId, RetryId},
        operator::Order,
        retry_filter::Rate,
    },
    store::{
        Connection, Db,
        events::{self, Note},
        job_acts::{self, Which},
        jobs::{self, Lease},
        retries::{self, Item, Retry},
    },
};

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ran {
    /// Items that go on.
    pub retried: i64,
    /// Items that needed it no more.
    pub skipped: i64,
    /// Whether it was the last run.
    pub is_last: bool,
}

/// Sets the next items going, as many as the rate allows for one run.
///
/// # Errors
///
/// [`OperationError::Fenced`] when another worker has the job.
pub async fn run(db: &Db, lease: Lease, id: RetryId, now: DateTime<Utc>) -> Result<Ran, OperationError> {
    let mut tx = db.begin().await?;
    if !jobs::hold(&mut tx, lease).await? {
        return Err(OperationError::Fenced);
    }
    // Cancelling locks the same row: what is cancelled stops before its next run.
    let retry = retries::find_and_lock(&mut tx, id).await?.ok_or(OperationError::Missing("bulk retry"))?;
    if !retry.is_running() {
        take(&mut tx, lease).await?;
        tx.commit().await?;
        return Ok(Ran { retried: 0, skipped: 0, is_last: true });
    }
    let rate = Rate::new(i64::from(retry.rate)).map_err(|_| OperationError::Unreadable("the rate of a bulk retry"))?;
    let items = retries::next_items(&mut tx, id, retry.retried + retry.skipped, rate.chunk().into()).await?;
    let retried = set_going(&mut tx, &retry, &items, now).await?;
    let all: Vec<i64> = items.iter().map(|item| item.position).collect();
    retries::mark(&mut tx, id, &all, &retried).await?;
    let (retried, skipped) = (count(retried.len()), count(all.len() - retried.len()));
    retries::count(&mut tx, id, retried, skipped).await?;
    let is_last = retry.left() <= retried + skipped;
    if is_last {
        retries::end(&mut tx, id, "done", now).await?;
        take(&mut tx, lease).await?;
    } else {
        job_acts::put_back_for_next(&mut tx, lease, rate.interval()).await?;
    }
    tx.commit().await?;
    Ok(Ran { retried, skipped, is_last })
}

/// Sets items going; the positions of those that do.
async fn set_going(conn: &mut Connection, retry: &Retry, items: &[Item], now: DateTime<Utc>) -> Result<Vec<i64>, OperationError> {
    let order = Order { actor: retry.created_by.clone(), reason: retry.reason.clone() };
    let jobs: Vec<i64> = items.iter().filter_map(|item| item.job).map(|job| job.0).collect();
    let revived = job_acts::revive(conn, &jobs, Which::Dead).await?;
    let subjects: Vec<_> = revived.iter().filter_map(|(_, receipt)| *receipt).map(|receipt| receipt.0).collect();
    let note = Note { at: now, actor: &order.actor, kind: "retried_by_hand", to: None, detail: &order.reason };
    events::append_each(conn, &subjects, &note).await?;
    let receipts: Vec<_> = items.iter().filter_map(|item| item.receipt).map(|receipt| receipt.0).collect();
    let outcomes = retry_attempt::each(conn, &receipts, &order, now).await?;
    let jobs: HashSet<JobId> = revived.into_iter().map(|(job, _)| job).collect();
    let receipts: HashSet<ReceiptId> = outcomes.iter().filter(|outcome| outcome.is_retried()).map(|it| it.receipt).collect();
    let goes_on = |item: &&Item| {
        item.job.is_some_and(|job| jobs.contains(&job)) || item.receipt.is_some_and(|receipt| receipts.contains(&receipt))
    };
    Ok(items.iter().filter(goes_on).map(|item| item.position).collect())
}

fn count(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}
