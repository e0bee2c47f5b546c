//! Attempts and credit under facts that come twice, late, in any order, or not at all.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use uuid::Uuid;
use vouch_common::domain::{
    attempt::{
        Attempt, Status,
        transition::{Move, Step, TABLE},
        verdict::{Ruling, Verdict, rule},
    },
    callback::VerdictKind,
    credit::{Change, Progress, Requirement, RequirementStatus, change},
    ids::{AttemptId, ReceiptId, UserId},
};

/// What happens without an operator.
const BY_ITSELF: [Move; 7] =
    [Move::Prepare, Move::RejectAtIntake, Move::Submit, Move::FailSubmission, Move::Approve, Move::Deny, Move::SystemError];

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn submitted() -> Attempt {
    Attempt {
        id: AttemptId(1),
        receipt: ReceiptId(Uuid::nil()),
        user: UserId(1),
        status: Status::Submitted,
        name: String::new(),
        created_at: at(0),
        updated_at: at(0),
        submitted_at: Some(at(0)),
        vendor_decided_at: None,
        reviewing_service: String::new(),
        reviewing_user: String::new(),
        error_msg: String::new(),
        error_code: String::new(),
        copy_id_photo_from: None,
    }
}

fn verdict(kind: VerdictKind, signed: i64) -> Verdict {
    Verdict { kind, reason: format!("{signed}"), message: String::new(), signed_at: Some(at(signed)) }
}

/// An attempt after a verdict, as the store writes it.
fn after(attempt: Attempt, verdict: &Verdict) -> Attempt {
    let Ruling::Apply(step) = rule(&attempt, verdict) else { return attempt };
    let Step::To(status) = step.step(attempt.status) else { panic!("a ruling to apply does not fit the table") };
    let (error_msg, error_code) = (verdict.reason.clone(), verdict.message.clone());
    Attempt { status, vendor_decided_at: verdict.signed_at, error_msg, error_code, ..attempt }
}

fn any_kind() -> impl Strategy<Value = VerdictKind> {
    prop::sample::select(VerdictKind::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_without_an_operator_a_settled_attempt_stays_settled(
        moves in prop::collection::vec(prop::sample::select(BY_ITSELF.to_vec()), 0..30),
    ) {
        let mut status = Status::Created;
        for step in moves {
            let before = status;
            if let Step::To(next) = step.step(status) {
                status = next;
            }
            prop_assert!(!before.is_terminal() || status == before, "{step:?} led from {before} to {status}");
        }
    }

    #[test]
    fn nothing_leads_to_the_vendor_before_the_photos_are_prepared(
        moves in prop::collection::vec(prop::sample::select(TABLE.map(|line| line.step).to_vec()), 0..30),
    ) {
        let mut status = Status::Created;
        let mut is_prepared = false;
        for step in moves {
            if let Step::To(next) = step.step(status) {
                is_prepared |= step == Move::Prepare;
                status = next;
            }
            prop_assert!(is_prepared || !matches!(status, Status::Submitted | Status::MustRetry | Status::Ready));
        }
    }

    #[test]
    fn the_first_final_verdict_holds_against_any_number_of_later_ones(
        first in prop::sample::select(vec![VerdictKind::Pass, VerdictKind::Fail]),
        others in prop::collection::vec((any_kind(), 0_i64..100), 0..12),
    ) {
        let mut attempt = after(submitted(), &verdict(first, 50));
        let settled = attempt.status;
        prop_assert!(settled.is_terminal());
        for (kind, signed) in others {
            attempt = after(attempt, &verdict(kind, signed));
            prop_assert_eq!(attempt.status, settled);
        }
    }

    #[test]
    fn system_failures_and_one_newer_verdict_end_alike_in_any_order_and_number(
        last in prop::sample::select(vec![VerdictKind::Pass, VerdictKind::Fail]),
        failures in prop::collection::vec(0_i64..100, 0..8),
        places in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let expected = after(submitted(), &verdict(last, 100)).status;
        let mut facts: Vec<Verdict> = failures.into_iter().map(|signed| verdict(VerdictKind::SystemFail, signed)).collect();
        for place in places {
            let place = place.index(facts.len() + 1);
            facts.insert(place, verdict(last, 100));
        }
        let attempt = facts.iter().fold(submitted(), after);
        prop_assert_eq!(attempt.status, expected);
    }

    #[test]
    fn a_verdict_that_comes_before_the_photos_are_with_the_vendor_waits(kind in any_kind(), signed in 0_i64..100, is_ready: bool) {
        let status = if is_ready { Status::Ready } else { Status::Created };
        prop_assert_eq!(rule(&Attempt { status, ..submitted() }, &verdict(kind, signed)), Ruling::Wait);
    }

    #[test]
    fn the_same_verdict_twice_is_heard_once(kind in any_kind(), signed in 0_i64..100) {
        let once = after(submitted(), &verdict(kind, signed));
        prop_assert_eq!(rule(&once, &verdict(kind, signed)), Ruling::Duplicate);
    }

    #[test]
    fn whoever_is_eligible_for_credit_stays_so_and_becomes_so_once(
        count in 1_i64..5,
        statuses in prop::collection::vec((0_i64..5, 0_usize..3), 0..40),
        asked_at in prop::option::of(0_usize..40),
    ) {
        let all = [RequirementStatus::Satisfied, RequirementStatus::Failed, RequirementStatus::Declined];
        let mut course: Vec<Requirement> = (0..count).map(|id| Requirement { id, status: None }).collect();
        let mut progress = Progress::default();
        let mut times_eligible = 0;
        for (number, (target, status)) in statuses.into_iter().enumerate() {
            let (target, status) = (target % count, all[status]);
            progress.has_requested |= asked_at == Some(number);
            let before = course.clone();
            let decided = change(&course, target, status, progress);
            if decided != Change::None {
                course[usize::try_from(target).unwrap()].status = Some(status);
            }
            if decided == Change::SetAndEligible {
                times_eligible += 1;
                progress.is_eligible = true;
                let all_are_satisfied = course.iter().all(|one| one.status == Some(RequirementStatus::Satisfied));
                prop_assert!(all_are_satisfied, "eligible with something open");
            }
            let failed = |course: &[Requirement]| course.iter().filter(|one| one.status == Some(RequirementStatus::Failed)).count();
            prop_assert!(!progress.is_eligible || failed(&course) <= failed(&before), "who is eligible was failed");
            prop_assert!(!progress.has_requested || course == before, "who asked for credit was changed");
        }
        prop_assert!(times_eligible <= 1);
    }
}
