//! What Vouch does: one verb a file, each one transaction. Load, decide, save, append, commit.
//!
//! Operations talk to the database only. Nothing is ever awaited from a far side inside a transaction.

pub mod act_refused;
pub mod api_keys;
pub mod apply_result;
pub mod cancel_retry;
pub mod compact_tallies;
pub mod create_order;
pub mod decide_attempt;
pub mod drop_job;
pub mod erase_learner;
pub mod finish_preparation;
pub mod force_breaker;
pub mod forget_retries;
pub mod forget_submission_keys;
pub mod grant_verification;
pub mod hand_out_jobs;
pub mod limit_queue;
pub mod list_errors;
pub mod load_flow;
pub mod load_mail;
pub mod load_work;
pub mod match_orphans;
pub mod mend_stuck;
pub mod pause_queue;
pub mod purge_photos;
pub mod purge_rows;
pub mod push_from_lms;
pub mod put_off_unknown;
pub mod read_attempts;
pub mod read_audit;
pub mod read_brakes;
pub mod read_checkpoints;
pub mod read_course_standing;
pub mod read_credit;
pub mod read_deadline;
pub mod read_gauges;
pub mod read_progress;
pub mod read_receipt;
pub mod read_retries;
pub mod read_sealings;
pub mod record_answer;
pub mod record_callback;
pub mod record_submission;
pub mod remind_expired;
pub mod request_credit;
pub mod resume_queue;
pub mod retry_attempt;
pub mod retry_job;
pub mod run_retry;
pub mod sample_queues;
pub mod seal_anew;
pub mod search_attempts;
pub mod search_jobs;
pub mod set_requirement;
mod settle_attempt;
pub mod settle_job;
pub mod settle_payment;
pub mod skip_reverification;
pub mod start_checkpoint;
pub mod start_erasure;
pub mod start_retry;
pub mod status_mails;
pub mod submit_photos;
pub mod track_event;
pub mod update_credit;

use crate::{
    domain::attempt::Status,
    store::{Connection, MayBeCut, StoreError, jobs, jobs::Lease},
};

/// Why an operation did nothing.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// The database failed; see the cause.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The job is somebody else's by now: the lease passed on while this worker was away. Do nothing more.
    #[error("the job's lease has passed to another worker")]
    Fenced,
    /// What the job is about does not exist.
    #[error("{0} does not exist")]
    Missing(&'static str),
    /// The attempt stands where the step does not fit; the work is no longer wanted.
    #[error("the attempt is {0}, where this step does not fit")]
    Refused(Status),
    /// A stored value could not be opened or read.
    #[error("{0} can't be read")]
    Unreadable(&'static str),
}

impl MayBeCut for OperationError {
    fn is_cut(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_cut())
    }
}

impl From<sqlx::Error> for OperationError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Takes the job row as the right to act: with the effect, in the same transaction, or not at all.
async fn take(conn: &mut Connection, lease: Lease) -> Result<(), OperationError> {
    if jobs::delete(conn, &[lease]).await?.is_empty() { Err(OperationError::Fenced) } else { Ok(()) }
}
