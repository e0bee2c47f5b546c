//! - **Trigger**: a callback of the vendor was kept.
//! - **Does**: applies its verdict to the attempt and its checkpoints, and asks for credit and mail; a duplicate, late or contradicting verdict changes nothing.
//! - **Safe to repeat because**: the effect and the job's row are one transaction.
//! - **Limits**: 15 s.
//! - **Retries when**: the database is away, or the callback came before our own record that the vendor has the attempt.
//! - **Gives up when, and then**: the kept body can't be opened or read; an operator restores the master key and retries.
//! - **Personal data**: the vendor's reasons, in memory and on the attempt.

use std::time::Duration;

use vouch_common::{
    domain::{
        attempt::verdict::{Ruling, Verdict as VendorVerdict},
        backoff::Backoff,
        effect::Queue,
        ids::CallbackId,
    },
    operations::{OperationError, apply_result, load_work},
    photos::seal::{open, with_context},
    vendor::read_kept,
};

use crate::{
    runtime::job::{Classify, Delivery, Policy, Verdict},
    services::Services,
};

/// How it is run. It waits long for an attempt that is still on its way to the vendor.
pub const POLICY: Policy = Policy {
    queue: Queue::Results,
    tries_max: 1000,
    timeout: Duration::from_secs(15),
    backoff: Backoff { base: Duration::from_millis(500), cap: Duration::from_mins(2) },
};

/// Applies a callback.
///
/// # Errors
///
/// See [`ApplyError`].
pub async fn run(services: &Services, delivery: Delivery, callback: CallbackId) -> Result<(), ApplyError> {
    let kept = load_work::load_callback(services.db(), callback).await?;
    let keys = &services.settings().master_keys;
    let body = with_context(kept.receipt, "callback", |context| open(keys, context, &kept.body_sealed))
        .map_err(|_| OperationError::Unreadable("the kept callback"))?;
    let said = read_kept(kept.format, &body).ok_or(OperationError::Unreadable("the kept callback"))?;
    let verdict =
        VendorVerdict { kind: kept.verdict, reason: said.reason_json, message: said.message, signed_at: kept.signed_at };
    let now = services.now();
    let ruling = apply_result::apply(services.db(), delivery.lease, (callback, kept.receipt), &verdict, now).await?;
    let outcome = match ruling {
        Ruling::Wait => return Err(ApplyError::NotSubmittedYet),
        Ruling::Apply(_) => "applied",
        Ruling::Duplicate => "duplicate",
        Ruling::Late => "late",
        Ruling::Contradiction => "contradiction",
    };
    metrics::counter!("vouch_verdicts_total", "verdict" => kept.verdict.as_str(), "outcome" => outcome).increment(1);
    if ruling == Ruling::Contradiction {
        tracing::warn!(attempt.receipt = %kept.receipt, "a verdict contradicts the one that holds; an operator may look");
    } else {
        tracing::info!(attempt.receipt = %kept.receipt, outcome, "verdict heard");
    }
    services.wake();
    Ok(())
}

/// Why a callback was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The ledger, the attempt or the callback.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// The callback beat our own record.
    #[error("the attempt is still on its way to the vendor")]
    NotSubmittedYet,
}

impl Classify for ApplyError {
    fn class(&self) -> &'static str {
        match self {
            Self::Operation(cause) => cause.class(),
            Self::NotSubmittedYet => "not_submitted_yet",
        }
    }

    fn verdict(&self) -> Verdict {
        match self {
            Self::Operation(cause) => cause.verdict(),
            Self::NotSubmittedYet => Verdict::Retry,
        }
    }
}
