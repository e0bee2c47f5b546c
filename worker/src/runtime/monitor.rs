//! Keeps one worker a queue alive on the worker library.

use std::{sync::Arc, time::Duration};

use apalis::prelude::{ParallelizeExt, WorkerBuilder, WorkerError};
use futures_util::{FutureExt, future::BoxFuture};
use tokio_util::sync::CancellationToken;
use vouch_common::{domain::effect::Queue, ids::random_bytes};

use super::{
    claim::LedgerClaim,
    queue::{LedgerQueue, Slot},
    registry::Registry,
    runner,
};
use crate::services::Services;

/// Pause before a worker that ended by itself is started again; without it a fault would spin.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// Runs the jobs of a queue until `stop`, and then those that are claimed to their end.
pub async fn run_queue(services: Services, queue: Queue, concurrency: usize, registry: Arc<Registry>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let claim = LedgerClaim { services: services.clone(), queue, registry: Arc::clone(&registry) };
        let backend = LedgerQueue::start(Arc::clone(services.redis()), queue, concurrency, claim, stop.clone());
        if let Err(error) = start(services.clone(), queue, Arc::clone(&registry), backend).await {
            tracing::error!(queue = %queue, error = %error, "a worker ended by itself; it is started again");
        }
        if !stop.is_cancelled() {
            metrics::counter!("vouch_workers_restarted_total", "queue" => queue.as_str()).increment(1);
            tokio::time::sleep(RESTART_PAUSE).await;
        }
    }
}

/// One life of a worker. Boxed, because its full type is too much for the compiler.
fn start(
    services: Services,
    queue: Queue,
    registry: Arc<Registry>,
    backend: LedgerQueue,
) -> BoxFuture<'static, Result<(), WorkerError>> {
    // Names must be new at every start.
    let name = format!("{queue}-{}-{:08x}", std::process::id(), u32::from_be_bytes(random_bytes()));
    let worker = WorkerBuilder::new(name)
        .backend(backend)
        // Handlers are tasks of their own: nothing that happens to the worker cancels one.
        .parallelize(tokio::spawn)
        .build(move |slot: Slot| handle(services.clone(), Arc::clone(&registry), slot));
    worker.run().boxed()
}

/// The outcome is in the ledger, so the library is always told that all is well.
async fn handle(services: Services, registry: Arc<Registry>, slot: Slot) {
    runner::run(&services, &slot.job).await;
    registry.let_go(slot.job.lease);
    drop(slot.permit);
}
