//! What others may read of attempts.

use chrono::{DateTime, Utc};

use super::OperationError;
use crate::{
    domain::{
        attempt::Attempt,
        ids::{ReceiptId, UserId},
        job::{self, OpenJob},
        timeline::{self, AttemptEvent, Entry},
        verification::{self, Validity, Verification},
        waiting::{self, Standing, Waiting},
    },
    store::{Db, attempts, brakes, callbacks, checkpoints, events, job_rows, job_runs, users},
};

/// An attempt with all that is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptView {
    /// The attempt.
    pub attempt: Attempt,
    /// The attempt whose ID photo it uses, if another's.
    pub copy_id_photo_from: Option<ReceiptId>,
    /// The places that wait for it: course and usage key.
    pub checkpoints: Vec<(String, String)>,
    /// Its history, oldest first.
    pub events: Vec<AttemptEvent>,
    /// The jobs that are still to be done for it.
    pub jobs: Vec<OpenJob>,
    /// The whole story, oldest first.
    pub timeline: Vec<Entry>,
    /// What it waits for.
    pub waits_for: Option<Waiting>,
    /// Its trace, if it is known.
    pub trace_id: Option<String>,
}

/// Reads an attempt; `None` when there is none.
///
/// # Errors
///
/// When the database is away.
pub async fn read(db: &Db, receipt: ReceiptId, now: DateTime<Utc>) -> Result<Option<AttemptView>, OperationError> {
    // One moment: an attempt must not be told with jobs that came after what is told of it.
    let mut conn = db.snapshot().await?;
    let Some(attempt) = attempts::find(&mut conn, receipt).await? else { return Ok(None) };
    let copy_id_photo_from = match attempt.copy_id_photo_from {
        Some(lender) => attempts::receipt_of(&mut conn, lender).await?,
        None => None,
    };
    let checkpoints = checkpoints::places_of(&mut conn, attempt.id).await?;
    let events = events::list(&mut conn, attempt.id).await?;
    let runs = job_runs::list(&mut conn, receipt).await?;
    let calls = callbacks::list(&mut conn, attempt.id).await?;
    let jobs: Vec<OpenJob> = job_rows::of_attempts(&mut conn, &[receipt.0]).await?.into_iter().map(|row| row.job).collect();
    let brakes = brakes::list_on(&mut conn).await?;
    let trace = attempts::trace_of(&mut conn, attempt.id).await?;
    let standing = Standing { status: attempt.status, updated_at: attempt.updated_at, submitted_at: attempt.submitted_at };
    Ok(Some(AttemptView {
        timeline: timeline::tell(&events, &runs, &calls, &jobs),
        waits_for: waiting::find(standing, &jobs, &brakes, now),
        trace_id: job::trace_id(trace.as_deref()).or_else(|| timeline::trace_of(&runs, &jobs)),
        attempt,
        copy_id_photo_from,
        checkpoints,
        events,
        jobs,
    }))
}

/// Reads a learner's standing; `None` when nobody knows the learner.
///
/// # Errors
///
/// When the database is away.
pub async fn read_standing(
    db: &Db,
    user: UserId,
    now: DateTime<Utc>,
    validity: Validity,
) -> Result<Option<Verification>, OperationError> {
    let mut conn = db.acquire().await?;
    if !users::is_known(&mut conn, user).await? {
        return Ok(None);
    }
    let attempts = attempts::list_for_user(&mut conn, user).await?;
    Ok(Some(verification::standing(&attempts, now, validity)))
}
