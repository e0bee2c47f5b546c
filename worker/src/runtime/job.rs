//! What a job says of itself, and what its errors say of what to do next.

use std::{error::Error, time::Duration};

use chrono::{DateTime, Utc};
use vouch_common::{
    domain::{backoff::Backoff, effect::Queue},
    operations::OperationError,
    store::{
        StoreError,
        jobs::{ClaimedJob, Lease},
    },
    telemetry::chain,
};

/// How a kind of job is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The queue on which it waits.
    pub queue: Queue,
    /// Tries after which it is dead.
    pub tries_max: u32,
    /// How long one try may take.
    pub timeout: Duration,
    /// How long it waits between tries.
    pub backoff: Backoff,
}

/// How much longer a job may be held than its longest try: time to record the outcome.
const SETTLE_TIME: Duration = Duration::from_secs(15);

impl Policy {
    /// How long a claimed job is its worker's at most, however long its lease is kept alive.
    #[must_use]
    pub fn run_window(&self) -> Duration {
        self.timeout + SETTLE_TIME
    }
}

/// A delivery of a job: the right to act, and which try it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// The right to act.
    pub lease: Lease,
    /// When it was claimed, by the database's clock.
    pub claimed_at: DateTime<Utc>,
    /// Tries that failed before this one.
    pub failures: u32,
    /// The attempt that the job serves.
    pub subject: Option<uuid::Uuid>,
}

impl From<&ClaimedJob> for Delivery {
    fn from(job: &ClaimedJob) -> Self {
        let failures = u32::try_from(job.failures).unwrap_or(0);
        Self { lease: job.lease, claimed_at: job.claimed_at, failures, subject: job.subject }
    }
}

/// What an error says of the job that met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Try again after the policy's backoff.
    Retry,
    /// Try again after so long, because the far side said so; `hold` holds the whole queue back too.
    RetryAfter {
        /// How long.
        wait: Duration,
        /// Whether every job of the queue waits.
        is_for_all: bool,
    },
    /// No try can succeed: dead at once, for an operator.
    GiveUp,
    /// The work is not wanted any more: done.
    Obsolete,
    /// The job is somebody else's by now: leave it alone.
    NotOurs,
}

/// What a try says of the far side that it speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FarSide {
    /// Nothing: it was not asked, or the fault is ours.
    NotAsked,
    /// It answered, be it that it refused: it lives.
    Answered,
    /// It did not answer, or is at fault.
    Out,
}

/// An error that knows what should be done next.
pub trait Classify: Error + Send + Sync + 'static {
    /// A short class by which operators group failures.
    fn class(&self) -> &'static str;
    /// The far side's code, such as an HTTP status; empty when there is none.
    fn code(&self) -> String {
        String::new()
    }
    /// What it says of the far side.
    fn far_side(&self) -> FarSide {
        FarSide::NotAsked
    }
    /// What should be done next.
    fn verdict(&self) -> Verdict;
}

/// How a try failed: what the runner needs to settle it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFailure {
    /// A short class by which operators group failures.
    pub class: &'static str,
    /// The far side's code, such as an HTTP status; empty when there is none.
    pub code: String,
    /// What went wrong, with its causes.
    pub error: String,
    /// What it says of the far side.
    pub far_side: FarSide,
    /// What should be done next.
    pub verdict: Verdict,
}

impl<E: Classify> From<E> for JobFailure {
    fn from(error: E) -> Self {
        let (far_side, verdict) = (error.far_side(), error.verdict());
        Self { class: error.class(), code: error.code(), error: chain(&error), far_side, verdict }
    }
}

impl Classify for OperationError {
    fn class(&self) -> &'static str {
        match self {
            Self::Refused(_) | Self::Store(StoreError::Erased) => "obsolete",
            Self::Store(_) => "database",
            Self::Fenced => "fenced",
            Self::Missing(_) => "missing",
            Self::Unreadable(_) => "unreadable",
        }
    }

    fn verdict(&self) -> Verdict {
        match self {
            Self::Refused(_) | Self::Store(StoreError::Erased) => Verdict::Obsolete,
            Self::Store(_) => Verdict::Retry,
            Self::Fenced => Verdict::NotOurs,
            Self::Missing(_) | Self::Unreadable(_) => Verdict::GiveUp,
        }
    }
}
