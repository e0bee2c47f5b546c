//! What people and gauges read of the ledger; nothing here moves a job.

use super::{Connection, StoreError};
use crate::domain::{effect::Queue, ids::ReceiptId};

/// How a queue stands. Each count of living jobs is exact up to [`DEPTH_COUNT_MAX`].
#[derive(Debug, Clone, PartialEq)]
pub struct QueueDepth {
    /// The queue.
    pub queue: Queue,
    /// Jobs that may be handed out now, but for brakes.
    pub due: i64,
    /// Jobs that lie in Redis.
    pub dispatched: i64,
    /// Jobs that a worker has.
    pub running: i64,
    /// Jobs whose time has not come.
    pub scheduled: i64,
    /// All that are not dead: the sum of the four.
    pub waiting: i64,
    /// Whether there are too many to be counted, so that the counts are the planner's estimate.
    pub is_about: bool,
    /// Dead jobs; exact.
    pub dead: i64,
    /// Seconds for which the oldest due job has been due.
    pub oldest_due_seconds: f64,
}

/// Counting stops here, so that it costs nothing at a million rows.
pub const DEPTH_COUNT_MAX: i64 = 10_000;

/// What was counted of a queue, each up to one more than [`DEPTH_COUNT_MAX`], and what the planner estimates.
struct Counted {
    due: i64,
    /// The next jobs whose time has not come, all together and by phase.
    ahead: i64,
    dispatched: i64,
    running: i64,
    all_about: i64,
    due_about: i64,
}

impl Counted {
    /// The due and the scheduled jobs, and whether they are estimated.
    fn due_and_scheduled(&self) -> (i64, i64, bool) {
        let in_hand = self.dispatched + self.running;
        let (is_due_cut, is_ahead_cut) = (self.due > DEPTH_COUNT_MAX, self.ahead > DEPTH_COUNT_MAX);
        let counted = (self.due, self.ahead - in_hand);
        // What is counted in full is taken from the estimate of all; the rest is at least what was seen.
        let (due, scheduled) = match (is_due_cut, is_ahead_cut) {
            (false, false) => counted,
            (true, false) => (self.all_about - self.ahead, counted.1),
            (false, true) => (counted.0, self.all_about - self.due - in_hand),
            (true, true) => (self.due_about, self.all_about - self.due_about - in_hand),
        };
        (due.max(counted.0), scheduled.max(counted.1), is_due_cut || is_ahead_cut)
    }
}

/// How each queue stands, by bounded index probes.
pub(crate) async fn depths(conn: &mut Connection) -> Result<Vec<QueueDepth>, StoreError> {
    let names: Vec<String> = Queue::ALL.iter().map(|queue| queue.as_str().to_owned()).collect();
    let rows = sqlx::query!(
        r#"
        WITH dead AS MATERIALIZED (SELECT queue, sum(jobs)::bigint AS jobs FROM dead_tallies GROUP BY queue)
        SELECT wanted.queue AS "queue!", due.jobs AS "due!", due.oldest AS "oldest!",
               ahead.jobs AS "ahead!", ahead.dispatched AS "dispatched!", ahead.running AS "running!",
               CASE WHEN greatest(due.jobs, ahead.jobs) > $2 THEN estimate_jobs(wanted.queue, false) ELSE 0 END AS "all_about!",
               CASE WHEN least(due.jobs, ahead.jobs) > $2 THEN estimate_jobs(wanted.queue, true) ELSE 0 END AS "due_about!",
               coalesce((SELECT jobs FROM dead WHERE dead.queue = wanted.queue), 0) AS "dead!"
        FROM unnest($1::text[]) AS wanted (queue),
             LATERAL (SELECT count(*) AS jobs, coalesce(extract(epoch FROM now() - min(due_at)), 0)::float8 AS oldest FROM (
                 SELECT due_at FROM jobs WHERE jobs.queue = wanted.queue AND dead_at IS NULL AND due_at <= now()
                 ORDER BY due_at LIMIT $2::bigint + 1) AS counted) AS due,
             LATERAL (SELECT count(*) AS jobs, count(*) FILTER (WHERE phase = 'dispatched') AS dispatched,
                             count(*) FILTER (WHERE phase = 'running') AS running FROM (
                 SELECT phase FROM jobs WHERE jobs.queue = wanted.queue AND dead_at IS NULL AND due_at > now()
                 ORDER BY due_at LIMIT $2::bigint + 1) AS counted) AS ahead
        "#,
        &names,
        DEPTH_COUNT_MAX,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let queue = Queue::parse(&row.queue)?;
            let (dispatched, running) = (row.dispatched, row.running);
            let counted = Counted {
                due: row.due,
                ahead: row.ahead,
                dispatched,
                running,
                all_about: row.all_about,
                due_about: row.due_about,
            };
            let (due, scheduled, is_about) = counted.due_and_scheduled();
            let waiting = due + dispatched + running + scheduled;
            let oldest_due_seconds = row.oldest;
            Some(QueueDepth { queue, due, dispatched, running, scheduled, waiting, is_about, dead: row.dead, oldest_due_seconds })
        })
        .collect())
}

/// Whether a worker is at an attempt's job of that kind right now.
pub(crate) async fn is_running(conn: &mut Connection, receipt: ReceiptId, kind: &str) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"
        SELECT EXISTS (
            SELECT 1 FROM jobs
            WHERE subject = $1 AND kind = $2 AND phase = 'running' AND dead_at IS NULL AND due_at > now()) AS "is_running!"
        "#,
        receipt.0,
        kind
    )
    .fetch_one(conn)
    .await?)
}

/// Whether a worker has had an attempt's job of that kind, which is still there, dead or alive.
pub(crate) async fn was_tried(conn: &mut Connection, receipt: ReceiptId, kind: &str) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM jobs WHERE subject = $1 AND kind = $2 AND claimed_at IS NOT NULL) AS "was_tried!""#,
        receipt.0,
        kind
    )
    .fetch_one(conn)
    .await?)
}
