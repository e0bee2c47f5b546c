//! Checkpoints: what a learner's status there means, and how many tries are left.
//!
//! Source: reference 1.2, 1.3, 8.5 and 8.6; which count holds: ADR 0010.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A learner's status at a checkpoint. Source: reference 1.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointStatus {
    /// Photos were submitted.
    Submitted,
    /// The attempt was approved.
    Approved,
    /// The attempt was denied.
    Denied,
    /// The vendor had a fault of its own.
    Error,
}

impl CheckpointStatus {
    /// The status in SQL and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Error => "error",
        }
    }

    /// Reads a status.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Submitted, Self::Approved, Self::Denied, Self::Error].into_iter().find(|status| status.as_str() == text)
    }
}

/// A verdict as a checkpoint hears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The attempt was approved.
    Approved,
    /// The attempt was denied.
    Denied,
    /// The vendor had a fault of its own.
    Error,
}

impl Outcome {
    /// The status that it leaves at each checkpoint of the attempt. Source: reference 7.1.
    #[must_use]
    pub const fn status(self) -> CheckpointStatus {
        match self {
            Self::Approved => CheckpointStatus::Approved,
            Self::Denied => CheckpointStatus::Denied,
            Self::Error => CheckpointStatus::Error,
        }
    }
}

/// How many tries a learner has at a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// Submissions so far.
    pub used: i64,
    /// How many the block allows; `None` when the platform did not tell of the block.
    pub allowed: Option<i64>,
}

impl Tries {
    /// Counts the tries at a block that says `attempts` (0 or more): one more than it says. Source: ADR 0010.
    #[must_use]
    pub fn new(used: i64, attempts: Option<i32>) -> Self {
        Self { used, allowed: attempts.map(|attempts| i64::from(attempts) + 1) }
    }

    /// How many are left, never below 0; `None` when nobody told how many there are.
    #[must_use]
    pub fn left(self) -> Option<i64> {
        self.allowed.map(|allowed| (allowed - self.used).max(0))
    }
}

/// Whether a checkpoint that closes at `due` is open at `now`, the last moment included. Source: ADR 0010.
#[must_use]
pub fn is_open(due: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    due.is_none_or(|due| now <= due)
}

/// What a checkpoint wants to know of a learner in its course. Source: reference 8.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LearnerFacts {
    /// Whether the learner is actively enrolled as `verified`.
    pub is_verified_track: bool,
    /// Whether the learner opted out of re-verification in this course.
    pub has_skipped: bool,
}

/// Whether what a checkpoint guards is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// It is.
    Allow,
    /// It is not, until the learner submits or opts out.
    Deny,
}

impl Gate {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// Decides whether what a checkpoint guards is shown. Any status opens it, a denial too. Source: reference 8.5.
#[must_use]
pub const fn gate(facts: LearnerFacts, latest: Option<CheckpointStatus>) -> Gate {
    if facts.is_verified_track && !facts.has_skipped && latest.is_none() { Gate::Deny } else { Gate::Allow }
}

/// What the block is told of a learner. Source: reference 8.6, get_status.
#[must_use]
pub fn status_for_block(facts: LearnerFacts, latest: Option<CheckpointStatus>) -> Option<&'static str> {
    if !facts.is_verified_track {
        return Some("not-verified");
    }
    if facts.has_skipped { Some("skipped") } else { latest.map(CheckpointStatus::as_str) }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn facts(is_verified_track: bool, has_skipped: bool) -> LearnerFacts {
        LearnerFacts { is_verified_track, has_skipped }
    }

    #[test]
    fn a_block_allows_one_try_more_than_it_says_and_zero_means_one() {
        assert_eq!(Tries::new(0, Some(0)).left(), Some(1));
        assert_eq!(Tries::new(1, Some(1)).left(), Some(1));
        assert_eq!(Tries::new(2, Some(1)).left(), Some(0));
        assert_eq!(Tries::new(9, Some(1)).left(), Some(0), "never below none");
        assert_eq!(Tries::new(3, Some(i32::MAX)).allowed, Some(1 << 31));
        assert_eq!(Tries::new(3, None).left(), None);
    }

    #[test]
    fn a_checkpoint_is_open_up_to_and_including_its_last_moment() {
        let due = DateTime::from_timestamp(1_464_782_400, 0).expect("a moment");
        assert!(is_open(Some(due), due));
        assert!(!is_open(Some(due), due + TimeDelta::milliseconds(1)));
        assert!(is_open(None, due));
    }

    #[test]
    fn only_a_verified_learner_who_neither_skipped_nor_submitted_is_kept_out() {
        assert_eq!(gate(facts(true, false), None), Gate::Deny);
        for latest in [CheckpointStatus::Submitted, CheckpointStatus::Approved, CheckpointStatus::Denied, CheckpointStatus::Error]
        {
            assert_eq!(gate(facts(true, false), Some(latest)), Gate::Allow);
        }
        assert_eq!(gate(facts(true, true), None), Gate::Allow);
        assert_eq!(gate(facts(false, false), None), Gate::Allow);
    }

    #[test]
    fn the_track_outweighs_the_opt_out_and_the_opt_out_the_status() {
        let denied = Some(CheckpointStatus::Denied);
        assert_eq!(status_for_block(facts(false, true), denied), Some("not-verified"));
        assert_eq!(status_for_block(facts(true, true), denied), Some("skipped"));
        assert_eq!(status_for_block(facts(true, false), denied), Some("denied"));
        assert_eq!(status_for_block(facts(true, false), None), None);
    }
}
