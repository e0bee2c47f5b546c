//! What people and gauges read of the ledger; nothing here moves a job.

use super::{Connection, StoreError};
use crate::domain::{effect::Queue, ids::ReceiptId};

/// How a queue stands.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueDepth {
    /// The queue.
    pub queue: Queue,
    /// Jobs that are not dead, counted up to [`DEPTH_COUNT_MAX`].
    pub waiting: i64,
    /// Dead jobs, counted up to [`DEPTH_COUNT_MAX`].
    pub dead: i64,
    /// Seconds for which the oldest due job has been due.
    pub oldest_due_seconds: f64,
}

/// Counting stops here, so that it costs nothing at a million rows.
pub const DEPTH_COUNT_MAX: i64 = 10_000;

/// How each queue stands, by bounded index probes.
pub(crate) async fn depths(conn: &mut Connection) -> Result<Vec<QueueDepth>, StoreError> {
    let names: Vec<String> = Queue::ALL.iter().map(|queue| queue.as_str().to_owned()).collect();
    let rows = sqlx::query!(
        r#"
        SELECT wanted.queue AS "queue!",
               (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE jobs.queue = wanted.queue AND dead_at IS NULL LIMIT $2) AS counted)
                   AS "waiting!",
               (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE jobs.queue = wanted.queue AND dead_at IS NOT NULL LIMIT $2) AS counted)
                   AS "dead!",
               coalesce((SELECT greatest(extract(epoch FROM now() - due_at)::float8, 0) FROM jobs
                         WHERE jobs.queue = wanted.queue AND dead_at IS NULL ORDER BY due_at LIMIT 1), 0) AS "oldest!"
        FROM unnest($1::text[]) AS wanted (queue)
        "#,
        &names,
        DEPTH_COUNT_MAX,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            Queue::parse(&row.queue).map(|queue| QueueDepth {
                queue,
                waiting: row.waiting,
                dead: row.dead,
                oldest_due_seconds: row.oldest,
            })
        })
        .collect())
}

/// Whether an attempt has a job of that kind, dead or alive.
pub(crate) async fn exists(conn: &mut Connection, receipt: ReceiptId, kind: &str) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM jobs WHERE subject = $1 AND kind = $2) AS "exists!""#,
        receipt.0,
        kind
    )
    .fetch_one(conn)
    .await?)
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
