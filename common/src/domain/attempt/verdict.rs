//! What a verdict of the vendor does to an attempt.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Attempt, Status, transition::Move};
use crate::domain::{
    callback::VerdictKind,
    checkpoint::Outcome,
    effect::{Effect, MailTemplate, Start, Wish},
    ids::CheckpointId,
};

/// A verdict, as the vendor signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// PASS, FAIL or SYSTEM FAIL.
    pub kind: VerdictKind,
    /// The vendor's reasons as JSON text.
    pub reason: String,
    /// The vendor's message, at most 50 characters.
    pub message: String,
    /// When it was signed (UTC); `None` when an unsigned one was let in.
    pub signed_at: Option<DateTime<Utc>>,
}

/// What becomes of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// It is applied.
    Apply(Move),
    /// It came before our own record that the vendor has the attempt; try again shortly.
    Wait,
    /// It says what already holds.
    Duplicate,
    /// It is older than what was applied.
    Late,
    /// It contradicts the verdict that holds; an operator may look.
    Contradiction,
}

/// After so many system failures of the vendor an operator decides whether to send it again.
pub const SYSTEM_FAILURES_MAX: u32 = 3;
/// Wait before sending again what the vendor could not process; doubles each time.
pub const SYSTEM_FAILURE_WAIT: Duration = Duration::from_mins(10);

/// Decides what becomes of `verdict` for an attempt as it stands.
///
/// Source: contract (late and duplicate verdicts change nothing), reference 2.1 and 7.1.
#[must_use]
pub fn rule(attempt: &Attempt, verdict: &Verdict) -> Ruling {
    let holds = |kind| verdict.kind == kind;
    match attempt.status {
        Status::Created | Status::Ready => return Ruling::Wait,
        Status::Approved if holds(VerdictKind::Pass) => return Ruling::Duplicate,
        Status::Denied if holds(VerdictKind::Fail) => return Ruling::Duplicate,
        Status::Approved | Status::Denied if is_late(attempt, verdict) => return Ruling::Late,
        Status::Approved | Status::Denied => return Ruling::Contradiction,
        Status::Submitted | Status::MustRetry => {}
    }
    if is_late(attempt, verdict) {
        return Ruling::Late;
    }
    let repeats_failure = attempt.status == Status::MustRetry
        && attempt.vendor_decided_at.is_some()
        && attempt.error_msg == verdict.reason
        && attempt.error_code == verdict.message;
    match verdict.kind {
        VerdictKind::Pass => Ruling::Apply(Move::Approve),
        VerdictKind::Fail => Ruling::Apply(Move::Deny),
        VerdictKind::SystemFail if repeats_failure => Ruling::Duplicate,
        VerdictKind::SystemFail => Ruling::Apply(Move::SystemError),
    }
}

fn is_late(attempt: &Attempt, verdict: &Verdict) -> bool {
    matches!((verdict.signed_at, attempt.vendor_decided_at), (Some(signed), Some(applied)) if signed < applied)
}

/// Whether verdicts at checkpoints are mailed with how many tries are left; the platform turns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StatusMails {
    /// They are.
    On,
    /// They are not.
    #[default]
    Off,
}

/// What must happen outside the database once a verdict is applied, but for another try of the vendor's.
///
/// A re-verification inside a course gets the mail about the checkpoint alone when those are on; else, and
/// for any other attempt, approval and denial have their ordinary mail. Source: reference 7.2 and 7.3.
#[must_use]
pub fn wishes_after_verdict(attempt: &Attempt, outcome: Outcome, checkpoints: &[CheckpointId], mails: StatusMails) -> Vec<Wish> {
    let ordinary = match outcome {
        Outcome::Approved => Some(MailTemplate::Approved),
        Outcome::Denied => Some(MailTemplate::Denied),
        Outcome::Error => None,
    };
    let is_told_at_checkpoint = mails == StatusMails::On && !checkpoints.is_empty();
    let is_reverification = attempt.copy_id_photo_from.is_some();
    let ordinary = ordinary.filter(|_| !(is_told_at_checkpoint && is_reverification));
    let status = is_told_at_checkpoint.then_some(MailTemplate::ReverificationStatus(outcome));
    let mails = ordinary.into_iter().chain(status).map(|template| Effect::SendEmail {
        template,
        user: attempt.user,
        receipt: Some(attempt.receipt),
        course: None,
    });
    checkpoints
        .iter()
        .filter(|_| outcome != Outcome::Error)
        .map(|&checkpoint| Effect::UpdateCreditRequirement { user: attempt.user, checkpoint })
        .chain(mails)
        .map(Wish::from)
        .collect()
}

/// How an attempt goes on after the `failures`-th system failure of the vendor (1 is the first).
#[must_use]
pub fn wish_after_system_failure(attempt: &Attempt, failures: u32) -> Wish {
    let start = if failures > SYSTEM_FAILURES_MAX {
        Start::ByOperator {
            class: "vendor_system_failure",
            error: format!("the vendor reported a system failure {failures} times"),
        }
    } else {
        Start::After(SYSTEM_FAILURE_WAIT.saturating_mul(1 << failures.saturating_sub(1).min(8)))
    };
    Wish { effect: Effect::SubmitToVendor { receipt: attempt.receipt }, start }
}
