//! A worker process: its queues, its relay and its upkeep, from start to stop.

use std::sync::Arc;

use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use vouch_common::{domain::effect::Queue, operations::settle_job, telemetry::chain};

use crate::{
    gauges,
    options::Options,
    relay,
    runtime::{heartbeat, monitor, registry::Registry},
    schedule,
    services::Services,
};

/// When a worker ends.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Nothing new is taken; what runs is finished within the grace.
    pub gently: CancellationToken,
    /// What still runs is given back now. Says nothing before `gently`.
    pub at_once: CancellationToken,
}

/// Runs until `stop`; then finishes what runs, or gives it back after the grace.
///
/// A server that is away is waited for: nothing but `stop` ends this.
pub async fn run(services: Services, options: Options, stop: Stop) {
    let Stop { gently: stop, at_once } = stop;
    let registry = Arc::new(Registry::default());
    // It beats to the end: what still runs after `stop` keeps its leases.
    let heart = tokio::spawn(heartbeat::run(services.clone(), Arc::clone(&registry)));
    let mut parts = JoinSet::new();
    for &queue in &options.queues {
        let concurrency = options.concurrency(queue);
        if queue == Queue::Upkeep {
            parts.spawn(schedule::run(services.clone(), stop.clone()));
            parts.spawn(gauges::run(services.clone(), stop.clone()));
        }
        parts.spawn(monitor::run_queue(services.clone(), queue, concurrency, Arc::clone(&registry), stop.clone()));
    }
    parts.spawn(gauges::watch_servers(services.clone(), stop.clone()));
    if options.has_relay {
        parts.spawn(relay::run(services.clone(), options.clone(), stop.clone()));
    }
    let queues: Vec<&str> = options.queues.iter().map(|queue| queue.as_str()).collect();
    tracing::info!(queues = queues.join(","), relay = options.has_relay, "working");
    stop.cancelled().await;
    let all_ended = async { while parts.join_next().await.is_some() {} };
    tokio::select! {
        ended = timeout(options.grace, all_ended) => if ended.is_err() {
            tracing::warn!("the grace is over; what still runs is given back");
        },
        () = at_once.cancelled() => tracing::warn!("told again; what still runs is given back"),
    }
    heart.abort();
    give_back(&services, &registry).await;
}

/// Jobs that were claimed and not settled are due again at once, and their delivery does not count.
async fn give_back(services: &Services, registry: &Registry) {
    let leases = registry.in_hand();
    match settle_job::release(services.db(), &leases).await {
        Ok(released) => tracing::info!(released, "stopped"),
        Err(error) => tracing::warn!(error = %chain(&error), "stopped; jobs in hand fall due when their leases end"),
    }
}
