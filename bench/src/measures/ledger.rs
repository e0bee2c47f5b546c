//! The ledger alone: jobs without work through relay, Redis and worker, beside the same statements without them.
//!
//! A job without work is `track_event` where no analytics service is set: a worker claims it and ends it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
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
    process::Program,
};

/// Jobs that one statement inserts.
const INSERTED_AT_ONCE: usize = 100;
/// Jobs that the relay hands out in one statement.
const HANDED_OUT_AT_ONCE: usize = 500;
/// Connections that insert.
const INSERTERS: usize = 2;
/// Jobs that wait while the ledger is measured.
const WAITING: usize = 1_000;
/// Jobs that are measured.
const NOOP_JOBS: usize = 60_000;
/// The same when it is only to be seen that it runs.
const NOOP_JOBS_QUICK: usize = 1_000;
/// How often it is looked how many are done.
const LOOK: Duration = Duration::from_millis(40);
/// Jobs that run at once in the one worker.
const CONCURRENCY: &str = "events=200";

pub async fn noop(ground: &Ground) -> Result<Vec<Figure>> {
    let (jobs, seconds) = (ground.amount(NOOP_JOBS, NOOP_JOBS_QUICK), ground.amount(8, 1));
    let mut pairs = Pairs::default();
    for _ in 0..ground.runs {
        let ceiling = ceiling(ground, seconds).await?;
        pairs.push(through_the_worker(ground, WAITING, jobs).await?, ceiling);
    }
    let mut figure = pairs.figure("ledger_noop", "jobs/s", Aim::AtLeast(0.7));
    let _ = ground.ledger_noop.set(figure.value);
    figure.notes.push(format!("aim besides: at least 6000 jobs/s; seen {:.0}", figure.value));
    Ok(vec![figure])
}

pub async fn noop_behind_many(ground: &Ground) -> Result<Vec<Figure>> {
    let (many, jobs) = (ground.amount(1_000_000, 5_000), ground.amount(40_000, 1_000));
    let mut pairs = Pairs::default();
    for _ in 0..ground.runs {
        let few = through_the_worker(ground, WAITING, jobs).await?;
        pairs.push(through_the_worker(ground, many, jobs).await?, few);
    }
    Ok(vec![pairs.figure("ledger_noop_1m", "jobs/s", Aim::AtLeast(0.9))])
}

/// Jobs without work a second, for those who are measured beside it; measured once a run.
pub(super) async fn rate_of_noop(ground: &Ground) -> Result<f64> {
    let median_of_runs = async || -> Result<f64> {
        let mut rates = Vec::new();
        for _ in 0..ground.runs {
            rates.push(through_the_worker(ground, WAITING, ground.amount(NOOP_JOBS, NOOP_JOBS_QUICK)).await?);
        }
        Ok(median(&rates))
    };
    ground.ledger_noop.get_or_try_init(median_of_runs).await.copied()
}

/// The product's statements, one after the other, without Redis and worker: jobs a second, with as many clients as
/// serve best.
async fn ceiling(ground: &Ground, seconds: usize) -> Result<f64> {
    let script = cycle()?;
    let mut best: f64 = 0.0;
    for clients in [1, 2, 4] {
        let place = ground.place().await?;
        let cycles = rate(&place.database, place.folder(), &script, clients, seconds).await?;
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let jobs = cycles * HANDED_OUT_AT_ONCE as f64;
        best = best.max(jobs);
        ground.clear(place).await?;
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
    let handed = format!("{head} SELECT array_agg(id) AS ids, array_agg(generation) AS generations FROM handed \\gset\n");
    let taken = |statement: &str, more: &[&str]| {
        let values: Vec<&str> = [":ids", ":generations"].iter().chain(more).copied().collect();
        fill(statement, &values)
    };
    let claim = taken(&statement("RETURNING jobs.id, jobs.generation, kind, args")?, &["15"]);
    let end = taken(&statement("DELETE FROM jobs USING unnest")?, &[]);
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

/// Jobs a second from insert to settled, with so many waiting all the time.
async fn through_the_worker(ground: &Ground, waiting: usize, jobs: usize) -> Result<f64> {
    let place = ground.place().await?;
    let insertion: Arc<str> = insertion()?.into();
    let fed = Arc::new(AtomicUsize::new(0));
    let feed = async |count: usize| -> Result<()> {
        let feeders = (0..INSERTERS).map(|_| feed(place.db.clone(), Arc::clone(&insertion), (Arc::clone(&fed), count)));
        futures_util::future::try_join_all(feeders).await.map(drop)
    };
    feed(waiting).await?;
    place.sql("VACUUM ANALYZE jobs").await?;
    let worker = place.start_worker(&["--queues", "events", "--concurrency", CONCURRENCY]).await?;
    let rate = measure(&place, &worker, feed, (waiting, jobs)).await;
    worker.stop().await?;
    ground.clear(place).await?;
    rate
}

/// Feeds the ledger so that so many wait, until so many jobs are done.
async fn measure(
    place: &Place,
    worker: &Program,
    feed: impl AsyncFn(usize) -> Result<()>,
    (waiting, jobs): (usize, usize),
) -> Result<f64> {
    let mut redis = redis::Client::open(place.redis.as_str())?.get_multiplexed_async_connection().await?;
    // A tenth goes by before the clock starts: connections, plans and caches are warm then.
    let warm = jobs / 10;
    let mut started: Option<(Instant, usize)> = None;
    loop {
        let done = done(worker).await?;
        match started {
            None if done >= warm => started = Some((Instant::now(), done)),
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            Some((since, before)) if done >= before + jobs => return Ok((done - before) as f64 / since.elapsed().as_secs_f64()),
            _ => {}
        }
        feed(done + waiting).await?;
        redis::cmd("PUBLISH").arg(WAKE_CHANNEL).arg("1").query_async::<()>(&mut redis).await?;
        sleep(LOOK).await;
    }
}

/// How many jobs the worker has ended.
async fn done(worker: &Program) -> Result<usize> {
    let done = worker.number("vouch_jobs_total{kind=\"track_event\",outcome=\"done\"}").await?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    Ok(done as usize)
}

/// Inserts jobs until so many have been inserted in all.
async fn feed(db: PgPool, insertion: Arc<str>, (fed, up_to): (Arc<AtomicUsize>, usize)) -> Result<()> {
    loop {
        if fed.fetch_add(INSERTED_AT_ONCE, Ordering::SeqCst) >= up_to {
            fed.fetch_sub(INSERTED_AT_ONCE, Ordering::SeqCst);
            return Ok(());
        }
        sqlx::query(AssertSqlSafe(Arc::clone(&insertion))).execute(&db).await?;
    }
}
