//! The queue under the worker library: takes ready jobs from a Redis list, claims them in the ledger, and
//! hands them over. A thin backend of our own; ADR 0002 says why not the library's Redis storage.
//!
//! It takes no more than there are free slots, never returns an error (a server that is away is waited
//! for), and can't meet a payload that it can't read: what is malformed is counted and dropped, for the
//! ledger still has the job.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    task::{Task, task_id::RandomId},
    worker::context::WorkerContext,
};
use redis::aio::MultiplexedConnection;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::yield_now,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower_layer::Identity;
use vouch_common::{
    adapters::redis::{Redis, list_key},
    domain::{effect::Queue, ids::JobId},
    store::jobs::{ClaimedJob, Lease},
};

use super::claim::Claim;

/// How long one look at an empty list blocks; so long a shutdown may wait for it.
const BLOCK_SECONDS: f64 = 1.0;
/// Most jobs that one statement claims: those of one run while the next are claimed.
const CLAIMED_AT_ONCE: usize = 250;
/// Claims that are under way at once: while one waits for its commit, another is prepared.
const CLAIMS: usize = 2;
/// A blocking look that takes longer than this is a dead connection.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// Pause after a fault of Redis.
const FAULT_PAUSE: Duration = Duration::from_millis(200);

/// A claimed job with the slot that it occupies.
#[derive(Debug)]
pub struct Slot {
    /// The job.
    pub job: ClaimedJob,
    /// Its slot, free again when this is dropped.
    pub permit: OwnedSemaphorePermit,
}

/// The backend: the receiving end of a task that takes and claims.
#[derive(Debug)]
pub struct LedgerQueue {
    slots: mpsc::UnboundedReceiver<Slot>,
}

impl LedgerQueue {
    /// Starts taking jobs of `queue`, at most `concurrency` at once, until `stop`.
    #[must_use]
    pub fn start(redis: Arc<Redis>, queue: Queue, concurrency: usize, claim: impl Claim, stop: CancellationToken) -> Self {
        let (sender, slots) = mpsc::unbounded_channel();
        let (free, claims) = (Arc::new(Semaphore::new(concurrency)), Arc::new(Semaphore::new(CLAIMS)));
        let taker = Taker { redis, queue, claim: Arc::new(claim), sender, free, claims, connection: None };
        tokio::spawn(taker.run(stop));
        Self { slots }
    }
}

impl Backend for LedgerQueue {
    type Task = Task<Slot>;
    type Error = Infallible;

