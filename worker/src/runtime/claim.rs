//! Whether the jobs of tickets are ours. The ledger says so; `scripts/bench` measures the queue without it.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use vouch_common::{
    domain::effect::Queue,
    operations::hand_out_jobs::{self, DISPATCH_WINDOW},
    store::jobs::{ClaimedJob, Lease},
    telemetry::chain,
};

use super::{heartbeat::LEASE, registry::Registry};
use crate::{jobs, services::Services};

/// Pause after a fault of Postgres.
const FAULT_PAUSE: Duration = Duration::from_millis(200);

/// Says which tickets' jobs are ours.
pub trait Claim: Send + Sync + 'static {
    /// Claims tickets; the jobs that are ours now, no more than there are tickets. It may wait, but not past `stop`.
    fn claim(&self, tickets: &[Lease], stop: &CancellationToken) -> impl Future<Output = Vec<ClaimedJob>> + Send;
}

/// The ledger: a ticket that is out of date gets no job.
pub struct LedgerClaim {
    /// The database and the settings.
    pub services: Services,
    /// The queue that the tickets are of.
    pub queue: Queue,
    /// What is claimed is in hand there.
    pub registry: Arc<Registry>,
}

impl Claim for LedgerClaim {
    /// Waits for the database as long as the jobs can still be ours.
    async fn claim(&self, tickets: &[Lease], stop: &CancellationToken) -> Vec<ClaimedJob> {
        let started = Instant::now();
        loop {
            match hand_out_jobs::claim(self.services.db(), self.queue, tickets, LEASE).await {
                Ok(claimed) => {
                    self.take_in_hand(&claimed, tickets.len());
                    return claimed;
                }
                Err(error) if started.elapsed() < DISPATCH_WINDOW && !stop.is_cancelled() => {
                    tracing::debug!(queue = %self.queue, error = %chain(&error), "jobs can't be claimed yet");
                    sleep(FAULT_PAUSE).await;
                }
                Err(error) => {
                    tracing::warn!(queue = %self.queue, error = %chain(&error), "jobs were not claimed; they fall due again");
                    return Vec::new();
                }
            }
        }
    }
}

impl LedgerClaim {
    /// All are in hand before any is handed on, so that none is forgotten when the worker has ended.
    fn take_in_hand(&self, claimed: &[ClaimedJob], tickets: usize) {
        for job in claimed {
            self.registry.hold(job.lease, jobs::run_window(&job.kind, self.services.settings()));
        }
        let lost = tickets.saturating_sub(claimed.len());
        if lost > 0 {
            metrics::counter!("vouch_tickets_stale_total", "queue" => self.queue.as_str()).increment(lost as u64);
        }
    }
}
