//! Shows how everything stands, and keeps samples of it for the picture of the last hours.

use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use vouch_common::{
    operations::{
        hand_out_jobs,
        read_gauges::{self, Gauges},
        sample_queues,
    },
    telemetry::{chain, numbers},
};

use crate::services::Services;

/// How often gauges are set.
const INTERVAL: Duration = Duration::from_secs(5);
/// How often the servers are asked whether they are there.
const WATCH_INTERVAL: Duration = Duration::from_secs(15);
/// How often a sample is taken, by one of all workers: every 15 s, and a second less, so that a look every 5 s does
/// not miss it by a hair.
const SAMPLE_PERIOD: Duration = Duration::from_secs(14);
/// The name under which ticks of samples are taken.
const SAMPLE: &str = "queue_samples";

/// The states of a breaker.
const BREAKER_STATES: [&str; 3] = ["closed", "open", "recovering"];

/// Sets gauges and takes samples until `stop`.
pub async fn run(services: Services, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stop.is_cancelled() {
        tokio::select! { () = stop.cancelled() => return, _ = ticks.tick() => {} }
        match read_gauges::read(services.db()).await {
            Ok(gauges) => show(&gauges),
            Err(error) => tracing::debug!(error = %chain(&error), "no gauges; the database is away"),
        }
        sample(&services).await;
    }
}

/// Shows whether the servers are there, until `stop`; every worker does, whatever its queues.
pub async fn watch_servers(services: Services, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(WATCH_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stop.is_cancelled() {
        tokio::select! { () = stop.cancelled() => return, _ = ticks.tick() => {} }
        let (database, redis, storage) =
            tokio::join!(services.db().check(), services.redis().check(), services.objects().check());
        numbers::show_servers(database.is_ok(), redis.is_ok(), storage.is_ok());
    }
}

async fn sample(services: &Services) {
    let sampled = match hand_out_jobs::take_tick(services.db(), SAMPLE, SAMPLE_PERIOD).await {
        Ok(true) => sample_queues::take(services.db()).await,
        Ok(false) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = sampled {
        tracing::debug!(error = %chain(&error), "no sample of the queues; the next tells of the time since the last");
    }
}

fn show(gauges: &Gauges) {
    for depth in &gauges.depths {
        let queue = depth.queue.as_str();
        metrics::gauge!("vouch_queue_oldest_due_seconds", "queue" => queue).set(depth.oldest_due_seconds);
        let places = [
            ("due", depth.due),
            ("dispatched", depth.dispatched),
            ("running", depth.running),
            ("scheduled", depth.scheduled),
            ("dead", depth.dead),
        ];
        for (place, jobs) in places {
            metrics::gauge!("vouch_queue_jobs", "queue" => queue, "place" => place).set(number(jobs));
        }
    }
    for brakes in &gauges.brakes {
        let queue = brakes.queue.as_str();
        metrics::gauge!("vouch_queue_paused_seconds", "queue" => queue).set(brakes.paused_seconds);
        metrics::gauge!("vouch_queue_held_seconds", "queue" => queue).set(brakes.held_seconds);
    }
    for breaker in &gauges.breakers {
        let vendor = &breaker.vendor;
        for state in BREAKER_STATES {
            metrics::gauge!("vouch_breaker_state", "vendor" => vendor.clone(), "state" => state)
                .set(number((breaker.state == state).into()));
        }
        metrics::gauge!("vouch_breaker_forced", "vendor" => vendor.clone()).set(number(breaker.is_forced.into()));
    }
    for (status, attempts) in &gauges.attempts {
        metrics::gauge!("vouch_attempts_open", "status" => status.as_str()).set(number(*attempts));
    }
    metrics::gauge!("vouch_database_oldest_transaction_seconds").set(gauges.oldest_transaction_seconds);
    metrics::gauge!("vouch_retries_left").set(number(gauges.retries_left));
}

#[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
const fn number(count: i64) -> f64 {
    count as f64
}
