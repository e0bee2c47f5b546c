//! The ledger alone: jobs without work through relay, Redis and worker, beside the same statements without them.
//!
//! A job without work is `track_event` where no analytics service is set: a worker claims it and ends it.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use redis::aio::MultiplexedConnection;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::time::{Instant, sleep};
use vouch_common::{
    adapters::redis::WAKE_CHANNEL,
    domain::{effect::Effect, ids::UserId},
};

use super::Pairs;
use crate::{
    figure::{Aim, Figure, median},
    ground::{Ground, Place},
    pgbench::{fill, rate, statement},
    process::{Program, cpu_of_tree},
};

/// Jobs that one statement inserts.
const INSERTED_AT_ONCE: usize = 100;
/// Jobs that the relay hands out in one statement.
const HANDED_OUT_AT_ONCE: usize = 500;
/// Connections that insert.
const INSERTERS: usize = 2;
/// Jobs that wait while the ledger is measured: a thousand, besides those that list and worker hold.
const WAITING: usize = 1_000 + HELD;
/// Jobs that the list in Redis and the worker may hold.
const HELD: usize = 4_000 + 1_000;
/// Jobs that are measured in a turn.
const NOOP_JOBS: usize = 40_000;
/// The same when it is only to be seen that it runs.
const NOOP_JOBS_QUICK: usize = 1_000;
/// Turns of each side in a run.
const TURNS: usize = 5;
/// How often it is looked how many are done.
const LOOK: Duration = Duration::from_millis(80);
/// Pause of who inserts, while enough wait.
const FEED_PAUSE: Duration = Duration::from_millis(1);
/// Jobs that run at once in the one worker.
const CONCURRENCY: &str = "events=1000";

/// In turns of a few seconds for each side: a machine of which others use a share is faster in one minute than in the next. Each
/// turn has a fresh ledger, on both sides, for what was deleted makes one slower until it is vacuumed.
pub async fn noop(ground: &Ground) -> Result<Vec<Figure>> {
    let (jobs, seconds, turns) = (ground.amount(NOOP_JOBS, NOOP_JOBS_QUICK), ground.amount(4, 1), ground.amount(TURNS, 1));
    let (mut pairs, mut costs, script) = (Pairs::default(), Vec::new(), cycle()?);
    for _ in 0..ground.runs {
        let clients = best_clients(ground, &script, seconds).await?;
        for _ in 0..turns {
            let ceiling = ceiling(ground, &script, clients, seconds).await?;
            let run = through_the_worker(ground, WAITING, jobs).await?;
            pairs.push(run.jobs_per_second, ceiling);
            costs.push(run);
        }
    }
    let mut figure = pairs.figure("ledger_noop", "jobs/s", Aim::AtLeast(0.7));
    figure.notes.push(format!("aim besides: at least 6000 jobs/s; seen {:.0}", figure.value));
    let cost = |of: fn(&Run) -> f64| 1e6 * median(&costs.iter().map(of).collect::<Vec<_>>());
    let (servers, worker) = (cost(|run| run.cpu_of_servers), cost(|run| run.cpu_of_worker));
    figure.notes.push(format!("CPU a job: Postgres and Redis {servers:.0} µs, worker and relay {worker:.0} µs"));
    Ok(vec![figure])
}

/// In turns, as [`noop`]; both ledgers stand there all the time.
pub async fn noop_behind_many(ground: &Ground) -> Result<Vec<Figure>> {
    let waiting = ground.amount(1_000_000, 8_000);
    let (jobs, turns) = (ground.amount(NOOP_JOBS, NOOP_JOBS_QUICK), ground.amount(TURNS, 1));
    let mut pairs = Pairs::default();
    for _ in 0..ground.runs {
        // Both are filled before the first job is handed out: a new place empties Redis.
        let many = Filled::new(ground, waiting, 0).await?;
        let few = Filled::new(ground, WAITING, 1).await?;
        let (many, few) = (many.start().await?, few.start().await?);
        for _ in 0..turns {
            let beside = few.turn(jobs).await?.jobs_per_second;
            pairs.push(many.turn(jobs).await?.jobs_per_second, beside);
        }
        many.clear(ground).await?;
        few.clear(ground).await?;
    }
    Ok(vec![pairs.figure("ledger_noop_1m", "jobs/s", Aim::AtLeast(0.9))])
}