    fn poll_ready(&mut self, _cx: &mut Context<'_>, _worker: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, worker: &WorkerContext) -> Poll<Option<Result<Self::Task, Infallible>>> {
        match self.slots.poll_recv(cx) {
            Poll::Ready(Some(slot)) => Poll::Ready(Some(Ok(Task::new(slot)))),
            Poll::Ready(None) => {
                // The worker library waits for this word before it calls its work done.
                let _ = worker.stop();
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_close(&mut self, _cx: &mut Context<'_>, _worker: &WorkerContext) -> Poll<Result<(), Infallible>> {
        // What was claimed and not started is in the registry; the shutdown gives it back.
        self.slots.close();
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for LedgerQueue {
    type Args = Slot;
    type Id = RandomId;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _worker: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}

/// The task that takes tickets, and has them claimed.
struct Taker<C> {
    redis: Arc<Redis>,
    queue: Queue,
    claim: Arc<C>,
    sender: mpsc::UnboundedSender<Slot>,
    free: Arc<Semaphore>,
    claims: Arc<Semaphore>,
    connection: Option<MultiplexedConnection>,
}

impl<C: Claim> Taker<C> {
    async fn run(mut self, stop: CancellationToken) {
        while let Some((turn, mut permits)) = self.wait_for_room(&stop).await {
            let tickets = self.take(permits.len()).await;
            permits.truncate(tickets.len());
            if tickets.is_empty() {
                continue;
            }
            let (claim, sender, stop) = (Arc::clone(&self.claim), self.sender.clone(), stop.clone());
            tokio::spawn(async move {
                for (job, permit) in claim.claim(&tickets, &stop).await.into_iter().zip(permits) {
                    // Nobody receives when the worker has ended; the shutdown gives back what is in hand.
                    let _ = sender.send(Slot { job, permit });
                }
                drop(turn);
            });
        }
    }

    /// Waits for a turn to claim, and then for the slots that are free; `None` at `stop`, or when nobody receives.
    async fn wait_for_room(&self, stop: &CancellationToken) -> Option<(OwnedSemaphorePermit, Vec<OwnedSemaphorePermit>)> {
        let one = async {
            let turn = Arc::clone(&self.claims).acquire_owned().await.ok()?;
            Some((turn, Arc::clone(&self.free).acquire_owned().await.ok()?))
        };
        let (turn, permit) = tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            // The worker has ended by itself: another has a taker of its own, and what this one took would reach nobody.
            () = self.sender.closed() => return None,
            one = one => one?,
        };
        // Slots get free in groups: after the first, the others of its group have their turn.
        yield_now().await;
        let mut permits = vec![permit];
        while permits.len() < CLAIMED_AT_ONCE
            && let Ok(more) = Arc::clone(&self.free).try_acquire_owned()
        {
            permits.push(more);
        }
        Some((turn, permits))
    }

    /// Takes up to `count` tickets from the list; none when it is empty or Redis is away.
    async fn take(&mut self, count: usize) -> Vec<Lease> {
        let entries = match self.pop(count).await {
            Ok(entries) => entries,
            Err(error) => {
                tracing::debug!(queue = %self.queue, error = %error, "Redis is away; waiting");
                self.connection = None;
                sleep(FAULT_PAUSE).await;
                return Vec::new();
            }
        };
        let tickets: Vec<_> = entries.iter().filter_map(|entry| read_ticket(entry)).collect();
        if tickets.len() < entries.len() {
            let malformed = entries.len() - tickets.len();
            tracing::warn!(queue = %self.queue, malformed, "entries in Redis that are no tickets were dropped");
            metrics::counter!("vouch_queue_malformed_total", "queue" => self.queue.as_str()).increment(malformed as u64);
        }
        tickets
    }

    async fn pop(&mut self, count: usize) -> Result<Vec<Vec<u8>>, redis::RedisError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.redis.dedicated().await?,
        };
        let mut command = redis::cmd("BLMPOP");
        command.arg(BLOCK_SECONDS).arg(1).arg(list_key(self.queue)).arg("LEFT").arg("COUNT").arg(count);
        let answer = timeout(ANSWER_TIMEOUT, command.query_async::<Option<(String, Vec<Vec<u8>>)>>(&mut connection)).await;
        let answer = answer.map_err(|_| redis::RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut)))??;
        self.connection = Some(connection);
        Ok(answer.map(|(_, entries)| entries).unwrap_or_default())
    }
}

/// Reads `id:generation:kind`; the claim tells the kind anew.
fn read_ticket(entry: &[u8]) -> Option<Lease> {
    let text = std::str::from_utf8(entry).ok()?;
    let mut fields = text.splitn(3, ':');
    let job = JobId(fields.next()?.parse().ok()?);
    let generation = fields.next()?.parse().ok()?;
    fields.next().map(|_kind| Lease { job, generation })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_has_three_fields_and_anything_else_is_dropped() {
        assert_eq!(read_ticket(b"7:2:prepare_photos"), Some(Lease { job: JobId(7), generation: 2 }));
        assert!(read_ticket(b"7:2:a_kind_of_tomorrow").is_some(), "another release may know it");
        for bad in [&b""[..], b"7", b"7:2", b"x:2:k", b"7:x:k", b"\xff\xfe", b"{\"id\":7}", b"99999999999999999999:1:k"] {
            assert!(read_ticket(bad).is_none(), "{bad:?}");
        }
    }
}
