//! The photos of an attempt passed the intake, or they did not.

use chrono::{DateTime, Utc};

use super::{OperationError, settle_attempt, take};
use crate::{
    domain::{
        attempt::transition::Move,
        effect::{Effect, Wish},
        ids::{AttemptId, ReceiptId},
    },
    store::{
        Db,
        attempts::{self, Change, Moved, Objects},
        jobs,
        jobs::Lease,
    },
};

/// The reviewing service of a denial by our own checks.
pub const INTAKE: &str = "intake";

/// The photos are ready: says which objects hold, and goes on to the vendor.
///
/// # Errors
///
/// [`OperationError::Fenced`] when another worker has the job, [`OperationError::Refused`] when the attempt
/// is past this step; either way nothing changed.
pub async fn prepared(
    db: &Db,
    lease: Lease,
    (attempt, receipt): (AttemptId, ReceiptId),
    objects: &Objects,
    now: DateTime<Utc>,
) -> Result<(), OperationError> {
    let mut tx = db.begin().await?;
    take(&mut tx, lease).await?;
    let change = Change { at: now, actor: "worker", ..Change::default() };
    if let Moved::Refused(status) = attempts::transition(&mut tx, attempt, Move::Prepare.rule(), &change).await? {
        return Err(OperationError::Refused(status));
    }
    attempts::set_prepared(&mut tx, attempt, objects).await?;
    jobs::insert(&mut tx, &[Wish::from(Effect::SubmitToVendor { receipt })], Some(receipt)).await?;
    tx.commit().await?;
    Ok(())
}

/// A photo failed the intake: the attempt is denied, with `reasons` in the vendor's JSON shape.
///
/// # Errors
///
/// As [`prepared`].
pub async fn rejected(
    db: &Db,
    lease: Lease,
    receipt: ReceiptId,
    reasons: &str,
    now: DateTime<Utc>,
) -> Result<(), OperationError> {
    let mut tx = db.begin().await?;
    take(&mut tx, lease).await?;
    let attempt = attempts::find_and_lock(&mut tx, receipt).await?.ok_or(OperationError::Missing("attempt"))?;
    let change = Change {
        at: now,
        actor: INTAKE,
        detail: reasons,
        reviewing_service: Some(INTAKE),
        error_msg: Some(reasons),
        ..Change::default()
    };
    settle_attempt::settle(&mut tx, &attempt, Move::RejectAtIntake, &change).await?;
    attempts::forget_uploads(&mut tx, attempt.id).await?;
    tx.commit().await?;
    Ok(())
}
