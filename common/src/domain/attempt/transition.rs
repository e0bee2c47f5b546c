//! Every move of an attempt, as one table. SQL guards its statements with it and tests walk it.
//!
//! Source: reference 2.1, with the intake added and with vendor and operator told apart: a verdict of
//! the vendor settles an open attempt, and only an operator may change a settled one (ADR 0004).

use super::status::Status::{self, Approved, Created, Denied, MustRetry, Ready, Submitted};

/// What may happen to an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Move {
    /// The photos passed the intake and lie ready for the vendor.
    Prepare,
    /// A photo failed the intake.
    RejectAtIntake,
    /// The vendor accepted the attempt.
    Submit,
    /// The vendor could not be reached, or refused.
    FailSubmission,
    /// The vendor says PASS.
    Approve,
    /// The vendor says FAIL.
    Deny,
    /// The vendor says SYSTEM FAIL.
    SystemError,
    /// An operator approves.
    ApproveByHand,
    /// An operator denies.
    DenyByHand,
    /// An operator verifies a learner without photos; the attempt is made for that.
    GrantByHand,
    /// Its learner is erased.
    EndByErasure,
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The move.
    pub step: Move,
    /// The states from which it is made.
    pub from: &'static [Status],
    /// The states in which it is heard and changes nothing.
    pub ignored_in: &'static [Status],
    /// The state to which it leads.
    pub to: Status,
    /// Its name in the history.
    pub name: &'static str,
}

/// The whole state machine.
pub const TABLE: [Rule; 11] = [
    Rule { step: Move::Prepare, from: &[Created], ignored_in: &[], to: Ready, name: "prepared" },
    Rule { step: Move::RejectAtIntake, from: &[Created], ignored_in: &[], to: Denied, name: "rejected_at_intake" },
    Rule { step: Move::Submit, from: &[Ready, MustRetry, Submitted], ignored_in: &[], to: Submitted, name: "submitted" },
    Rule {
        step: Move::FailSubmission,
        from: &[Ready, MustRetry, Submitted],
        ignored_in: &[],
        to: MustRetry,
        name: "submission_failed",
    },
    Rule { step: Move::Approve, from: &[MustRetry, Submitted], ignored_in: &[Approved, Denied], to: Approved, name: "approved" },
    Rule { step: Move::Deny, from: &[MustRetry, Submitted], ignored_in: &[Approved, Denied], to: Denied, name: "denied" },
    Rule {
        step: Move::SystemError,
        from: &[MustRetry, Submitted],
        ignored_in: &[Approved, Denied],
        to: MustRetry,
        name: "vendor_system_error",
    },
    Rule {
        step: Move::ApproveByHand,
        from: &[MustRetry, Submitted, Denied],
        ignored_in: &[Approved],
        to: Approved,
        name: "approved_by_hand",
    },
    Rule {
        step: Move::DenyByHand,
        from: &[Created, Ready, MustRetry, Submitted, Approved, Denied],
        ignored_in: &[],
        to: Denied,
        name: "denied_by_hand",
    },
    Rule { step: Move::GrantByHand, from: &[Created], ignored_in: &[], to: Approved, name: "granted_by_hand" },
    Rule {
        step: Move::EndByErasure,
        from: &[Created, Ready, MustRetry, Submitted],
        ignored_in: &[Approved, Denied],
        to: Denied,
        name: "ended_by_erasure",
    },
];

/// What the table says of a move in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The attempt goes to this state.
    To(Status),
    /// The move is heard and changes nothing.
    Ignored,
    /// The move does not fit the state.
    Refused,
}

impl Move {
    /// The move's line in the table.
    #[must_use]
    pub fn rule(self) -> &'static Rule {
        // The order of the table is the order of the enum; a test holds them together.
        &TABLE[self as usize]
    }

    /// What the move does to an attempt in state `from`.
    #[must_use]
    pub fn step(self, from: Status) -> Step {
        let rule = self.rule();
        if rule.from.contains(&from) {
            Step::To(rule.to)
        } else if rule.ignored_in.contains(&from) {
            Step::Ignored
        } else {
            Step::Refused
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_in_the_order_of_the_moves() {
        for (index, rule) in TABLE.iter().enumerate() {
            assert_eq!(rule.step as usize, index);
            assert_eq!(rule.step.rule(), rule);
        }
    }

    #[test]
    fn the_whole_table_is_what_the_reference_says() {
        use Step::{Ignored as Same, Refused as No, To};
        // created, ready, submitted, must_retry, approved, denied
        let expected = [
            (Move::Prepare, [To(Ready), No, No, No, No, No]),
            (Move::RejectAtIntake, [To(Denied), No, No, No, No, No]),
            (Move::Submit, [No, To(Submitted), To(Submitted), To(Submitted), No, No]),
            (Move::FailSubmission, [No, To(MustRetry), To(MustRetry), To(MustRetry), No, No]),
            (Move::Approve, [No, No, To(Approved), To(Approved), Same, Same]),
            (Move::Deny, [No, No, To(Denied), To(Denied), Same, Same]),
            (Move::SystemError, [No, No, To(MustRetry), To(MustRetry), Same, Same]),
            (Move::ApproveByHand, [No, No, To(Approved), To(Approved), Same, To(Approved)]),
            (Move::DenyByHand, [To(Denied), To(Denied), To(Denied), To(Denied), To(Denied), To(Denied)]),
            (Move::GrantByHand, [To(Approved), No, No, No, No, No]),
            (Move::EndByErasure, [To(Denied), To(Denied), To(Denied), To(Denied), Same, Same]),
        ];
        assert_eq!(expected.len(), TABLE.len());
        for (step, outcomes) in expected {
            for (from, outcome) in Status::ALL.into_iter().zip(outcomes) {
                assert_eq!(step.step(from), outcome, "{step:?} in {from}");
            }
        }
    }

    #[test]
    fn no_verdict_of_the_vendor_leaves_a_terminal_state() {
        for step in [Move::Approve, Move::Deny, Move::SystemError, Move::Submit, Move::FailSubmission] {
            for from in Status::ALL.into_iter().filter(|status| status.is_terminal()) {
                assert!(!matches!(step.step(from), Step::To(_)), "{step:?} in {from}");
            }
        }
    }
}