/// Jobs without work a second, for those who are measured beside it: one turn.
pub(super) async fn jobs_per_second(ground: &Ground) -> Result<f64> {
    let jobs = ground.amount(NOOP_JOBS, NOOP_JOBS_QUICK);
    Ok(through_the_worker(ground, WAITING, jobs).await?.jobs_per_second)
}

/// The product's statements, one after the other, without Redis and worker: jobs a second.
async fn ceiling(ground: &Ground, script: &str, clients: usize, seconds: usize) -> Result<f64> {
    let place = ground.place().await?;
    let cycles = rate(&place.database, place.folder(), script, clients, seconds).await?;
    ground.clear(place).await?;
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let jobs = cycles * HANDED_OUT_AT_ONCE as f64;
    Ok(jobs)
}

/// How many clients serve the ceiling best.
async fn best_clients(ground: &Ground, script: &str, seconds: usize) -> Result<usize> {
    let (mut best, mut most) = (1, 0.0);
    for clients in [1, 2, 4] {
        let jobs = ceiling(ground, script, clients, seconds).await?;
        if jobs > most {
            (best, most) = (clients, jobs);
        }
    }
    Ok(best)
}

/// Inserts, hands out, claims and ends 500 jobs.
fn cycle() -> Result<String> {
    let hand_out = fill(
        &statement("handed AS (")?,
        &["'events'", &HANDED_OUT_AT_ONCE.to_string(), "30", "'no_outcome'", "3", "'it ends its worker'", "false"],
    );
    // Its rows are wanted as two arrays, for the statements that follow.
    let (head, _) = hand_out.split_once("SELECT id AS \"id!\"").context("handing out has another shape")?;
    let handed = format!(
        "{head} SELECT coalesce(array_agg(id), '{{}}') AS ids, coalesce(array_agg(generation), '{{}}') AS generations FROM handed \\gset\n"
    );
    let claim = fill(&statement("RETURNING id, generation, kind, args")?, &[":ids", ":generations", "15", "'events'"]);
    let end = fill(&statement("clock_timestamp(), 'done'")?, &[":ids", ":generations"]);
    let inserts = format!("{};\n", insertion()?).repeat(HANDED_OUT_AT_ONCE / INSERTED_AT_ONCE);
    Ok(format!("{inserts}{handed}{claim};\n{end};\n"))
}

/// The statement that inserts 100 jobs.
fn insertion() -> Result<String> {
    let effect = Effect::TrackEvent { user: UserId(1), event: None, receipt: None };
    let column = |value: &str| format!("array_fill({value}, ARRAY[{INSERTED_AT_ONCE}])");
    let nothing = column("NULL::text");
    let values = [
        column(&format!("'{}'::text", effect.queue())),
        column(&format!("'{}'::text", effect.kind())),
        column(&format!("'{}'::jsonb", effect.to_args())),
        column("0::float8"),
        nothing.clone(),
        nothing.clone(),
        nothing.clone(),
        nothing,
        "NULL::uuid".to_owned(),
        "NULL::text".to_owned(),
    ];
    Ok(fill(&statement("INSERT INTO jobs (queue, kind, args, due_at")?, &values.each_ref().map(String::as_str)))
}

/// How jobs went through the ledger; CPU in seconds a job.
struct Run {
    jobs_per_second: f64,
    cpu_of_servers: f64,
    cpu_of_worker: f64,
}

/// From insert to settled, with so many waiting all the time.
async fn through_the_worker(ground: &Ground, waiting: usize, jobs: usize) -> Result<Run> {
    let standing = Filled::new(ground, waiting, 0).await?.start().await?;
    let run = standing.turn(jobs).await?;
    standing.clear(ground).await?;
    Ok(run)
}

/// A ledger in which so many jobs wait.
struct Filled {
    place: Place,
    feed: Feed,
    waiting: usize,
}

impl Filled {
    /// Fills a ledger; its queue is in that database of Redis, which no other place in use may have.
    async fn new(ground: &Ground, waiting: usize, redis: usize) -> Result<Self> {
        let mut place = ground.place().await?;
        place.redis.set_path(&format!("/{redis}"));
        let feed = Feed {
            db: place.db.clone(),
            redis: vouch_tests::patient_redis(place.redis.as_str()).await?,
            insertion: insertion()?.into(),
            fed: AtomicUsize::new(0),
            wanted: AtomicUsize::new(0),
        };
        feed.want(waiting);
        feed.until_full().await?;
        place.sql("VACUUM ANALYZE jobs").await?;
        // What filling the ledger left to write is not what is measured.
        place.sql("CHECKPOINT").await?;
        Ok(Self { place, feed, waiting })
    }

