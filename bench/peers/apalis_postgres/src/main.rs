//! Jobs without work through apalis-postgres: pushed in bulk and done by one worker, both in this process.
//!
//! Prints jobs a second, from the first push until the last is done: `… JOBS`, with `DATABASE_URL`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use apalis::prelude::{BackendExt, ParallelizeExt, TaskSink, WorkerBuilder, WorkerBuilderExt};
use apalis_postgres::{Config, PostgresStorage};
use sqlx::postgres::PgPoolOptions;

/// Jobs that run at once, and that one statement fetches.
const AT_ONCE: usize = 100;
/// Jobs that one statement pushes.
const PUSHED_AT_ONCE: usize = 500;
/// How often the worker looks when it found nothing.
const POLL: Duration = Duration::from_millis(5);
const LOOK: Duration = Duration::from_millis(2);

#[tokio::main]
async fn main() -> Result<()> {
    let jobs: usize = std::env::args().nth(1).context("how many jobs?")?.parse()?;
    let pool = PgPoolOptions::new().max_connections(16).connect(&std::env::var("DATABASE_URL")?).await?;
    PostgresStorage::setup(&pool).await?;
    let config = Config::default().queue("noop").batch_size(AT_ONCE).lock_tasks(false);
    let storage: PostgresStorage<usize> = PostgresStorage::new(&pool).with_config(config);
    let done = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&done);
    let worker = WorkerBuilder::new("noop")
        .backend(storage.clone().poll_with_interval(POLL))
        .concurrency(AT_ONCE)
        .parallelize(tokio::spawn)
        .build(move |_: usize| {
            let counter = Arc::clone(&counter);
            async move {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
    tokio::spawn(worker.run());
    // A tenth goes by first: connections and plans are warm then.
    measure(&storage, &done, jobs.div_ceil(10)).await?;
    println!("{}", measure(&storage, &done, jobs).await?);
    Ok(())
}

async fn measure(storage: &PostgresStorage<usize>, done: &AtomicUsize, jobs: usize) -> Result<f64> {
    let (began, before) = (Instant::now(), done.load(Ordering::Relaxed));
    let mut left = jobs;
    while left > 0 {
        let few = left.min(PUSHED_AT_ONCE);
        storage.clone().push_bulk(vec![1; few]).await?;
        left -= few;
    }
    while done.load(Ordering::Relaxed) < before + jobs {
        tokio::time::sleep(LOOK).await;
    }
    Ok(jobs as f64 / began.elapsed().as_secs_f64())
}
