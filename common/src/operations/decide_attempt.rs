//! An operator decides: approves or denies an attempt by hand, with all that a verdict of the vendor causes.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{act_refused::ActRefused, settle_attempt};
use crate::{
    domain::{
        attempt::{
            Status,
            reasons::{self, DENIED_BY_HAND},
            transition::{Move, Step},
        },
        ids::ReceiptId,
        operator::Order,
    },
    store::{
        Db, StoreError,
        attempts::{self, Change},
        job_acts,
        operator_actions::{self, Action},
        users,
    },
};

/// The reviewing service of a decision by hand.
pub const BY_HAND: &str = "operator";

/// What an operator says of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// The learner is who they say.
    Approve,
    /// Refused.
    Deny {
        /// Why, for the learner, as the vendor says it; the operator's own reason is never shown.
        learner_reasons: Option<Value>,
    },
}

/// Decides an attempt; where it stands then.
///
/// A verdict of the vendor that comes later meets a settled attempt and changes nothing.
///
/// # Errors
///
/// [`ActRefused`], and nothing changed; so for the attempt of a learner who was erased.
pub async fn decide(
    db: &Db,
    receipt: ReceiptId,
    decision: &Decision,
    order: &Order,
    now: DateTime<Utc>,
) -> Result<Status, ActRefused> {
    let (step, action, error_msg) = match decision {
        Decision::Approve => (Move::ApproveByHand, "attempt.approve", String::new()),
        Decision::Deny { learner_reasons: None } => (Move::DenyByHand, "attempt.deny", DENIED_BY_HAND.to_owned()),
        Decision::Deny { learner_reasons: Some(given) } => (Move::DenyByHand, "attempt.deny", reasons::by_hand(given)?),
    };
    let mut tx = db.begin().await?;
    let attempt = attempts::find_and_lock(&mut tx, receipt).await?.ok_or(ActRefused::Unknown("attempt"))?;
    // An erasure that begins now waits for the end of this, and then empties what is written here.
    if users::is_erased(&mut tx, attempt.user).await? {
        return Err(StoreError::Erased.into());
    }
    let Step::To(status) = step.step(attempt.status) else { return Err(undecidable(step, attempt.status)) };
    // Before the new mails are written: what is not sent yet tells of what holds no more.
    let removed = job_acts::remove_obsolete(&mut tx, receipt).await?;
    let change = Change {
        at: now,
        actor: &order.actor,
        detail: &order.reason,
        vendor_decided_at: Some(now),
        reviewing_service: Some(BY_HAND),
        reviewing_user: Some(&order.actor),
        error_msg: Some(&error_msg),
        error_code: Some(""),
        ..Change::default()
    };
    if attempt.status == Status::Created {
        // Nobody prepares them any more; the objects go with the other leftovers.
        attempts::forget_uploads(&mut tx, attempt.id).await?;
    }
    settle_attempt::settle(&mut tx, &attempt, step, &change).await?;
    let detail = json!({ "from": attempt.status.as_str(), "to": status.as_str(), "jobs_removed": removed });
    let target = receipt.to_string();
    operator_actions::append(&mut tx, &Action { at: now, order, action, target: &target, detail }).await?;
    tx.commit().await?;
    Ok(status)
}

fn undecidable(step: Move, status: Status) -> ActRefused {
    let accepted: Vec<&str> = step.rule().from.iter().map(|status| status.as_str()).collect();
    ActRefused::Undecidable { status, accepted: accepted.join(", "), wanted: step.rule().to }
}
