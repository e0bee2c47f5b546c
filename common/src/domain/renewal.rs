//! When a learner is told that a verification has expired. Source: reference 10.3.
//!
//! The first mail goes when it has expired, and more follow from time to time: up to a number for everyone,
//! and without end for whoever is still enrolled with a verified certificate in a course that has not ended.

use chrono::{DateTime, TimeDelta, Utc};

/// What a deployment sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reminders {
    /// How many mails everyone gets; 0: nobody gets any.
    pub mails: u32,
    /// Time between two mails. What expired longer ago than this and was never told is left alone.
    pub every: TimeDelta,
}

impl Reminders {
    /// Nobody is told.
    pub const NONE: Self = Self { mails: 0, every: TimeDelta::zero() };
}

/// When to tell again after mail number `told`; `None`: never.
#[must_use]
pub fn next_mail(told: u32, needs_verification: bool, reminders: Reminders, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (told < reminders.mails || needs_verification).then(|| now + reminders.every)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_end_after_their_number_unless_a_course_still_needs_the_verification() {
        let reminders = Reminders { mails: 2, every: TimeDelta::days(15) };
        let now = DateTime::UNIX_EPOCH;
        let again = Some(now + TimeDelta::days(15));
        assert_eq!(next_mail(1, false, reminders, now), again);
        assert_eq!(next_mail(2, false, reminders, now), None);
        assert_eq!(next_mail(2, true, reminders, now), again);
        assert_eq!(next_mail(9, true, reminders, now), again);
    }
}
