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
        let taker = Taker { redis, queue, claim, sender, free: Arc::new(Semaphore::new(concurrency)), connection: None };
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

/// The task that takes and claims.
struct Taker<C> {
    redis: Arc<Redis>,
    queue: Queue,
    claim: C,
    sender: mpsc::UnboundedSender<Slot>,
    free: Arc<Semaphore>,
    connection: Option<MultiplexedConnection>,
}

impl<C: Claim> Taker<C> {
    async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let permit = tokio::select! {
                () = stop.cancelled() => break,
                permit = Arc::clone(&self.free).acquire_owned() => permit,
            };
            let Ok(permit) = permit else { break };
            let mut permits = vec![permit];
            while let Ok(more) = Arc::clone(&self.free).try_acquire_owned() {
                permits.push(more);
            }
            let tickets = self.take(permits.len()).await;
            if tickets.is_empty() {
                continue;
            }
            for job in self.claim.claim(&tickets, &stop).await {
                let Some(permit) = permits.pop() else { break };
                if self.sender.send(Slot { job, permit }).is_err() {
                    return;
                }
            }
        }
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
