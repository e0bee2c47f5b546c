//! Recurring care. Of all workers with the queue `upkeep`, one takes each tick.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use vouch_common::{operations::hand_out_jobs, telemetry::chain};

use crate::{purge, services::Services, sweep};

/// A recurring task.
struct Recurring {
    /// Its name, under which ticks are taken.
    name: &'static str,
    /// How often.
    period: Duration,
}

/// Mends what is stuck, so that nothing waits for ever.
const SWEEP: Recurring = Recurring { name: "sweep", period: Duration::from_mins(1) };
/// Removes objects that belong to no attempt, so that no photo stays for ever; forgets old keys of submissions.
const LEFTOVERS: Recurring = Recurring { name: "leftovers", period: Duration::from_hours(1) };
/// Lets what is known of people go when its time is over.
const PURGE: Recurring = Recurring { name: "purge", period: Duration::from_hours(1) };
/// Tells learners whose verification has expired.
const REMINDERS: Recurring = Recurring { name: "expiry_reminders", period: Duration::from_hours(1) };

/// Adds the tallies of dead jobs up, so that counting them stays cheap.
const TALLIES: Recurring = Recurring { name: "tallies", period: Duration::from_secs(10) };

/// How often the clock is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Runs the recurring tasks until `stop`.
pub async fn run(services: Services, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if is_due(&services, &SWEEP).await {
            sweep::mend(&services).await;
            sweep::match_orphans(&services).await;
        }
        if is_due(&services, &LEFTOVERS).await {
            sweep::remove_leftovers(&services, &stop).await;
            sweep::forget_keys(&services).await;
            sweep::forget_retries(&services).await;
        }
        if is_due(&services, &PURGE).await {
            purge::run(&services, &stop).await;
        }
        if is_due(&services, &REMINDERS).await {
            sweep::remind(&services).await;
        }
        if is_due(&services, &TALLIES).await {
            sweep::compact_tallies(&services).await;
        }
        tokio::select! { () = stop.cancelled() => {} () = tokio::time::sleep(LOOK_INTERVAL) => {} }
    }
}

async fn is_due(services: &Services, task: &Recurring) -> bool {
    match hand_out_jobs::take_tick(services.db(), task.name, task.period).await {
        Ok(is_taken) => is_taken,
        Err(error) => {
            tracing::debug!(error = %chain(&error), task = task.name, "no tick; the database is away");
            false
        }
    }
}
