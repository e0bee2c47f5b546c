//! Credit: requirements, their statuses, and who is eligible. Source: reference 8.2.

use chrono::TimeDelta;

/// How long an eligibility lasts. Source: reference 8.1 (365 days).
pub const ELIGIBLE_FOR: TimeDelta = TimeDelta::days(365);

/// The namespace of requirements that a checkpoint fulfils; the requirement's name is the usage key.
pub const REVERIFICATION: &str = "reverification";

/// A learner's status in one requirement; no status at all is the fourth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequirementStatus {
    /// Fulfilled.
    Satisfied,
    /// Not fulfilled; a later attempt may.
    Failed,
    /// The learner opted out.
    Declined,
}

impl RequirementStatus {
    /// The status in SQL and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Satisfied => "satisfied",
            Self::Failed => "failed",
            Self::Declined => "declined",
        }
    }

    /// Reads a status.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Satisfied, Self::Failed, Self::Declined].into_iter().find(|status| status.as_str() == text)
    }
}

/// One active requirement of a course with the learner's status in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    /// The requirement's row.
    pub id: i64,
    /// The learner's status in it, if any.
    pub status: Option<RequirementStatus>,
}

/// How far a learner is in a course, beside the statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Whether the learner is eligible: a row that has not ended, in an enabled course.
    pub is_eligible: bool,
    /// Whether the learner asked a provider for credit, whatever became of it.
    pub has_requested: bool,
}

/// What a new status of one requirement brings about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing: credit was asked for, or a learner who is eligible is not failed any more.
    None,
    /// The status is set.
    Set,
    /// The status is set, and with it all requirements are satisfied: the learner becomes eligible.
    SetAndEligible,
}

/// Decides what setting requirement `target` to `status` brings about.
///
/// `requirements` are the active ones of the course as they stand before; `target` is one of them.
/// Whether the learner is enrolled plays no role. Source: reference 8.2.
#[must_use]
pub fn change(requirements: &[Requirement], target: i64, status: RequirementStatus, progress: Progress) -> Change {
    let is_eligible = progress.is_eligible;
    if progress.has_requested || (is_eligible && status == RequirementStatus::Failed) {
        return Change::None;
    }
    let others_are_satisfied = requirements
        .iter()
        .filter(|requirement| requirement.id != target)
        .all(|requirement| requirement.status == Some(RequirementStatus::Satisfied));
    if status == RequirementStatus::Satisfied && !is_eligible && others_are_satisfied {
        Change::SetAndEligible
    } else {
        Change::Set
    }
}

/// Names of credit providers as a sentence has them: "A", "A and B", "A, B, and C". Source: reference 8.4.
#[must_use]
pub fn provider_names(names: &[String]) -> Option<String> {
    match names {
        [] => None,
        [one] => Some(one.clone()),
        [one, two] => Some(format!("{one} and {two}")),
        [first @ .., last] => Some(format!("{}, and {last}", first.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use RequirementStatus::{Declined, Failed, Satisfied};

    const NEW: Progress = Progress { is_eligible: false, has_requested: false };
    const ELIGIBLE: Progress = Progress { is_eligible: true, has_requested: false };

    fn course(statuses: &[Option<RequirementStatus>]) -> Vec<Requirement> {
        statuses.iter().zip(1..).map(|(&status, id)| Requirement { id, status }).collect()
    }

    #[test]
    fn a_learner_becomes_eligible_when_the_last_requirement_is_satisfied() {
        assert_eq!(change(&course(&[None]), 1, Satisfied, NEW), Change::SetAndEligible);
        assert_eq!(change(&course(&[Some(Failed), Some(Satisfied)]), 1, Satisfied, NEW), Change::SetAndEligible);
        for missing in [None, Some(Failed), Some(Declined)] {
            assert_eq!(change(&course(&[None, missing]), 1, Satisfied, NEW), Change::Set);
        }
        assert_eq!(change(&course(&[None]), 1, Satisfied, ELIGIBLE), Change::Set, "not a second time");
    }

    #[test]
    fn an_eligible_learner_is_not_failed_but_may_decline() {
        assert_eq!(change(&course(&[Some(Satisfied)]), 1, Failed, ELIGIBLE), Change::None);
        assert_eq!(change(&course(&[Some(Satisfied)]), 1, Declined, ELIGIBLE), Change::Set);
        assert_eq!(change(&course(&[Some(Satisfied)]), 1, Failed, NEW), Change::Set);
    }

    #[test]
    fn whoever_asked_for_credit_keeps_every_status() {
        for is_eligible in [false, true] {
            let progress = Progress { is_eligible, has_requested: true };
            for status in [Satisfied, Failed, Declined] {
                assert_eq!(change(&course(&[None]), 1, status, progress), Change::None);
            }
        }
    }

    #[test]
    fn provider_names_read_as_a_sentence() {
        let names = |names: &[&str]| provider_names(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert_eq!(names(&[]), None);
        assert_eq!(names(&["a"]).as_deref(), Some("a"));
        assert_eq!(names(&["a", "b"]).as_deref(), Some("a and b"));
        assert_eq!(names(&["a", "b", "c"]).as_deref(), Some("a, b, and c"));
    }
}
