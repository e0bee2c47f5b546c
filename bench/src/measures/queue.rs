//! The queue part alone: tickets pushed into Redis, our backend, the worker library, a handler without work; beside
//! apalis-redis, the library's own Redis storage, tuned for speed. Both run in this process.
//!
//! The ledger is left out: every ticket is ours. What the ledger costs is in `ledger_noop`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use apalis::prelude::{BackendExt, ParallelizeExt, TaskSink, WorkerBuilder, WorkerBuilderExt, WorkerContext};
use apalis_redis::{Config, RedisStorage};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use vouch_common::{
    adapters::redis::{Redis, list_key},
    domain::effect::Queue,
    store::jobs::{ClaimedJob, Lease},
};
use vouch_worker::runtime::{
    claim::Claim,
    queue::{LedgerQueue, Slot},
};

use super::Pairs;
use crate::{
    figure::{Aim, Figure},
    ground::{Ground, Place},
};

/// Jobs that run at once.
const AT_ONCE: usize = 100;
/// Jobs that one command pushes, as many as the relay hands out in one statement.
const PUSHED_AT_ONCE: usize = 500;
/// Most jobs that wait; from 8,000 on apalis-redis stands still.
const WAITING_MAX: usize = 5_000;
/// How often apalis-redis, which polls, looks when it found nothing. At 1 ms it does not get as far as its first job.
const POLL: Duration = Duration::from_millis(5);
/// Pause of the feeder while enough wait.
const FEED_PAUSE: Duration = Duration::from_millis(1);
/// How long nothing may be done before the run is given up.
const STILL_MAX: Duration = Duration::from_secs(20);
const QUEUE: Queue = Queue::Events;

pub async fn run(ground: &Ground) -> Result<Vec<Figure>> {
    let jobs = ground.amount(400_000, 2_000);
    let mut pairs = Pairs::default();
    for _ in 0..ground.runs {
        let place = ground.place().await?;
        let theirs = theirs(&place, jobs).await?;
        ground.clear(place).await?;
        let place = ground.place().await?;
        pairs.push(ours(&place, jobs).await?, theirs);
        ground.clear(place).await?;
    }
    Ok(vec![pairs.figure("queue_only", "jobs/s", Aim::AtLeast(1.0))])
}

/// Every ticket's job is ours.
struct YesToAll;

impl Claim for YesToAll {
    async fn claim(&self, tickets: &[Lease], _: &CancellationToken) -> Vec<ClaimedJob> {
        let job = |lease: &Lease| ClaimedJob {
            lease: *lease,
            kind: "track_event".to_owned(),
            args: serde_json::Value::Null,
            deliveries: 1,
            failures: 0,
            subject: None,
            claimed_at: chrono::DateTime::UNIX_EPOCH,
            waited_seconds: 0.0,
            trace: None,
        };
        tickets.iter().map(job).collect()
    }
}

async fn ours(place: &Place, jobs: usize) -> Result<f64> {
    let (redis, stop, done) = (Arc::new(Redis::new(place.redis.as_str())?), CancellationToken::new(), Done::default());
    let backend = LedgerQueue::start(Arc::clone(&redis), QUEUE, AT_ONCE, YesToAll, stop.clone());
    let handler = done.clone();
    let worker = WorkerBuilder::new("ours").backend(backend).parallelize(tokio::spawn).build(move |slot: Slot| {
        let done = handler.clone();
        async move {
            done.add_one();
            drop(slot);
        }
    });
    let worker = tokio::spawn(worker.run());
    let connection = redis.dedicated().await?;
    let push = async |count: usize| -> Result<()> {
        let mut push = redis::cmd("RPUSH");
        push.arg(list_key(QUEUE)).arg(vec!["1:1:track_event"; count]);
        Ok(push.query_async::<()>(&mut connection.clone()).await?)
    };
    let rate = measure(jobs, &done, push).await;
    stop.cancel();
    worker.await?.context("our worker")?;
    rate.context("ours")
}

async fn theirs(place: &Place, jobs: usize) -> Result<f64> {
    let done = Done::default();
    let config = Config::default().queue("bench").batch_size(AT_ONCE).lock_tasks(false).emit_events(false);
    let storage: RedisStorage<usize> = RedisStorage::new(apalis_redis::connect(place.redis.as_str()).await?).with_config(config);
    let handler = done.clone();
    let worker = WorkerBuilder::new("theirs")
        .backend(storage.clone().poll_with_interval(POLL))
        .concurrency(AT_ONCE)
        .parallelize(tokio::spawn)
        .build(move |_: usize, worker: WorkerContext| {
            let done = handler.clone();
            async move {
                if done.add_one() == jobs {
                    let _ = worker.stop();
                }
            }
        });
    let worker = tokio::spawn(worker.run());
    let push = async |count: usize| -> Result<()> { Ok(storage.clone().push_bulk(vec![1; count]).await?) };
    let rate = measure(jobs, &done, push).await;
    if worker.is_finished() {
        worker.await?.context("the worker of apalis-redis")?;
    } else {
        worker.abort();
    }
    rate.context("apalis-redis")
}

/// How many jobs are done.
#[derive(Clone, Default)]
struct Done(Arc<AtomicUsize>);

impl Done {
    fn add_one(&self) -> usize {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Pushes so many jobs, few enough at a time; jobs a second from the first push to the last job.
async fn measure(jobs: usize, done: &Done, push: impl AsyncFn(usize) -> Result<()>) -> Result<f64> {
    let (began, mut pushed) = (Instant::now(), 0);
    let mut moved = (0, began);
    while done.count() < jobs {
        let now_done = done.count();
        if now_done > moved.0 {
            moved = (now_done, Instant::now());
        }
        anyhow::ensure!(moved.1.elapsed() < STILL_MAX, "nothing was done for {STILL_MAX:?} after {now_done} jobs");
        if pushed < jobs && pushed - now_done <= WAITING_MAX - PUSHED_AT_ONCE {
            let count = PUSHED_AT_ONCE.min(jobs - pushed);
            push(count).await?;
            pushed += count;
        } else {
            sleep(FEED_PAUSE).await;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    Ok(jobs as f64 / began.elapsed().as_secs_f64())
}
