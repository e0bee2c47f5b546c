//! Keeps the leases of running jobs alive. So a lease can be short, and a job whose worker was killed falls due
//! within seconds, while a long job keeps its own for as long as it may run.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::{MissedTickBehavior, interval};
use vouch_common::{operations::hand_out_jobs, telemetry::chain};

use super::registry::Registry;
use crate::{progress::Part, services::Services};

/// How long a claim holds without a sign of life; so long a job waits whose worker died.
pub const LEASE: Duration = Duration::from_secs(15);
/// Time between two signs of life. Jobs that are done sooner, nearly all, cost none.
const BEAT: Duration = Duration::from_secs(4);

/// Beats for as long as it is let.
pub async fn run(services: Services, registry: Arc<Registry>) {
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    services.progress().goes_on(Part::Heartbeat, Instant::now());
    loop {
        beats.tick().await;
        beat(&services, &registry, BEAT).await;
    }
}

/// Extends the leases that have been in hand for `age` or longer; returns how many. One that has passed to another
/// is left alone: its worker is fenced off when it settles.
pub async fn beat(services: &Services, registry: &Registry, age: Duration) -> u64 {
    let leases = registry.older_than(age);
    if leases.is_empty() {
        services.progress().goes_on(Part::Heartbeat, Instant::now());
        return 0;
    }
    match hand_out_jobs::renew(services.db(), &leases, LEASE).await {
        Ok(renewed) => {
            services.progress().goes_on(Part::Heartbeat, Instant::now());
            renewed
        }
        Err(error) => {
            tracing::warn!(error = %chain(&error), jobs = leases.len(), "leases can't be renewed; the next beat tries again");
            0
        }
    }
}
