//! A job that this release does not know waits for a release that does.

use std::time::Duration;

use super::OperationError;
use crate::store::{
    Db,
    jobs::{self, ClaimedJob, Failure},
};

/// For how long a job waits for a release that knows it. A deployment is rolled out, or back, by then.
pub const PATIENCE: Duration = Duration::from_hours(1);
/// The error class of a job that waited in vain.
pub const UNKNOWN_JOB: &str = "unknown_job";

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOff {
    /// It is due again soon; the delivery costs it nothing.
    Waits,
    /// Nobody knew it for [`PATIENCE`]: it is dead, and kept for an operator.
    Dead,
}

/// Puts a job off that this release does not know: for a second at first, and for up to half a minute later.
///
/// # Errors
///
/// [`OperationError::Fenced`] when the job is somebody else's by now; when the database is away, it falls due again
/// when its lease ends.
pub async fn put_off(db: &Db, job: &ClaimedJob) -> Result<PutOff, OperationError> {
    let mut tx = db.begin().await?;
    let waited = jobs::put_off_unknown(&mut tx, job.lease).await?.ok_or(OperationError::Fenced)?;
    let put_off = if waited < PATIENCE {
        PutOff::Waits
    } else {
        let failure = Failure {
            kind: job.kind.clone(),
            class: UNKNOWN_JOB,
            code: String::new(),
            error: "no release that knows its kind or the version of its arguments came to do it".to_owned(),
            retry_after: None,
        };
        jobs::fail(&mut tx, job.lease, &failure, false).await?;
        PutOff::Dead
    };
    tx.commit().await?;
    Ok(put_off)
}