    /// Starts its worker, and lets it stand still.
    async fn start(self) -> Result<Standing> {
        let worker = self.place.start_worker(&["--queues", "events", "--concurrency", CONCURRENCY]).await?;
        worker.stand_still().await?;
        Ok(Standing { filled: self, worker })
    }
}

/// A filled ledger and its worker, which stands still but for its turns.
struct Standing {
    filled: Filled,
    worker: Program,
}

impl Standing {
    /// Measures so many jobs. In turns of a few seconds what the worker has in hand stays its own.
    async fn turn(&self, jobs: usize) -> Result<Run> {
        self.worker.go_on().await?;
        let run = tokio::select! {
            run = self.measure(jobs) => run,
            fault = self.filled.feed.for_ever() => fault.map(|never| match never {}),
        };
        self.worker.stand_still().await?;
        run
    }

    /// Keeps as many waiting as there were until so many jobs are done.
    async fn measure(&self, jobs: usize) -> Result<Run> {
        let Self { worker, filled: Filled { place, feed, waiting } } = self;
        // A tenth goes by before the clock starts: connections, plans and caches are warm then.
        let warm = done(worker).await? + jobs / 10;
        let mut started = None;
        loop {
            let done = done(worker).await?;
            match started {
                None if done >= warm => {
                    started = Some((Instant::now(), done, place.servers_cpu().await?, cpu_of_tree(worker.pid)?));
                }
                Some((since, before, servers, own)) if done >= before + jobs => {
                    #[expect(clippy::cast_precision_loss, reason = "a small number")]
                    let jobs = (done - before) as f64;
                    return Ok(Run {
                        jobs_per_second: jobs / since.elapsed().as_secs_f64(),
                        cpu_of_servers: (place.servers_cpu().await? - servers) / jobs,
                        cpu_of_worker: (cpu_of_tree(worker.pid)? - own) / jobs,
                    });
                }
                _ => {}
            }
            feed.want(done + waiting);
            sleep(LOOK).await;
        }
    }

    async fn clear(self, ground: &Ground) -> Result<()> {
        self.worker.go_on().await?;
        self.worker.stop().await?;
        ground.clear(self.filled.place).await
    }
}

/// How many jobs the worker has ended.
async fn done(worker: &Program) -> Result<usize> {
    let done = worker.number("vouch_jobs_total{kind=\"track_event\",outcome=\"done\"}").await?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    Ok(done as usize)
}

/// What inserts jobs.
struct Feed {
    db: PgPool,
    redis: MultiplexedConnection,
    insertion: Arc<str>,
    /// How many have been inserted in all.
    fed: AtomicUsize,
    /// How many shall have been.
    wanted: AtomicUsize,
}

impl Feed {
    fn want(&self, count: usize) {
        self.wanted.store(count, Ordering::SeqCst);
    }

    /// Inserts until as many have been inserted as are wanted.
    async fn until_full(&self) -> Result<()> {
        let feeders = (0..INSERTERS).map(async |_| -> Result<()> {
            while self.fed.fetch_add(INSERTED_AT_ONCE, Ordering::SeqCst) < self.wanted.load(Ordering::SeqCst) {
                sqlx::query(AssertSqlSafe(Arc::clone(&self.insertion))).execute(&self.db).await?;
            }
            self.fed.fetch_sub(INSERTED_AT_ONCE, Ordering::SeqCst);
            Ok(())
        });
        futures_util::future::try_join_all(feeders).await.map(drop)
    }

    /// Inserts whenever more are wanted, and wakes the relay.
    async fn for_ever(&self) -> Result<Infallible> {
        loop {
            let before = self.fed.load(Ordering::SeqCst);
            self.until_full().await?;
            if self.fed.load(Ordering::SeqCst) > before {
                redis::cmd("PUBLISH").arg(WAKE_CHANNEL).arg("1").query_async::<()>(&mut self.redis.clone()).await?;
            }
            sleep(FEED_PAUSE).await;
        }
    }
}
