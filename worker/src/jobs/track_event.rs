//! - **Trigger**: a learner did something that is told to analytics; the event was kept in the same transaction.
//! - **Does**: delivers the learner's oldest 100 events in one request, in order, and stays while others are left.
//! - **Safe to repeat because**: each event has one id for ever, and the service drops a second one; of a learner's jobs one delivers.
//! - **Limits**: 20 s, 100 events.
//! - **Retries when**: the service is away, busy or at fault; later events of the learner wait behind.
//! - **Gives up when, and then**: the service refuses the events, or the tries are used up; they stay, and the learner's next event or an operator's retry delivers them.
//! - **Personal data**: the learner's number.

use std::time::Duration;

use vouch_common::{
    domain::{
        backoff::Backoff,
        effect::{AnalyticsEvent, Queue},
        ids::{ReceiptId, UserId},
    },
    operations::{OperationError, track_event},
    store::jobs::Lease,
};

use crate::{
    adapters::analytics::{Analytics, AnalyticsError},
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

/// Delivers a learner's events. `former` is the event in a job of the former release, which is kept first.
///
/// # Errors
///
/// See [`TrackError`].
pub async fn run(
    services: &Services,
    delivery: Delivery,
    user: UserId,
    former: Option<(AnalyticsEvent, ReceiptId)>,
) -> Result<(), TrackError> {
    match services.analytics() {
        // By itself on the heap: a job that has nothing to deliver does not carry the room for it.
        Some(analytics) => Box::pin(deliver((services, analytics), delivery.lease, user, former)).await,
        // Events are off. What was kept before stays, for the day on which they are on again.
        None => Ok(services.finish(delivery.lease).await?),
    }
}

async fn deliver(
    (services, analytics): (&Services, &Analytics),
    lease: Lease,
    user: UserId,
    former: Option<(AnalyticsEvent, ReceiptId)>,
) -> Result<(), TrackError> {
    let db = services.db();
    if let Some((event, receipt)) = former {
        track_event::adopt(db, lease, event, receipt).await?;
        services.wake();
        return Ok(());
    }
    let track_event::Delivery::Send(events) = track_event::take_up(db, lease, user).await? else { return Ok(()) };
    analytics.send(user, &events).await?;
    if let Some(last) = events.last() {
        track_event::delivered(db, lease, user, last.id).await?;
        services.wake();
    }
    metrics::counter!("vouch_events_delivered_total").increment(events.len() as u64);
    Ok(())
}

/// Why events were not sent.
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

    fn code(&self) -> String {
        if let Self::Analytics(cause) = self { cause.code() } else { String::new() }
    }

    fn verdict(&self) -> Verdict {
        match self {
            Self::Operation(cause) => cause.verdict(),
            Self::Analytics(cause) => cause.verdict(),
        }
    }
}
