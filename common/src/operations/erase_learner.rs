//! A learner's data goes, step by step. Each step is a transaction, may be done again, and counts what it did itself.
//!
//! Whoever does a step needs no lease: two who do the same find nothing the second time. Only the end is fenced.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{OperationError, take};
use crate::{
    domain::{
        attempt::transition::Move,
        checkpoint::Outcome,
        erasure::{Counts, Receipt},
        ids::{AttemptId, ErasureId, ReceiptId, UserId},
        retention::Kind,
    },
    receipts::ReceiptKey,
    store::{
        Db,
        attempts::{self, Change},
        checkpoints::{self, StatusRow},
        erase_rows, erasures, job_acts, jobs,
        jobs::Lease,
    },
};

/// Who ended an attempt because its learner is erased, in its history.
pub const SERVICE: &str = "erasure";
/// How long a worker that lost its job may still be at it: longer than any job's run window but the vendor's, which
/// stores nothing.
const HANDS_FULL: Duration = Duration::from_secs(90);
/// How long jobs that somebody has in a transaction are waited for.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Attempts that are read at once.
const BATCH: i64 = 100;

/// Ends a learner's open attempts and takes all their jobs away.
///
/// # Errors
///
/// When the database is away.
pub async fn end_attempts(db: &Db, (erasure, user): (ErasureId, UserId), now: DateTime<Utc>) -> Result<(), OperationError> {
    let mut after = AttemptId(0);
    loop {
        let mut conn = db.acquire().await?;
        let batch = erase_rows::list_attempts(&mut conn, user, after, BATCH).await?;
        drop(conn);
        let Some(last) = batch.last() else { break };
        after = last.id;
        for attempt in batch.iter().filter(|attempt| !attempt.status.is_terminal()) {
            end_attempt(db, attempt.receipt, now).await?;
        }
    }
    let mut tx = db.begin().await?;
    let jobs = erase_rows::delete_jobs(&mut tx, user).await?;
    let mut counts = Counts::default();
    counts.add(Kind::Jobs, jobs.gone);
    erasures::add(&mut tx, erasure, &counts).await?;
    if jobs.was_in_hand {
        erasures::stay_awake(&mut tx, erasure, HANDS_FULL.as_secs_f64()).await?;
    } else if jobs.left > 0 {
        erasures::stay_awake(&mut tx, erasure, LOOK_AGAIN.as_secs_f64()).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Denied, with its checkpoints; no mail, no credit. One that was decided meanwhile stays as it is.
async fn end_attempt(db: &Db, receipt: ReceiptId, now: DateTime<Utc>) -> Result<(), OperationError> {
    let mut tx = db.begin().await?;
    let Some(attempt) = attempts::find_and_lock(&mut tx, receipt).await? else { return Ok(()) };
    if attempt.status.is_terminal() {
        return Ok(());
    }
    let change = Change {
        at: now,
        actor: SERVICE,
        vendor_decided_at: Some(now),
        reviewing_service: Some(SERVICE),
        error_msg: Some(""),
        error_code: Some(""),
        ..Change::default()
    };
    attempts::transition(&mut tx, attempt.id, Move::EndByErasure.rule(), &change).await?;
    let row = StatusRow { user: attempt.user, attempt: attempt.id, status: Outcome::Denied.status(), at: now };
    checkpoints::append_to_linked(&mut tx, row).await?;
    tx.commit().await?;
    Ok(())
}

/// The receipts of a learner's attempts after `after`, with their rows: at most 100. Delete their objects, then
/// [`empty_attempt`] them.
///
/// # Errors
///
/// When the database is away.
pub async fn list_receipts(db: &Db, user: UserId, after: AttemptId) -> Result<Vec<(AttemptId, ReceiptId)>, OperationError> {
    let mut conn = db.acquire().await?;
    let attempts = erase_rows::list_attempts(&mut conn, user, after, BATCH).await?;
    Ok(attempts.into_iter().map(|attempt| (attempt.id, attempt.receipt)).collect())
}

/// Empties an attempt whose objects are gone, and all that hangs on it.
///
/// # Errors
///
/// When the database is away; then the attempt still names its objects.
pub async fn empty_attempt(
    db: &Db,
    erasure: ErasureId,
    attempt: (AttemptId, ReceiptId),
    now: DateTime<Utc>,
) -> Result<(), OperationError> {
    let mut tx = db.begin().await?;
    let counts = erase_rows::empty_attempt(&mut tx, attempt, now).await?;
    erasures::add(&mut tx, erasure, &counts).await?;
    tx.commit().await?;
    Ok(())
}

/// Empties or deletes what stands of a learner outside their attempts.
///
/// # Errors
///
/// When the database is away.
pub async fn empty_learner(db: &Db, (erasure, user): (ErasureId, UserId)) -> Result<(), OperationError> {
    let mut tx = db.begin().await?;
    let counts = erase_rows::empty_learner(&mut tx, user).await?;
    erasures::add(&mut tx, erasure, &counts).await?;
    tx.commit().await?;
    Ok(())
}

/// How an erasure goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It is done, and its receipt is signed.
    Done(Counts),
    /// Somebody may still store what they had in their hands: all steps are done again then.
    Waits,
}

/// Ends an erasure whose every step was done, or puts its job back until all hands are empty.
///
/// # Errors
///
/// [`OperationError::Fenced`] when another worker has the job.
pub async fn finish(
    db: &Db,
    lease: Lease,
    erasure: ErasureId,
    key: &ReceiptKey,
    now: DateTime<Utc>,
) -> Result<Ended, OperationError> {
    let mut tx = db.begin().await?;
    let wait = erasures::seconds_until_quiet(&mut tx, erasure).await?;
    if wait > 0.0 {
        if !jobs::hold(&mut tx, lease).await? {
            return Err(OperationError::Fenced);
        }
        job_acts::put_back_for_next(&mut tx, lease, Duration::from_secs_f64(wait)).await?;
        tx.commit().await?;
        return Ok(Ended::Waits);
    }
    take(&mut tx, lease).await?;
    let counts = erasures::add(&mut tx, erasure, &Counts::default()).await?.ok_or(OperationError::Fenced)?;
    let asked = erasures::find(&mut tx, erasure).await?.ok_or(OperationError::Missing("erasure"))?;
    let receipt = Receipt::new(erasure, (&asked.requested_by, asked.requested_at), now, counts.clone());
    erasures::finish(&mut tx, erasure, &key.sign(receipt.to_text()), now).await?;
    tx.commit().await?;
    Ok(Ended::Done(counts))
}
