//! What a retry by hand does to an attempt, by where it stands and which jobs it has.

use super::Status;
use crate::domain::{
    effect::Effect,
    ids::{JobId, ReceiptId},
};

/// Where a job of an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// It was given up.
    Dead,
    /// It waits for a time that is to come.
    Scheduled,
    /// It waits for its turn.
    Due,
    /// It was handed out or runs.
    Busy,
}

impl JobState {
    /// The state's word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Scheduled => "scheduled",
            Self::Due => "due",
            Self::Busy => "running",
        }
    }

    /// Reads a state as the ledger tells it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Dead, Self::Scheduled, Self::Due, Self::Busy].into_iter().find(|state| state.as_str() == text)
    }

    /// Whether an operator can set it going.
    #[must_use]
    pub const fn can_be_retried(self) -> bool {
        matches!(self, Self::Dead | Self::Scheduled)
    }
}

/// A job of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenJob {
    /// The job.
    pub id: JobId,
    /// Its kind.
    pub kind: String,
    /// Where it is.
    pub state: JobState,
}

/// What a retry does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// These jobs become due, and this one is made.
    Go {
        /// Dead or scheduled jobs.
        revive: Vec<JobId>,
        /// The job that brings the attempt on, when it has none.
        new: Option<Effect>,
    },
    /// It is being worked on.
    Busy,
    /// It waits for its turn already.
    Waiting,
    /// The verdict has fallen and nothing is dead.
    Finished,
}

/// The job that applies a verdict: while there is one, nothing is sent again.
const APPLY: &str = "apply_vendor_result";

/// The job that brings an attempt on; `None`: it is finished.
#[must_use]
pub fn way_on(status: Status, receipt: ReceiptId) -> Option<Effect> {
    match status {
        Status::Created => Some(Effect::PreparePhotos { receipt }),
        Status::Ready | Status::MustRetry | Status::Submitted => Some(Effect::SubmitToVendor { receipt }),
        Status::Approved | Status::Denied => None,
    }
}

/// Decides what a retry does.
#[must_use]
pub fn plan(status: Status, receipt: ReceiptId, jobs: &[OpenJob]) -> Plan {
    let way = way_on(status, receipt);
    let on_its_way = |job: &&OpenJob| job.kind == APPLY || way.as_ref().is_some_and(|way| way.kind() == job.kind);
    if jobs.iter().filter(on_its_way).any(|job| job.state == JobState::Busy) {
        return Plan::Busy;
    }
    if way.is_none() && jobs.iter().all(|job| job.state != JobState::Dead) {
        return Plan::Finished;
    }
    let revive: Vec<JobId> = jobs.iter().filter(|job| job.state.can_be_retried()).map(|job| job.id).collect();
    let has_way = jobs.iter().any(|job| on_its_way(&job));
    let new = way.clone().filter(|_| !has_way);
    if revive.is_empty() && new.is_none() { Plan::Waiting } else { Plan::Go { revive, new } }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const RECEIPT: ReceiptId = ReceiptId(Uuid::nil());
    const SUBMIT: &str = "submit_to_vendor";

    fn jobs(given: &[(&str, JobState)]) -> Vec<OpenJob> {
        given.iter().zip(1..).map(|(&(kind, state), id)| OpenJob { id: JobId(id), kind: kind.to_owned(), state }).collect()
    }

    fn go(revive: &[i64], new: Option<Effect>) -> Plan {
        Plan::Go { revive: revive.iter().copied().map(JobId).collect(), new }
    }

    #[test]
    fn dead_and_scheduled_jobs_go_on_and_no_second_one_is_made() {
        for state in [JobState::Dead, JobState::Scheduled] {
            assert_eq!(plan(Status::MustRetry, RECEIPT, &jobs(&[(SUBMIT, state), ("send_email", state)])), go(&[1, 2], None));
        }
    }

    #[test]
    fn an_open_attempt_without_a_job_gets_the_one_that_brings_it_on() {
        let submit = || Some(Effect::SubmitToVendor { receipt: RECEIPT });
        for status in [Status::Ready, Status::MustRetry, Status::Submitted] {
            assert_eq!(plan(status, RECEIPT, &[]), go(&[], submit()));
        }
        assert_eq!(plan(Status::Created, RECEIPT, &[]), go(&[], Some(Effect::PreparePhotos { receipt: RECEIPT })));
        let mail = jobs(&[("send_email", JobState::Dead)]);
        assert_eq!(plan(Status::Submitted, RECEIPT, &mail), go(&[1], submit()), "a mail brings no attempt on");
    }

    #[test]
    fn what_is_worked_on_or_waits_for_its_turn_is_left_alone() {
        assert_eq!(plan(Status::Ready, RECEIPT, &jobs(&[(SUBMIT, JobState::Busy)])), Plan::Busy);
        assert_eq!(plan(Status::Submitted, RECEIPT, &jobs(&[(APPLY, JobState::Busy)])), Plan::Busy);
        assert_eq!(plan(Status::Ready, RECEIPT, &jobs(&[(SUBMIT, JobState::Due)])), Plan::Waiting);
        assert_eq!(plan(Status::Submitted, RECEIPT, &jobs(&[(APPLY, JobState::Due)])), Plan::Waiting, "its verdict is there");
    }

    #[test]
    fn of_a_finished_attempt_only_dead_jobs_go_on() {
        for status in [Status::Approved, Status::Denied] {
            assert_eq!(plan(status, RECEIPT, &[]), Plan::Finished);
            assert_eq!(plan(status, RECEIPT, &jobs(&[("send_email", JobState::Scheduled)])), Plan::Finished);
            assert_eq!(plan(status, RECEIPT, &jobs(&[("send_email", JobState::Dead)])), go(&[1], None));
        }
    }
}
