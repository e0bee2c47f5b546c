//! An operator verifies a learner without photos: somebody saw the person and the ID.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::OperationError;
use crate::{
    domain::{
        attempt::{Status, transition::Move},
        ids::{ReceiptId, UserId},
        operator::Order,
        verification,
    },
    store::{
        Db,
        attempts::{self, Change, Moved, NewAttempt},
        operator_actions::{self, Action},
        users,
    },
};

/// Who reviewed such an attempt, in its `reviewing_service`.
pub const SERVICE: &str = "manual";

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granted {
    /// The learner is verified from now on, by this attempt.
    Verified(ReceiptId),
    /// The learner is verified already, until then (UTC); nothing was changed.
    Already(DateTime<Utc>),
    /// There is no such learner.
    UnknownUser,
}

/// Verifies a learner under the name that the platform has: an attempt without photos, approved at once. No
/// mail goes out. Source: reference 10.2, `manual_verifications`.
///
/// # Errors
///
/// When the database is away; nothing was changed.
pub async fn grant(
    db: &Db,
    order: &Order,
    (user, receipt): (UserId, ReceiptId),
    days_good_for: u32,
    now: DateTime<Utc>,
) -> Result<Granted, OperationError> {
    let mut tx = db.begin().await?;
    // The lock makes two operators take turns.
    let Some(name) = users::lock_name(&mut tx, user).await? else { return Ok(Granted::UnknownUser) };
    let attempts = attempts::list_for_user(&mut tx, user).await?;
    if let Some(until) = verification::verified_until(&attempts, now, days_good_for) {
        return Ok(Granted::Already(until));
    }
    let new = NewAttempt {
        receipt,
        user,
        name: &name,
        created_at: now,
        copy_id_photo_from: None,
        face_upload: None,
        photo_id_upload: None,
        upload_master_key: None,
        received_from: None,
    };
    let id = attempts::insert(&mut tx, &new).await?;
    let change = Change { at: now, actor: &order.actor, reviewing_service: Some(SERVICE), ..Change::default() };
    if let Moved::Refused(status) = attempts::transition(&mut tx, id, Move::GrantByHand.rule(), &change).await? {
        return Err(OperationError::Refused(status));
    }
    let action = Action {
        at: now,
        order,
        action: "user.verify",
        target: &receipt.to_string(),
        detail: json!({ "user_id": user.0, "status": Status::Approved.as_str() }),
    };
    operator_actions::append(&mut tx, &action).await?;
    tx.commit().await?;
    Ok(Granted::Verified(receipt))
}
