//! How each queue stood over the last two days: one row a queue every few seconds, by the database's clock.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Connection, StoreError, job_views::QueueDepth};

/// A job that ended so shortly ago belongs to the next sample: its transaction may not have ended yet.
const SETTLING_SECONDS: f64 = 2.0;
/// A sample tells of no more than this: after a pause of all workers the first one is not a peak.
const WINDOW_SECONDS_MAX: f64 = 300.0;
/// Most points of one queue in a history.
pub const POINTS_MAX: i32 = 300;

/// How a queue stood at one moment, and what ended in the time before.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuePoint {
    /// The end of that time (UTC).
    pub at: DateTime<Utc>,
    /// The queue.
    pub queue: String,
    /// Tries that ended well.
    pub done: i64,
    /// Tries that failed.
    pub failed: i64,
    /// Jobs that are not dead; the most in that time.
    pub waiting: i64,
    /// Dead jobs; the most in that time.
    pub dead: i64,
    /// For how long the oldest due job had been due; the longest in that time.
    pub oldest_due_seconds: f64,
    /// Mean time from due to claimed; `None`: nothing ended.
    pub wait_seconds: Option<f64>,
    /// Mean time from claimed to ended; `None`: nothing ended.
    pub run_seconds: Option<f64>,
}

/// Writes a sample of each queue: how it stands, and what ended since its last sample.
pub(crate) async fn take(conn: &mut Connection, depths: &[QueueDepth]) -> Result<(), StoreError> {
    let queues: Vec<String> = depths.iter().map(|depth| depth.queue.as_str().to_owned()).collect();
    let waiting: Vec<i64> = depths.iter().map(|depth| depth.waiting).collect();
    let dead: Vec<i64> = depths.iter().map(|depth| depth.dead).collect();
    let oldest: Vec<f64> = depths.iter().map(|depth| depth.oldest_due_seconds).collect();
    sqlx::query!(
        r#"
        WITH window_of AS (
            SELECT greatest(coalesce((SELECT max(at) FROM queue_samples), now()), now() - make_interval(secs => $6))
                       - make_interval(secs => $5) AS opens,
                   now() - make_interval(secs => $5) AS closes
        ), ended AS (
            SELECT queue,
                   count(*) FILTER (WHERE outcome = 'done') AS done,
                   count(*) FILTER (WHERE outcome <> 'done') AS failed,
                   avg(extract(epoch FROM claimed_at - ready_at))::float8 AS wait_seconds,
                   avg(extract(epoch FROM ended_at - claimed_at))::float8 AS run_seconds
            FROM job_runs, window_of
            WHERE ended_at > opens AND ended_at <= closes
            GROUP BY queue
        )
        INSERT INTO queue_samples (at, queue, done, failed, waiting, dead, oldest_due_seconds, wait_seconds, run_seconds)
        SELECT now(), depth.queue, coalesce(done, 0), coalesce(failed, 0), depth.waiting, depth.dead, depth.oldest,
               ended.wait_seconds, ended.run_seconds
        FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::float8[]) AS depth (queue, waiting, dead, oldest)
        LEFT JOIN ended USING (queue)
        ON CONFLICT DO NOTHING
        "#,
        &queues,
        &waiting,
        &dead,
        &oldest,
        SETTLING_SECONDS,
        WINDOW_SECONDS_MAX,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes the samples that are older than `age`.
pub(crate) async fn purge(conn: &mut Connection, age: Duration) -> Result<u64, StoreError> {
    let done = sqlx::query!("DELETE FROM queue_samples WHERE at < now() - make_interval(secs => $1)", age.as_secs_f64())
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

/// The last `hours` of every queue, oldest first, put together to at most [`POINTS_MAX`] points a queue. Sums
/// stay sums and peaks stay peaks.
pub(crate) async fn list(conn: &mut Connection, hours: i32) -> Result<Vec<QueuePoint>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT max(at) AS "at!", queue, sum(done::float8)::bigint AS "done!", sum(failed::float8)::bigint AS "failed!",
               max(waiting) AS "waiting!", max(dead) AS "dead!", max(oldest_due_seconds) AS "oldest_due_seconds!",
               sum(wait_seconds * (done + failed)) / nullif(sum((done + failed)::float8), 0) AS wait_seconds,
               sum(run_seconds * (done + failed)) / nullif(sum((done + failed)::float8), 0) AS run_seconds
        FROM queue_samples
        WHERE at >= (SELECT date_bin(make_interval(secs => $1), now(), 'epoch') - ($2::float8 - 1) * make_interval(secs => $1))
        GROUP BY queue, date_bin(make_interval(secs => $1), at, 'epoch')
        ORDER BY 1, queue
        "#,
        f64::from(hours) * 3600.0 / f64::from(POINTS_MAX),
        f64::from(POINTS_MAX),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| QueuePoint {
            at: row.at,
            queue: row.queue,
            done: row.done,
            failed: row.failed,
            waiting: row.waiting,
            dead: row.dead,
            oldest_due_seconds: row.oldest_due_seconds,
            wait_seconds: row.wait_seconds,
            run_seconds: row.run_seconds,
        })
        .collect())
}
