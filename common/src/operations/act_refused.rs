//! Why an operator's action was not done. Each text says what is wrong and what to do.

use super::OperationError;
use crate::{
    domain::{
        attempt::{Status, reasons::UnknownReasons},
        retry_filter::{BadFilter, BadRate},
    },
    store::StoreError,
};

/// Why an operator's action was not done; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ActRefused {
    /// The database failed; see the cause.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// There is no such thing.
    #[error("There is no {0} of that name. Nothing was changed.")]
    Unknown(&'static str),
    /// The filter of a bulk retry makes no sense.
    #[error(transparent)]
    Filter(#[from] BadFilter),
    /// The rate of a bulk retry makes no sense.
    #[error(transparent)]
    Rate(#[from] BadRate),
    /// The reasons for the learner have no words.
    #[error(transparent)]
    LearnerReasons(#[from] UnknownReasons),
    /// A worker has it.
    #[error("It is being worked on right now; look again in a moment. Nothing was changed.")]
    Busy,
    /// It waits for its turn already.
    #[error("It is due already and waits for its turn; see how its queue stands. Nothing was changed.")]
    Waiting,
    /// The attempt is finished and nothing of it is dead.
    #[error("The attempt is {0} and nothing of it is dead: there is nothing to retry. Nothing was changed.")]
    Finished(Status),
    /// A decision by hand does not fit the attempt's state.
    #[error("The attempt is {status}; only one that is {accepted} can be {wanted} by hand. Nothing was changed.")]
    Undecidable {
        /// Its state.
        status: Status,
        /// The states from which it can be.
        accepted: String,
        /// What was wanted.
        wanted: Status,
    },
    /// Only dead jobs are dropped.
    #[error("The job is {0}; only a dead job can be dropped. Nothing was changed.")]
    NotDead(&'static str),
    /// An open attempt needs the job.
    #[error("The attempt {0} needs this job: retry it, or approve or deny the attempt. Nothing was changed.")]
    Needed(String),
    /// A bulk retry that runs needs the job.
    #[error("The bulk retry {0} needs this job: retry it, or cancel the bulk retry. Nothing was changed.")]
    NeededByRetry(String),
    /// An erasure that is not done needs the job.
    #[error("The erasure {0} needs this job: retry it. Nothing was changed.")]
    NeededByErasure(String),
    /// The filter fits nothing that is not being retried already.
    #[error("Nothing matches the filter, or what matches is in a bulk retry that runs. Nothing was changed.")]
    NothingMatches,
    /// The bulk retry is over.
    #[error("The bulk retry is {0} already. Nothing was changed.")]
    Over(String),
    /// The key was used for another request.
    #[error("This Idempotency-Key was used for another bulk retry. Send a new one. Nothing was changed.")]
    KeyUsed,
}

impl From<StoreError> for ActRefused {
    fn from(error: StoreError) -> Self {
        Self::Operation(error.into())
    }
}

impl From<sqlx::Error> for ActRefused {
    fn from(error: sqlx::Error) -> Self {
        Self::Operation(error.into())
    }
}
