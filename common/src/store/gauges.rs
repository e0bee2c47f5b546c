//! What gauges show besides the queues' depths. Every number costs the same at a million rows.

use super::{BadRow, Connection, StoreError};
use crate::domain::{attempt::Status, effect::Queue};

/// Counting stops here; beyond, the planner's estimate answers.
const COUNT_MAX: i64 = 10_000;

/// A queue's brakes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Brakes {
    /// The queue.
    pub queue: Queue,
    /// For how long an operator's pause has lasted; 0 without one.
    pub paused_seconds: f64,
    /// For how much longer the far side asked us to wait; 0 when it did not.
    pub held_seconds: f64,
}

/// A vendor's breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerState {
    /// The vendor.
    pub vendor: String,
    /// `closed`, `open` or `recovering`, as it is obeyed.
    pub state: String,
    /// Whether that is an operator's word.
    pub is_forced: bool,
}

/// How many attempts of each open state there are.
pub(crate) async fn open_attempts(conn: &mut Connection) -> Result<Vec<(Status, i64)>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT open.status AS "status!",
               CASE WHEN counted.attempts < $1 THEN counted.attempts
                    ELSE greatest(counted.attempts, estimate_attempts(open.status)) END AS "attempts!"
        FROM unnest('{created,ready,submitted,must_retry}'::text[]) AS open (status)
        CROSS JOIN LATERAL (
            SELECT count(*) AS attempts FROM (
                SELECT FROM attempts
                WHERE attempts.status = open.status
                LIMIT $1) AS few
        ) AS counted
        "#,
        COUNT_MAX,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let status = Status::parse(&row.status).ok_or(BadRow { table: "attempts", column: "status" })?;
            Ok((status, row.attempts))
        })
        .collect()
}

/// How many items the running bulk retries have before them.
pub(crate) async fn retries_left(conn: &mut Connection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT coalesce(sum(total - retried - skipped), 0)::bigint AS "left!" FROM retries WHERE status = 'running'"#
    )
    .fetch_one(conn)
    .await?)
}

/// How old the oldest transaction of this database is that keeps dead rows from being cleared away; 0 without one.
pub(crate) async fn oldest_transaction_seconds(conn: &mut Connection) -> Result<f64, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"
        SELECT coalesce(max(greatest(extract(epoch FROM now() - xact_start), 0)), 0)::float8 AS "seconds!"
        FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
          AND backend_type = 'client backend' AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)
        "#
    )
    .fetch_one(conn)
    .await?)
}

/// The brakes of each queue.
pub(crate) async fn brakes(conn: &mut Connection) -> Result<Vec<Brakes>, StoreError> {
    let names: Vec<String> = Queue::ALL.iter().map(|queue| queue.as_str().to_owned()).collect();
    let rows = sqlx::query!(
        r#"
        SELECT known.queue AS "queue!",
               coalesce(greatest(extract(epoch FROM now() - paused_at), 0), 0)::float8 AS "paused_seconds!",
               coalesce(greatest(extract(epoch FROM held_until - now()), 0), 0)::float8 AS "held_seconds!"
        FROM unnest($1::text[]) AS known (queue)
        LEFT JOIN queue_controls ON queue_controls.queue = known.queue
        "#,
        &names,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .iter()
        .filter_map(|row| {
            let (paused_seconds, held_seconds) = (row.paused_seconds, row.held_seconds);
            Queue::parse(&row.queue).map(|queue| Brakes { queue, paused_seconds, held_seconds })
        })
        .collect())
}

/// The breaker of each vendor.
pub(crate) async fn breakers(conn: &mut Connection) -> Result<Vec<BreakerState>, StoreError> {
    Ok(sqlx::query_as!(
        BreakerState,
        r#"
        SELECT vendor, CASE WHEN state = 'recovering' AND until <= now() THEN 'closed' ELSE state END AS "state!",
               forced IS NOT NULL AS "is_forced!"
        FROM breakers ORDER BY vendor LIMIT 100
        "#
    )
    .fetch_all(conn)
    .await?)
}
