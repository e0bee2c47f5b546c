//! Many jobs, and rows that nobody may clear away.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use vouch_common::domain::effect::Queue;

use crate::{
    learners::GOOD,
    patience,
    stage::{Stage, WAIT_MAX},
};

/// Jobs that have nothing to do: no analytics service is set.
fn idle_jobs(count: usize, due: &str) -> String {
    format!(
        r#"INSERT INTO jobs (queue, kind, args, due_at)
           SELECT 'events', 'track_event', '{{"v": 1, "user": 1}}', {due} FROM generate_series(1, {count})"#
    )
}

const IDLE_JOBS: &str = "SELECT count(*) FROM jobs WHERE kind = 'track_event' AND due_at < now() + interval '10 minutes'";
const WAVES: usize = 4;
const WAVE: usize = 2000;

/// A transaction that stands open and keeps every dead row: the ledger is handed out and drained all the same.
pub async fn idle_transaction(stage: &mut Stage) -> Result<()> {
    let mut idle = stage.db.acquire().await?.detach();
    sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_current_xact_id()").execute(&mut idle).await?;
    let mut took = Vec::new();
    for _ in 0..WAVES {
        let began = Instant::now();
        stage.sql(&idle_jobs(WAVE, "now()")).await?;
        stage.learners.submit(3, GOOD).await?;
        wait_for_none(stage, IDLE_JOBS).await?;
        took.push(format!("{:.1}", began.elapsed().as_secs_f64()));
    }
    stage.sql("VACUUM jobs").await?;
    let sql = "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'jobs'";
    let kept = || stage.count(sql);
    patience(WAIT_MAX, "dead rows that are kept", async || kept().await.ok().filter(|dead| *dead >= (WAVES * WAVE) as i64))
        .await?;
    stage.notes.push(format!(
        "{WAVES} waves of {WAVE} jobs were drained in {} s, {} dead rows kept",
        took.join(", "),
        kept().await?
    ));
    sqlx::raw_sql("COMMIT").execute(&mut idle).await?;
    Ok(())
}

async fn wait_for_none(stage: &Stage, sql: &str) -> Result<()> {
    patience(5 * WAIT_MAX, "nothing to be left", async || stage.count(sql).await.ok().filter(|left| *left == 0).map(drop)).await
}

const BACKLOG: usize = 1_000_000;
const DUE_AT_ONCE: usize = 10_000;
/// One relay lets 400 lie ready for a queue with 20 at once; the three workers' relays may look at the same moment.
const READY_MAX: u64 = 3 * 400;

/// A million jobs for later, ten thousand due at one instant, and learners beside them.
pub async fn backlog(stage: &mut Stage) -> Result<()> {
    stage.sql(&idle_jobs(BACKLOG, "now() + interval '3 hours'")).await?;
    stage.sql("ANALYZE jobs").await?;
    stage.act("queues/events/pause").await?;
    stage.sql(&idle_jobs(DUE_AT_ONCE, "now() - interval '1 hour'")).await?;
    let oldest = patience(WAIT_MAX, "a number for the oldest that is due", async || {
        stage.metric("rest", r#"vouch_queue_oldest_due_seconds{queue="events"}"#).await.filter(|seconds| *seconds > 0.0)
    });
    let oldest = oldest.await?;
    let is_right = (3600.0..3600.0 + 2.0 * WAIT_MAX.as_secs_f64()).contains(&oldest);
    stage.expect(is_right, format!("the oldest is an hour old, and the number says {oldest} s"));
    let began = Instant::now();
    stage.act("queues/events/resume").await?;
    let learners = Arc::clone(&stage.learners);
    let submitting = tokio::spawn(async move { learners.submit(6, GOOD).await });
    let mut ready_most = 0;
    while stage.count(IDLE_JOBS).await? > 0 {
        ready_most = ready_most.max(stage.ground.redis.entries_of(Queue::Events).await?);
        anyhow::ensure!(began.elapsed() < 5 * WAIT_MAX, "the ten thousand are not drained");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    submitting.await??;
    stage.expect(ready_most <= READY_MAX, format!("{ready_most} entries lay ready in Redis, more than {READY_MAX}"));
    stage.wait_for_count("the verdicts", "SELECT count(*) FROM attempts WHERE status = 'approved'", 6).await?;
    let rate = DUE_AT_ONCE as f64 / seconds;
    stage
        .notes
        .push(format!("{DUE_AT_ONCE} drained in {seconds:.1} s, {rate:.0} a second; at most {ready_most} lay ready in Redis"));
    let left = stage.count("SELECT count(*) FROM jobs WHERE kind = 'track_event'").await?;
    stage.expect(left == BACKLOG as i64, format!("{left} of a million are left for later"));
    stage.sql("DELETE FROM jobs WHERE kind = 'track_event'").await
}
