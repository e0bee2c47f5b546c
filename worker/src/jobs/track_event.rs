//! - **Trigger**: photos were submitted.
//! - **Does**: tells analytics; does nothing when no key is set.
//! - **Safe to repeat because**: the event's id is made from the attempt and the event, and the service drops a second one.
//! - **Limits**: 20 s.
//! - **Retries when**: the service is away, busy or at fault.
//! - **Gives up when, and then**: the service refuses the event, or the tries are used up; an operator may drop or retry it.
//! - **Personal data**: the learner's number.

use std::time::Duration;

use vouch_common::{
    domain::{
        backoff::Backoff,
        effect::{AnalyticsEvent, Queue},
        ids::{ReceiptId, UserId},
    },
    operations::{OperationError, load_work, settle_job},
};

use crate::{
    adapters::analytics::{AnalyticsError, Event},
    runtime::job::{Classify, Delivery, Policy, Verdict},
    services::Services,
};

/// How it is run.
pub const POLICY: Policy = Policy {
    queue: Queue::Events,
    tries_max: 15,
    timeout: Duration::from_secs(20),
    backoff: Backoff { base: Duration::from_secs(5), cap: Duration::from_hours(1) },
};

/// Sends an event.
///
/// # Errors
///
/// See [`TrackError`].
pub async fn run(
    services: &Services,
    delivery: Delivery,
    (event, user, receipt): (AnalyticsEvent, UserId, ReceiptId),
) -> Result<(), TrackError> {
    if let Some(analytics) = services.analytics() {
        let facts = load_work::load_event(services.db(), receipt).await?;
        analytics.track(&Event { event, user, receipt, facts }).await?;
    }
    Ok(settle_job::finish(services.db(), delivery.lease).await?)
}

/// Why an event was not sent.
#[derive(Debug, thiserror::Error)]
pub enum TrackError {
    /// The ledger or the attempt.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// The service.
    #[error(transparent)]
    Analytics(#[from] AnalyticsError),
}

impl Classify for TrackError {
    fn class(&self) -> &'static str {
        match self {
            Self::Operation(cause) => cause.class(),
            Self::Analytics(cause) => cause.class(),
        }
    }

    fn verdict(&self) -> Verdict {
        match self {
            Self::Operation(cause) => cause.verdict(),
            Self::Analytics(cause) => cause.verdict(),
        }
    }
}
