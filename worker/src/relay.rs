//! The relay: moves due jobs from the ledger to the lists in Redis, where workers wait for them.
//!
//! Any number may run; the database deals each due job to one of them. It looks when it is woken and every
//! 200 ms anyway, and puts no more on a list than its workers need for a few seconds.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use redis::aio::MultiplexedConnection;
use tokio::{sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;
use vouch_common::{
    adapters::redis::{WAKE_CHANNEL, list_key},
    domain::effect::Queue,
    operations::hand_out_jobs::{self, BATCH_MAX},
    store::jobs::{Lease, Ticket},
    telemetry::chain,
};

use crate::{options::Options, progress::Part, services::Services};

/// How often it looks without being woken.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// Pause after a fault of Redis or Postgres.
const FAULT_PAUSE: Duration = Duration::from_millis(500);

/// Queues whose list Redis refuses, and when it last did.
type Refused = HashMap<Queue, Instant>;

/// A fault that makes the relay wait.
#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error("Redis is away")]
    Redis(#[from] redis::RedisError),
    #[error(transparent)]
    Ledger(#[from] vouch_common::operations::OperationError),
}

/// Relays until `stop`. Servers that are away are waited for.
pub async fn run(services: Services, options: Options, stop: CancellationToken) {
    let woken = std::sync::Arc::new(Notify::new());
    let listener = tokio::spawn(listen(services.clone(), std::sync::Arc::clone(&woken)));
    let (mut is_well, mut refused) = (true, Refused::new());
    services.progress().goes_on(Part::Relay, Instant::now());
    while !stop.is_cancelled() {
        let round = relay_once(&services, &options, &mut refused).await;
        if round.is_ok() {
            services.progress().goes_on(Part::Relay, Instant::now());
        }
        match round {
            // A full batch: there is more.
            Ok(moved) if moved >= BATCH_MAX => {}
            Ok(_) => {
                if !is_well {
                    tracing::info!("the relay is well again");
                }
                is_well = true;
                tokio::select! {
                    () = stop.cancelled() => {}
                    _ = timeout(POLL_INTERVAL, woken.notified()) => {}
                }
            }
            Err(error) => {
                if is_well {
                    tracing::warn!(error = %chain(&error), "the relay waits for a server that is away");
                }
                is_well = false;
                services.redis().forget().await;
                tokio::select! { () = stop.cancelled() => {} () = tokio::time::sleep(FAULT_PAUSE) => {} }
            }
        }
    }
    services.progress().ends(Part::Relay);
    listener.abort();
}

/// One round over all queues; returns the largest batch. A queue whose list Redis refuses waits alone: the fault may be its
/// key's, and an operator's to mend.
async fn relay_once(services: &Services, options: &Options, refused: &mut Refused) -> Result<i64, RelayError> {
    let mut largest = 0;
    // Redis is asked first: nothing is handed out that can't be put on a list.
    let mut connection = services.redis().shared().await?;
    let due = hand_out_jobs::find_due(services.db(), &Queue::ALL).await?;
    for queue in due {
        let last = refused.get(&queue);
        if last.is_some_and(|at| at.elapsed() < FAULT_PAUSE) {
            continue;
        }
        // One job is enough to ask again.
        let batch_max = if last.is_some() { 1 } else { BATCH_MAX };
        match relay_queue(services, options, (queue, batch_max), &mut connection).await {
            Ok(moved) => {
                if moved > 0 && refused.remove(&queue).is_some() {
                    tracing::info!(queue = %queue, "Redis takes a queue's jobs again");
                }
                largest = largest.max(moved);
            }
            Err(RelayError::Redis(error)) if error.code().is_some() => {
                // After a failover the former server refuses, and another is connected to.
                services.redis().forget().await;
                if refused.insert(queue, Instant::now()).is_none() {
                    tracing::error!(queue = %queue, key = list_key(queue), error = %chain(&error), "Redis refuses a queue's list, and its jobs wait; if the key is no list, delete it: no job is lost by that");
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(largest)
}

async fn relay_queue(
    services: &Services,
    options: &Options,
    (queue, batch_max): (Queue, i64),
    connection: &mut MultiplexedConnection,
) -> Result<i64, RelayError> {
    let length: u64 = redis::cmd("LLEN").arg(list_key(queue)).query_async(connection).await?;
    let room = options.high_water(queue).saturating_sub(length);
    let limit = i64::try_from(room).unwrap_or(BATCH_MAX).min(batch_max);
    if limit == 0 {
        return Ok(0);
    }
    let handed = hand_out_jobs::hand_out(services.db(), queue, limit).await?;
    if handed.buried > 0 {
        tracing::error!(queue = %queue, jobs = handed.buried, "jobs are dead: delivered too often without an outcome; an operator decides");
        metrics::counter!("vouch_jobs_quarantined_total", "queue" => queue.as_str()).increment(handed.buried);
    }
    if handed.tickets.is_empty() {
        return Ok(0);
    }
    let mut push = redis::cmd("RPUSH");
    push.arg(list_key(queue));
    for ticket in &handed.tickets {
        push.arg(format!("{}:{}:{}", ticket.id, ticket.generation, ticket.kind));
    }
    if let Err(error) = push.query_async::<()>(connection).await {
        take_back(services, &handed.tickets).await;
        return Err(error.into());
    }
    let moved = handed.tickets.len();
    count(queue, &handed.tickets);
    Ok(i64::try_from(moved).unwrap_or(i64::MAX))
}

fn count(queue: Queue, tickets: &[Ticket]) {
    let queue = queue.as_str();
    metrics::counter!("vouch_relayed_total", "queue" => queue).increment(tickets.len() as u64);
    let lag = metrics::histogram!("vouch_relay_lag_seconds", "queue" => queue);
    for ticket in tickets {
        lag.record(ticket.overdue_seconds);
        if let Some(place) = ticket.lost {
            metrics::counter!("vouch_leases_expired_total", "queue" => queue, "place" => place).increment(1);
        }
    }
}

/// Tickets that did not reach their list are due again, in their old place; those that did are stale, and harmless.
async fn take_back(services: &Services, tickets: &[Ticket]) {
    let leases: Vec<Lease> = tickets.iter().map(|ticket| Lease { job: ticket.id, generation: ticket.generation }).collect();
    if let Err(error) = hand_out_jobs::take_back(services.db(), &leases).await {
        tracing::warn!(error = %chain(&error), "jobs were not taken back; they fall due again by themselves");
    }
}

/// Passes wake-ups on, connecting anew whenever the subscription breaks.
async fn listen(services: Services, woken: std::sync::Arc<Notify>) {
    loop {
        if let Ok(mut subscription) = services.redis().client().get_async_pubsub().await
            && subscription.subscribe(WAKE_CHANNEL).await.is_ok()
        {
            // What was published before is seen by a look.
            woken.notify_one();
            let mut messages = subscription.on_message();
            while messages.next().await.is_some() {
                woken.notify_one();
            }
        }
        tokio::time::sleep(FAULT_PAUSE).await;
    }
}
