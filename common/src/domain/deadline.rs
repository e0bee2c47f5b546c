//! Until when learners may verify in a course: what the platform says, or the end of the course.
//!
//! Source: reference 1.5 and 1.9; unlike there, a deadline that was removed stays removed (fault 25).

use chrono::{DateTime, Utc};

/// A course's verification deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// There is none, and the end of the course may bring one.
    Unset,
    /// The platform removed it: there is none until the platform sets one.
    Removed,
    /// The platform set it (UTC).
    Explicit(DateTime<Utc>),
    /// It follows the end of the course (UTC).
    CourseEnd(DateTime<Utc>),
}

impl Deadline {
    /// The moment (UTC), if there is one.
    #[must_use]
    pub const fn at(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Explicit(at) | Self::CourseEnd(at) => Some(at),
            Self::Unset | Self::Removed => None,
        }
    }

    /// Whether the platform said so itself.
    #[must_use]
    pub const fn is_explicit(self) -> bool {
        matches!(self, Self::Explicit(_) | Self::Removed)
    }
}

/// What the platform says; an outer `None` says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Said {
    /// Of the deadline; an inner `None` removes it.
    pub deadline: Option<Option<DateTime<Utc>>>,
    /// Of the end of the course; an inner `None`: it has none.
    pub course_end: Option<Option<DateTime<Utc>>>,
}

/// The deadline after the platform said something. Source: reference 1.5, the course-published rule.
#[must_use]
pub fn after(before: Deadline, said: Said) -> Deadline {
    match (said.deadline, before, said.course_end) {
        (Some(Some(at)), ..) => Deadline::Explicit(at),
        (Some(None), ..) => Deadline::Removed,
        (None, Deadline::Unset | Deadline::CourseEnd(_), Some(end)) => end.map_or(Deadline::Unset, Deadline::CourseEnd),
        (None, ..) => before,
    }
}

/// What a line of the history says of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadlineChange {
    /// `created`, `changed` or `deleted`.
    pub change: &'static str,
    /// The deadline after it (UTC); of a deletion, the one that was deleted.
    pub deadline: DateTime<Utc>,
    /// Whether the platform said so itself.
    pub is_explicit: bool,
}

/// The line of the history from `before` to `after`; `None` when nothing changed that a learner could meet.
#[must_use]
pub fn change(before: Deadline, after: Deadline) -> Option<DeadlineChange> {
    let line = |change, deadline| Some(DeadlineChange { change, deadline, is_explicit: after.is_explicit() });
    match (before.at(), after.at()) {
        (None, Some(at)) => line("created", at),
        (Some(_), Some(at)) if before != after => line("changed", at),
        (Some(at), None) => line("deleted", at),
        (Some(_), Some(_)) | (None, None) => None,
    }
}

/// Whether an explicit deadline comes before a track's upgrade deadline: then nobody who upgrades last could
/// verify. Source: reference 1.9 (the earliest counts).
#[must_use]
pub fn is_before_upgrades(deadline: Deadline, upgrade_deadlines: &[DateTime<Utc>]) -> bool {
    let Deadline::Explicit(at) = deadline else { return false };
    upgrade_deadlines.iter().min().is_some_and(|&earliest| at < earliest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(number * 86_400, 0).expect("a moment")
    }

    fn published(end: Option<DateTime<Utc>>) -> Said {
        Said { deadline: None, course_end: Some(end) }
    }

    #[test]
    fn a_deadline_that_nobody_set_is_the_end_of_the_course_and_follows_it() {
        let first = after(Deadline::Unset, published(Some(day(1))));
        assert_eq!(first, Deadline::CourseEnd(day(1)));
        assert_eq!(after(first, published(Some(day(2)))), Deadline::CourseEnd(day(2)));
        assert_eq!(after(first, published(None)), Deadline::Unset);
        assert_eq!(after(first, Said::default()), first, "nothing was said");
    }

    #[test]
    fn what_the_platform_set_or_removed_stays_whatever_the_end_of_the_course() {
        for explicit in [Deadline::Explicit(day(1)), Deadline::Removed] {
            for end in [Some(day(9)), None] {
                assert_eq!(after(explicit, published(end)), explicit);
            }
        }
        let both = |deadline| Said { deadline: Some(deadline), course_end: Some(Some(day(9))) };
        assert_eq!(after(Deadline::CourseEnd(day(9)), both(None)), Deadline::Removed);
        assert_eq!(after(Deadline::Removed, both(Some(day(3)))), Deadline::Explicit(day(3)));
    }

    #[test]
    fn the_history_has_a_line_for_each_change_and_none_for_a_repeat() {
        let (explicit, end) = (Deadline::Explicit(day(1)), Deadline::CourseEnd(day(1)));
        let told = |before, after| change(before, after).map(|line| (line.change, line.deadline, line.is_explicit));
        assert_eq!(told(Deadline::Unset, end), Some(("created", day(1), false)));
        assert_eq!(told(end, explicit), Some(("changed", day(1), true)), "explicit from now on");
        assert_eq!(told(explicit, Deadline::Removed), Some(("deleted", day(1), true)));
        for same in [explicit, end, Deadline::Unset, Deadline::Removed] {
            assert_eq!(told(same, same), None);
        }
        assert_eq!(told(Deadline::Unset, Deadline::Removed), None);
    }

    #[test]
    fn an_explicit_deadline_may_not_come_before_the_earliest_upgrade_deadline() {
        let upgrades = [day(9), day(5)];
        assert!(is_before_upgrades(Deadline::Explicit(day(4)), &upgrades));
        assert!(!is_before_upgrades(Deadline::Explicit(day(5)), &upgrades));
        assert!(!is_before_upgrades(Deadline::CourseEnd(day(4)), &upgrades));
        assert!(!is_before_upgrades(Deadline::Explicit(day(4)), &[]));
    }
}
