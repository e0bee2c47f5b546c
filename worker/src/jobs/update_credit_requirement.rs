//! - **Trigger**: a verdict was applied to an attempt for which a checkpoint waits, or an opt-out was taken back.
//! - **Does**: sets the learner's status in the checkpoint's requirement and computes eligibility.
//! - **Safe to repeat because**: it looks at the newest verdict, whatever set it going; the effect and the job's row are one transaction.
//! - **Limits**: 15 s.
//! - **Retries when**: the database is away.
//! - **Gives up when, and then**: the checkpoint does not exist, which can't happen; an operator drops the job.
//! - **Personal data**: none leaves the database.

use std::time::Duration;

use vouch_common::{
    domain::{
        backoff::Backoff,
        effect::Queue,
        ids::{CheckpointId, ReceiptId, UserId},
    },
    operations::{
        OperationError,
        update_credit::{self, CreditUpdated},
    },
};

use crate::{
    runtime::job::{Delivery, Policy},
    services::Services,
};

/// How it is run.
pub const POLICY: Policy = Policy {
    queue: Queue::Credit,
    tries_max: 50,
    timeout: Duration::from_secs(15),
    backoff: Backoff { base: Duration::from_secs(1), cap: Duration::from_mins(5) },
};

/// Updates a learner's credit at a checkpoint.
///
/// # Errors
///
/// When the database is away or another worker has the job.
pub async fn run(services: &Services, delivery: Delivery, who: (UserId, CheckpointId)) -> Result<(), OperationError> {
    let receipt = delivery.subject.map(ReceiptId);
    let updated = update_credit::update(services.db(), delivery.lease, who, receipt, services.now()).await?;
    if updated == CreditUpdated::Eligible {
        services.wake();
    }
    metrics::counter!("vouch_credit_updates_total", "outcome" => updated.as_str()).increment(1);
    Ok(())
}
