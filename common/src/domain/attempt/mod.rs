//! The attempt: one submission of photos, from its arrival to its verdict.

pub mod reasons;
pub mod retry;
pub mod status;
pub mod transition;
pub mod verdict;

use chrono::{DateTime, TimeDelta, Utc};

use super::ids::{AttemptId, ReceiptId, UserId};
pub use status::Status;

/// An attempt as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its row.
    pub id: AttemptId,
    /// Its public name, and the vendor's correlation id.
    pub receipt: ReceiptId,
    /// Whose photos.
    pub user: UserId,
    /// Where it stands.
    pub status: Status,
    /// The legal name as it was when the photos were submitted; what the vendor compares with the ID.
    pub name: String,
    /// When it arrived (UTC).
    pub created_at: DateTime<Utc>,
    /// When it last changed (UTC).
    pub updated_at: DateTime<Utc>,
    /// When the vendor last accepted it (UTC).
    pub submitted_at: Option<DateTime<Utc>>,
    /// When the verdict that holds was given (UTC): signed by the vendor, or said by an operator.
    pub vendor_decided_at: Option<DateTime<Utc>>,
    /// Who reviewed: empty for the vendor, `intake` for our own checks, else an operator's tool.
    pub reviewing_service: String,
    /// The operator who reviewed, if one did.
    pub reviewing_user: String,
    /// Denial reasons as JSON text, or what a failed submission answered.
    pub error_msg: String,
    /// The vendor's `MessageType`, at most 50 characters.
    pub error_code: String,
    /// The attempt whose ID photo is sent with this face; `None`: it has an ID photo of its own.
    pub copy_id_photo_from: Option<AttemptId>,
}

impl Attempt {
    /// When its approval stops counting. Counted from creation. Source: reference 2.3.
    #[must_use]
    pub fn expires_at(&self, days_good_for: u32) -> DateTime<Utc> {
        self.created_at + TimeDelta::days(i64::from(days_good_for))
    }

    /// Whether it still counts at `now`. Source: reference 2.3 (the bound itself counts).
    #[must_use]
    pub fn is_within_window(&self, now: DateTime<Utc>, days_good_for: u32) -> bool {
        self.created_at >= now - TimeDelta::days(i64::from(days_good_for))
    }

    /// Whether it was active at a moment: created before, and not expired then. Source: reference 2.4 (both
    /// bounds are strict).
    #[must_use]
    pub fn is_active_at(&self, at: DateTime<Utc>, days_good_for: u32) -> bool {
        self.created_at < at && at < self.expires_at(days_good_for)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use uuid::Uuid;

    use super::*;

    /// An attempt of that status, created at that moment and not changed since.
    pub(crate) fn attempt(status: Status, at: DateTime<Utc>) -> Attempt {
        Attempt {
            id: AttemptId(at.timestamp()),
            receipt: ReceiptId(Uuid::nil()),
            user: UserId(1),
            status,
            name: String::new(),
            created_at: at,
            updated_at: at,
            submitted_at: None,
            vendor_decided_at: None,
            reviewing_service: String::new(),
            reviewing_user: String::new(),
            error_msg: String::new(),
            error_code: String::new(),
            copy_id_photo_from: None,
        }
    }
}
