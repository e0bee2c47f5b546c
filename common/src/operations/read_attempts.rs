//! What others may read of attempts.

use chrono::{DateTime, Utc};

use super::OperationError;
use crate::{
    domain::{
        attempt::Attempt,
        ids::{ReceiptId, UserId},
        verification::{self, Validity, Verification},
    },
    store::{Db, attempts, checkpoints, events, events::AttemptEvent, job_views, job_views::JobView, users},
};

/// An attempt with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    pub jobs: Vec<JobView>,
}

/// Reads an attempt; `None` when there is none.
///
/// # Errors
///
/// When the database is away.
pub async fn read(db: &Db, receipt: ReceiptId) -> Result<Option<AttemptView>, OperationError> {
    let mut conn = db.pool().acquire().await?;
    let Some(attempt) = attempts::find(&mut conn, receipt).await? else { return Ok(None) };
    let copy_id_photo_from = match attempt.copy_id_photo_from {
        Some(lender) => attempts::receipt_of(&mut conn, lender).await?,
        None => None,
    };
    let checkpoints = checkpoints::places_of(&mut conn, attempt.id).await?;
    let events = events::list(&mut conn, attempt.id).await?;
    let jobs = job_views::list_for_subject(&mut conn, receipt).await?;
    Ok(Some(AttemptView { attempt, copy_id_photo_from, checkpoints, events, jobs }))
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
    let mut conn = db.pool().acquire().await?;
    if users::find(&mut conn, user).await?.is_none() {
        return Ok(None);
    }
    let attempts = attempts::list_for_user(&mut conn, user).await?;
    Ok(Some(verification::standing(&attempts, now, validity)))
}
