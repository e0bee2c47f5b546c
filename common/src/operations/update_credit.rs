//! The credit requirement of a checkpoint follows a learner's status there.
//!
//! It looks at what is stored, not at what set it going, so that jobs that come late or out of order
//! still end with the truth. Source: reference 7.2 and 8.2.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{OperationError, take};
use crate::{
    domain::{
        credit::{self, Change, ELIGIBLE_FOR, REVERIFICATION, RequirementStatus},
        effect::{Effect, MailTemplate, Wish},
        ids::{CheckpointId, ReceiptId, UserId},
    },
    store::{
        Db,
        checkpoints::{self, CheckpointStatus},
        credit as rows, jobs,
        jobs::Lease,
    },
};

/// What an update of credit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreditUpdated {
    /// The course asks nothing of this checkpoint, or there is no verdict.
    NotRequired,
    /// Nothing changed: the learner is eligible already.
    Kept,
    /// The requirement has its status.
    Set,
    /// And the learner became eligible.
    Eligible,
}

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
    let (status, reason) = match latest.status {
        CheckpointStatus::Approved => (RequirementStatus::Satisfied, json!({})),
        // The reason is the JSON text itself, as a string. Source: reference 7.1.
        _ => (RequirementStatus::Failed, Value::String(latest.error_msg)),
    };
    let requirements = rows::requirements_of(&mut tx, &course, user).await?;
    let is_eligible = rows::eligible_until(&mut tx, &course, user, now).await?.is_some();
    let change = credit::change(&requirements, target, status, is_eligible);
    if change != Change::None {
        rows::set_status(&mut tx, user, target, (status, &reason), now).await?;
    }
    let mut done = if change == Change::None { CreditUpdated::Kept } else { CreditUpdated::Set };
    if change == Change::SetAndEligible && rows::make_eligible(&mut tx, &course, user, now + ELIGIBLE_FOR, now).await? {
        let mail = Effect::SendEmail { template: MailTemplate::CreditEligible, user, receipt: None, course: Some(course) };
        jobs::insert(&mut tx, &[Wish::from(mail)], receipt).await?;
        done = CreditUpdated::Eligible;
    }
    tx.commit().await?;
    Ok(done)
}
