//! A learner's standing: what all attempts together say. Source: reference 2.4, 2.5 and 4.12.

use chrono::{DateTime, TimeDelta, Utc};

use super::attempt::{Attempt, Status, reasons};

/// The rules that a deployment sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Days for which an attempt counts, from its creation.
    pub days_good_for: u32,
    /// Days before expiry from which a new verification is allowed.
    pub expiring_soon_days: u32,
}

/// A learner's standing in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing that counts.
    None,
    /// Waiting for a verdict, or for a try to reach the vendor.
    Pending,
    /// Verified.
    Approved,
    /// What there was has expired.
    Expired,
    /// Denied; the learner must try again.
    MustReverify,
}

impl Standing {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Expired => "expired",
            Self::MustReverify => "must_reverify",
        }
    }
}

/// A learner's standing with what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The standing.
    pub standing: Standing,
    /// Whether the learner may submit photos (again).
    pub can_verify: bool,
    /// When the newest approval expires (UTC), if there is one.
    pub expires_at: Option<DateTime<Utc>>,
    /// Why the newest attempt was denied, when it was.
    pub reasons: Vec<String>,
}

/// Computes a learner's standing from all of their attempts, in any order.
///
/// An attempt that is still queued counts as pending: the learner has done their part.
#[must_use]
pub fn standing(attempts: &[Attempt], now: DateTime<Utc>, validity: Validity) -> Verification {
    let counts = |attempt: &&Attempt| attempt.is_within_window(now, validity.days_good_for);
    let is_in = |statuses: &[Status]| attempts.iter().filter(counts).any(|attempt| statuses.contains(&attempt.status));
    let last_changed = attempts.iter().max_by_key(|attempt| (attempt.updated_at, attempt.id));
    let mut denial = Vec::new();
    let standing = if is_in(&[Status::Approved]) {
        Standing::Approved
    } else if is_in(&[Status::Created, Status::Ready, Status::Submitted, Status::MustRetry]) {
        Standing::Pending
    } else {
        match last_changed {
            Some(last) if !counts(&last) => Standing::Expired,
            Some(last) if last.status == Status::Denied => {
                denial = reasons::texts(&last.error_msg);
                Standing::MustReverify
            }
            Some(_) | None => Standing::None,
        }
    };
    let newest_approval =
        attempts.iter().filter(|attempt| attempt.status == Status::Approved).max_by_key(|attempt| attempt.created_at);
    let expires_at = newest_approval.map(|attempt| attempt.expires_at(validity.days_good_for));
    let expires_soon = expires_at.is_some_and(|at| (at - now) < TimeDelta::days(i64::from(validity.expiring_soon_days) + 1));
    let can_verify = standing != Standing::Approved || expires_soon;
    Verification { standing, can_verify, expires_at, reasons: denial }
}

/// The attempt whose ID photo can be used again: the newest that the vendor has or approved, within the
/// window, with an ID photo of its own. `has_own_id_photo` tells the last. Source: reference 2.4.
#[must_use]
pub fn can_lend_id_photo(attempt: &Attempt, has_own_id_photo: bool, now: DateTime<Utc>, days_good_for: u32) -> bool {
    let has_status = matches!(attempt.status, Status::Submitted | Status::Approved);
    has_status && has_own_id_photo && attempt.is_within_window(now, days_good_for)
}
