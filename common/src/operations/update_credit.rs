//! The credit requirement of a checkpoint follows a learner's status there.
//!
//! It looks at what is stored, not at what set it going, so that jobs that come late or out of order
//! still end with the truth. Source: reference 7.2 and 8.2.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

pub use super::set_requirement::CreditUpdated;
use super::{OperationError, set_requirement, take};
use crate::{
    domain::{
        checkpoint::CheckpointStatus,
        credit::{REVERIFICATION, RequirementStatus},
        ids::{CheckpointId, ReceiptId, UserId},
    },
    store::{Db, checkpoints, credit as rows, jobs::Lease, skips},
};

/// Brings a requirement up to date.
///
/// # Errors
///
/// [`OperationError::Fenced`] when another worker has the job.
pub async fn update(
    db: &Db,
    lease: Lease,
    (user, checkpoint): (UserId, CheckpointId),
    receipt: Option<ReceiptId>,
    now: DateTime<Utc>,
) -> Result<CreditUpdated, OperationError> {
    let mut tx = db.begin().await?;
    take(&mut tx, lease).await?;
    let (course, usage) = checkpoints::place(&mut tx, checkpoint).await?.ok_or(OperationError::Missing("checkpoint"))?;
    rows::lock(&mut tx, &course, user).await?;
    let target = rows::find_requirement(&mut tx, &course, REVERIFICATION, &usage).await?;
    let latest = checkpoints::latest_verdict(&mut tx, checkpoint, user).await?;
    let (Some(target), Some(latest)) = (target, latest) else {
        tx.commit().await?;
        return Ok(CreditUpdated::NotRequired);
    };
    if skips::find_at(&mut tx, user, checkpoint).await?.is_some_and(|skipped_at| skipped_at >= latest.at) {
        // The opt-out came after the verdict and has declined the requirement already.
        tx.commit().await?;
        return Ok(CreditUpdated::Kept);
    }
    let (status, reason) = match latest.status {
        CheckpointStatus::Approved => (RequirementStatus::Satisfied, json!({})),
        // The reason is the JSON text itself, as a string. Source: reference 7.1.
        _ => (RequirementStatus::Failed, Value::String(latest.error_msg)),
    };
    let done = set_requirement::apply(&mut tx, (user, &course), (target, status, &reason), receipt, now).await?;
    tx.commit().await?;
    Ok(done)
}
