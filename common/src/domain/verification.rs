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
    let last_changed = attempts.iter().max_by_key(|attempt| (attempt.updated_at, attempt.id));
    let mut denial = Vec::new();
    let standing = if is_verified(attempts, now, validity) {
        Standing::Approved
    } else if valid_or_pending(attempts, now, validity).is_some() {
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

/// Whether a status counts as verified or waiting for a verdict; queued attempts wait too.
const fn is_valid_or_pending(status: Status) -> bool {
    !matches!(status, Status::Denied)
}

/// Whether the learner is verified at `now`. Source: reference 2.4.
#[must_use]
pub fn is_verified(attempts: &[Attempt], now: DateTime<Utc>, validity: Validity) -> bool {
    let counts = |attempt: &Attempt| attempt.is_within_window(now, validity.days_good_for);
    attempts.iter().any(|attempt| attempt.status == Status::Approved && counts(attempt))
}

/// Until when the learner is verified by the approval that lasts longest, if by any at `now`.
#[must_use]
pub fn verified_until(attempts: &[Attempt], now: DateTime<Utc>, days_good_for: u32) -> Option<DateTime<Utc>> {
    let counts = |attempt: &&Attempt| attempt.status == Status::Approved && attempt.is_within_window(now, days_good_for);
    attempts.iter().filter(counts).map(|attempt| attempt.expires_at(days_good_for)).max()
}

/// The newest attempt by which the learner is verified or waits for a verdict at `now`. Source: reference 2.4.
#[must_use]
pub fn valid_or_pending(attempts: &[Attempt], now: DateTime<Utc>, validity: Validity) -> Option<&Attempt> {
    let counts = |attempt: &&Attempt| attempt.is_within_window(now, validity.days_good_for);
    attempts.iter().filter(counts).filter(|attempt| is_valid_or_pending(attempt.status)).max_by_key(|attempt| attempt.created_at)
}

/// The attempt that counts for something due at `deadline`: the newest that was active then, whatever its
/// status; the newest of all without a deadline. Source: reference 2.4 (both bounds are strict).
#[must_use]
pub fn for_deadline(attempts: &[Attempt], deadline: Option<DateTime<Utc>>, validity: Validity) -> Option<&Attempt> {
    let was_active =
        |attempt: &&Attempt| deadline.is_none_or(|at| attempt.created_at < at && at < attempt.expires_at(validity.days_good_for));
    attempts.iter().filter(was_active).max_by_key(|attempt| (attempt.created_at, attempt.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALIDITY: Validity = Validity { days_good_for: 10, expiring_soon_days: 3 };

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
    }

    fn attempt(status: Status, age: TimeDelta) -> Attempt {
        crate::domain::attempt::tests::attempt(status, now() - age)
    }

    fn days(days: i64) -> TimeDelta {
        TimeDelta::days(days)
    }

    fn stands(attempts: &[Attempt]) -> Standing {
        standing(attempts, now(), VALIDITY).standing
    }

    #[test]
    fn every_status_has_its_standing_within_the_window_and_after_it() {
        use Status::{Approved, Created, Denied, MustRetry, Ready, Submitted};
        assert_eq!(stands(&[]), Standing::None);
        for pending in [Created, Ready, Submitted, MustRetry] {
            assert_eq!(stands(&[attempt(pending, days(1))]), Standing::Pending);
        }
        assert_eq!(stands(&[attempt(Approved, days(1))]), Standing::Approved);
        assert_eq!(stands(&[attempt(Denied, days(1))]), Standing::MustReverify);
        for status in Status::ALL {
            assert_eq!(stands(&[attempt(status, days(10) + TimeDelta::seconds(1))]), Standing::Expired, "{status}");
        }
        assert_eq!(stands(&[attempt(Approved, days(10))]), Standing::Approved, "the bound itself counts");
    }

    #[test]
    fn an_older_approval_beats_a_newer_denial_and_a_newer_try_beats_the_expired_one() {
        assert_eq!(stands(&[attempt(Status::Approved, days(5)), attempt(Status::Denied, days(1))]), Standing::Approved);
        let expired = attempt(Status::Approved, days(20));
        assert_eq!(stands(&[expired.clone(), attempt(Status::Submitted, days(1))]), Standing::Pending);
        assert_eq!(stands(&[expired, attempt(Status::Denied, days(1))]), Standing::MustReverify);
    }

    #[test]
    fn what_changed_last_decides_when_nothing_counts() {
        let mut old_but_changed = attempt(Status::Submitted, days(20));
        old_but_changed.updated_at = now();
        assert_eq!(stands(&[old_but_changed, attempt(Status::Denied, days(1))]), Standing::Expired);
    }

    #[test]
    fn an_attempt_is_active_strictly_between_its_creation_and_its_expiry() {
        let one = attempt(Status::Submitted, TimeDelta::zero());
        let second = TimeDelta::seconds(1);
        for (at, expected) in [
            (now() - second, false),
            (now(), false),
            (now() + second, true),
            (now() + days(10) - second, true),
            (now() + days(10), false),
            (now() + days(10) + second, false),
        ] {
            assert_eq!(one.is_active_at(at, VALIDITY.days_good_for), expected, "{at}");
        }
    }

    #[test]
    fn for_a_deadline_the_newest_attempt_counts_that_was_active_then() {
        let (old, new) = (attempt(Status::Approved, days(5)), attempt(Status::Denied, days(2)));
        let both = [old.clone(), new.clone()];
        assert_eq!(for_deadline(&[], None, VALIDITY), None);
        assert_eq!(for_deadline(&both, None, VALIDITY), Some(&new), "no deadline: the newest");
        assert_eq!(for_deadline(&both, Some(now()), VALIDITY), Some(&new));
        assert_eq!(for_deadline(&both, Some(now() - days(3)), VALIDITY), Some(&old), "the newer one was not there yet");
        assert_eq!(for_deadline(&both, Some(now() - days(6)), VALIDITY), None);
        assert_eq!(for_deadline(&both, Some(now() + days(9)), VALIDITY), None, "both have expired by then");
    }

    #[test]
    fn the_newest_valid_or_pending_attempt_is_the_one_that_counts() {
        let attempts =
            [attempt(Status::Approved, days(5)), attempt(Status::MustRetry, days(2)), attempt(Status::Denied, days(1))];
        assert_eq!(valid_or_pending(&attempts, now(), VALIDITY), Some(&attempts[1]));
        assert!(is_verified(&attempts, now(), VALIDITY) && !is_verified(&attempts[1..], now(), VALIDITY));
        assert_eq!(valid_or_pending(&attempts[2..], now(), VALIDITY), None);
    }
}
