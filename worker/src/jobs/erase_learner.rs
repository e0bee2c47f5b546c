//! - **Trigger**: the erasure of a learner was asked for.
//! - **Does**: ends their attempts, takes their jobs away, deletes their photos, empties their rows, and signs a receipt.
//! - **Safe to repeat because**: each step finds nothing the second time, an object goes before its row forgets it, and what went is counted in the transaction in which it goes; the end is fenced.
//! - **Limits**: 5 minutes a run; 100 attempts are read at once.
//! - **Retries when**: the object store or the database is away; it waits for workers that may still store what they had in their hands.
//! - **Gives up when, and then**: the key that signs receipts is not set; an operator sets it and retries.
//! - **Personal data**: it goes.

use std::time::Duration;

use futures_util::TryStreamExt;
use vouch_common::{
    adapters::objects::ObjectsError,
    domain::{
        backoff::Backoff,
        effect::Queue,
        ids::{AttemptId, ErasureId, ReceiptId, UserId},
    },
    operations::{
        OperationError,
        erase_learner::{self, Ended},
        start_erasure,
    },
    photos::names,
};

use crate::{
    runtime::job::{Classify, Delivery, Policy, Verdict},
    services::Services,
};

/// How it is run. What it waits for is ours, so it does not give up.
pub const POLICY: Policy = Policy {
    queue: Queue::Upkeep,
    tries_max: 1000,
    timeout: Duration::from_mins(5),
    backoff: Backoff { base: Duration::from_secs(1), cap: Duration::from_mins(1) },
};

/// Erases a learner.
///
/// # Errors
///
/// See [`EraseError`].
pub async fn run(services: &Services, delivery: Delivery, erasure: ErasureId) -> Result<(), EraseError> {
    let db = services.db();
    let asked = start_erasure::find(db, erasure).await?.ok_or(OperationError::Missing("erasure"))?;
    if asked.finished_at.is_some() {
        return Ok(services.finish(delivery.lease).await?);
    }
    let key = services.settings().receipt_key.as_ref().ok_or(EraseError::NoKey)?;
    erase_learner::end_attempts(db, (erasure, asked.user), services.now()).await?;
    empty_attempts(services, erasure, asked.user).await?;
    erase_learner::empty_learner(db, (erasure, asked.user)).await?;
    match erase_learner::finish(db, delivery.lease, erasure, key, services.now()).await? {
        Ended::Done(_) => tracing::info!(erasure.id = %erasure, "a learner is erased"),
        Ended::Waits => tracing::info!(erasure.id = %erasure, "an erasure waits for workers that have something in their hands"),
    }
    services.wake();
    Ok(())
}

async fn empty_attempts(services: &Services, erasure: ErasureId, user: UserId) -> Result<(), EraseError> {
    let mut after = AttemptId(0);
    loop {
        let batch = erase_learner::list_receipts(services.db(), user, after).await?;
        let Some((last, _)) = batch.last() else { return Ok(()) };
        after = *last;
        for attempt in batch {
            delete_objects(services, attempt.1).await?;
            erase_learner::empty_attempt(services.db(), erasure, attempt, services.now()).await?;
        }
    }
}

/// All that lies under a receipt, named by a row or not: a worker that lost its job may have stored it.
async fn delete_objects(services: &Services, receipt: ReceiptId) -> Result<(), EraseError> {
    for folder in names::FOLDERS {
        let mut objects = services.objects().list(&names::shelf(folder, receipt));
        while let Some(object) = objects.try_next().await? {
            if names::receipt_of(&object.name) == Some(receipt.0) {
                services.objects().delete(&object.name).await?;
            }
        }
    }
    Ok(())
}

/// Why a learner is not erased yet.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The ledger or the rows.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// The object store.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// Nobody can sign the receipt.
    #[error("VOUCH_ERASURE_KEY is not set, so no receipt can be signed")]
    NoKey,
}

impl Classify for EraseError {
    fn class(&self) -> &'static str {
        match self {
            Self::Operation(cause) => cause.class(),
            Self::Objects(_) => "storage",
            Self::NoKey => "no_erasure_key",
        }
    }

    fn verdict(&self) -> Verdict {
        match self {
            Self::Operation(cause) => cause.verdict(),
            Self::Objects(_) => Verdict::Retry,
            Self::NoKey => Verdict::GiveUp,
        }
    }
}
