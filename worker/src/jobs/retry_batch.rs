//! - **Trigger**: an operator started a bulk retry.
//! - **Does**: sets the next items of its frozen set going again, one second's worth at its rate, and waits for its next turn until all are.
//! - **Safe to repeat because**: the items, the counters and the job's next turn are one transaction; an item that was dealt with is not met again.
//! - **Limits**: 10 s; at most 1,000 items a run.
//! - **Retries when**: the database is away.
//! - **Gives up when, and then**: it kills its worker three times on the same items; the bulk retry stands still until an operator retries the job or cancels.
//! - **Personal data**: none leaves the database.

use std::time::Duration;

use vouch_common::{
    domain::{backoff::Backoff, effect::Queue, ids::RetryId},
    operations::{OperationError, run_retry},
};

use crate::{
    runtime::job::{Delivery, Policy},
    services::Services,
};

/// How it is run. What it waits for is the database alone, so it does not give up.
pub const POLICY: Policy = Policy {
    queue: Queue::Upkeep,
    tries_max: 1000,
    timeout: Duration::from_secs(10),
    backoff: Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(30) },
};

/// Goes on with a bulk retry.
///
/// # Errors
///
/// When the database is away or another worker has the job.
pub async fn run(services: &Services, delivery: Delivery, retry: RetryId) -> Result<(), OperationError> {
    let ran = run_retry::run(services.db(), delivery.lease, retry, services.now()).await?;
    tracing::info!(retry.id = %retry, ran.retried, ran.skipped, ran.is_last, "items of a bulk retry go on");
    services.wake();
    Ok(())
}
