//! The vendor has an attempt, or could not be given it.

use chrono::{DateTime, Utc};

use super::{OperationError, take};
use crate::{
    domain::{attempt::transition::Move, ids::AttemptId},
    store::{
        Db,
        attempts::{self, Change, Moved},
        jobs,
        jobs::{Lease, shorten},
    },
};

/// Longest answer of the vendor that an attempt keeps, in bytes.
pub const ANSWER_BYTES_MAX: usize = 2048;

/// The vendor accepted the attempt.
///
/// # Errors
///
/// [`OperationError::Fenced`] when another worker has the job, [`OperationError::Refused`] when a verdict
/// was applied meanwhile; either way nothing changed.
pub async fn accepted(db: &Db, lease: Lease, attempt: AttemptId, now: DateTime<Utc>) -> Result<(), OperationError> {
    let mut tx = db.begin().await?;
    take(&mut tx, lease).await?;
    let change = Change {
        at: now,
        actor: "worker",
        submitted_at: Some(now),
        error_msg: Some(""),
        error_code: Some(""),
        ..Change::default()
    };
    match attempts::transition(&mut tx, attempt, Move::Submit.rule(), &change).await? {
        Moved::From(_) => {}
        Moved::Refused(status) => return Err(OperationError::Refused(status)),
    }
    tx.commit().await?;
    Ok(())
}

/// The vendor could not be given the attempt; `answer` is what it said, or what went wrong. The job stays
/// for its next try, which is not recorded here.
///
/// # Errors
///
/// As [`accepted`].
pub async fn failed(db: &Db, lease: Lease, attempt: AttemptId, answer: &str, now: DateTime<Utc>) -> Result<(), OperationError> {
    let answer = shorten(answer, ANSWER_BYTES_MAX);
    let mut tx = db.begin().await?;
    if !jobs::hold(&mut tx, lease).await? {
        return Err(OperationError::Fenced);
    }
    let change = Change { at: now, actor: "worker", error_msg: Some(answer), error_code: Some(""), ..Change::default() };
    match attempts::transition(&mut tx, attempt, Move::FailSubmission.rule(), &change).await? {
        Moved::From(_) => {}
        Moved::Refused(status) => return Err(OperationError::Refused(status)),
    }
    tx.commit().await?;
    Ok(())
}
