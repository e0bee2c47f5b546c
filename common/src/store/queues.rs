//! Brakes on queues, which every relay honours: a pause and a limit by an operator, a hold by the far side.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Connection, StoreError};
use crate::domain::{
    breaker::{RECOVERY_DOUBLINGS_MAX, RECOVERY_RATE, RECOVERY_STEP},
    bucket::Bucket,
    effect::Queue,
    operator::Order,
};

/// The brakes of a queue.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueControl {
    /// The queue.
    pub queue: Queue,
    /// When an operator paused it, if one did.
    pub paused_at: Option<DateTime<Utc>>,
    /// Who did.
    pub paused_by: Option<String>,
    /// Why.
    pub paused_reason: String,
    /// Until when the far side wants to be left alone.
    pub held_until: Option<DateTime<Utc>>,
    /// The class of its answer.
    pub held_reason: String,
    /// Jobs a second.
    pub rate_limit: Option<f64>,
    /// Why it is limited.
    pub limit_reason: String,
    /// What is left of the limit.
    pub bucket: Bucket,
}

impl QueueControl {
    /// A queue without brakes.
    #[must_use]
    pub const fn none(queue: Queue, now: DateTime<Utc>) -> Self {
        Self {
            queue,
            paused_at: None,
            paused_by: None,
            paused_reason: String::new(),
            held_until: None,
            held_reason: String::new(),
            rate_limit: None,
            limit_reason: String::new(),
            bucket: Bucket::empty(now),
        }
    }

    /// Whether it is held at `now`.
    #[must_use]
    pub fn is_held(&self, now: DateTime<Utc>) -> bool {
        self.held_until.is_some_and(|until| until > now)
    }

    /// How many jobs may go at `now`; `None`: as many as there are.
    #[must_use]
    pub fn allowance(&self, now: DateTime<Utc>) -> Option<i64> {
        if self.paused_at.is_some() || self.is_held(now) {
            return Some(0);
        }
        self.rate_limit.map(|rate| self.bucket.filled(rate, now).whole())
    }
}

/// The database's clock, which alone counts for brakes.
pub(crate) async fn now(conn: &mut Connection) -> Result<DateTime<Utc>, StoreError> {
    Ok(sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(conn).await?)
}

/// The brakes of all queues that ever had one.
pub(crate) async fn list(conn: &mut Connection) -> Result<Vec<QueueControl>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT queue, paused_at, paused_by, paused_reason, held_until, reason, rate_limit, limit_reason, tokens, filled_at
        FROM queue_controls
        "#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().filter_map(Row::read).collect())
}

/// The brakes of a queue, made if it never had one, and locked for the rest of the transaction.
pub(crate) async fn lock(conn: &mut Connection, queue: Queue) -> Result<QueueControl, StoreError> {
    sqlx::query!("INSERT INTO queue_controls (queue) VALUES ($1) ON CONFLICT DO NOTHING", queue.as_str())
        .execute(&mut *conn)
        .await?;
    let found = find_and_lock(conn, queue).await?;
    found.ok_or(StoreError::WrongCount { table: "queue_controls", touched: 0 })
}

/// The brakes of a queue, locked for the rest of the transaction; `None` when it never had one.
pub(crate) async fn find_and_lock(conn: &mut Connection, queue: Queue) -> Result<Option<QueueControl>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        r#"
        SELECT queue, paused_at, paused_by, paused_reason, held_until, reason, rate_limit, limit_reason, tokens, filled_at
        FROM queue_controls WHERE queue = $1 FOR UPDATE
        "#,
        queue.as_str(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.and_then(Row::read))
}

struct Row {
    queue: String,
    paused_at: Option<DateTime<Utc>>,
    paused_by: Option<String>,
    paused_reason: String,
    held_until: Option<DateTime<Utc>>,
    reason: String,
    rate_limit: Option<f64>,
    limit_reason: String,
    tokens: f64,
    filled_at: DateTime<Utc>,
}

impl Row {
    /// `None` for a queue that this release does not know.
    fn read(self) -> Option<QueueControl> {
        Some(QueueControl {
            queue: Queue::parse(&self.queue)?,
            paused_at: self.paused_at,
            paused_by: self.paused_by,
            paused_reason: self.paused_reason,
            held_until: self.held_until,
            held_reason: self.reason,
            rate_limit: self.rate_limit,
            limit_reason: self.limit_reason,
            bucket: Bucket { tokens: self.tokens, filled_at: self.filled_at },
        })
    }
}

/// Holds a queue back for `hold` from now, or longer if it already is; all relays of all machines obey.
pub(crate) async fn hold(conn: &mut Connection, queue: Queue, hold: Duration, reason: &str) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO queue_controls (queue, held_until, reason)
        VALUES ($1, now() + make_interval(secs => $2), $3)
        ON CONFLICT (queue) DO UPDATE
        SET held_until = greatest(queue_controls.held_until, excluded.held_until), reason = excluded.reason, updated_at = now()
        "#,
        queue.as_str(),
        hold.as_secs_f64(),
        reason,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Pauses a queue, or ends its pause (`None`).
pub(crate) async fn set_pause(conn: &mut Connection, queue: Queue, order: Option<&Order>) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        UPDATE queue_controls
        SET paused_at = CASE WHEN $2::text IS NOT NULL THEN clock_timestamp() END, paused_by = $2, paused_reason = $3,
            updated_at = now()
        WHERE queue = $1
        "#,
        queue.as_str(),
        order.map(|order| &order.actor),
        order.map_or("", |order| &order.reason),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets or lifts a queue's limit. The bucket is given with it.
pub(crate) async fn set_limit(
    conn: &mut Connection,
    queue: Queue,
    rate: Option<f64>,
    reason: &str,
    bucket: Bucket,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        UPDATE queue_controls SET rate_limit = $2, limit_reason = $3, tokens = $4, filled_at = $5, updated_at = now()
        WHERE queue = $1
        "#,
        queue.as_str(),
        rate,
        reason,
        bucket.tokens,
        bucket.filled_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes what is left of a queue's limit.
pub(crate) async fn set_bucket(conn: &mut Connection, queue: Queue, bucket: Bucket) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE queue_controls SET tokens = $2, filled_at = $3 WHERE queue = $1",
        queue.as_str(),
        bucket.tokens,
        bucket.filled_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// For how many seconds the oldest due job of `queues` has been due; 0 when none is.
pub(crate) async fn oldest_due_seconds(conn: &mut Connection, queues: &[Queue]) -> Result<f64, StoreError> {
    let names: Vec<String> = queues.iter().map(|queue| queue.as_str().to_owned()).collect();
    let seconds = sqlx::query_scalar!(
        r#"
        SELECT coalesce(max(extract(epoch FROM now() - oldest.due_at)), 0)::float8 AS "seconds!"
        FROM unnest($1::text[]) AS wanted (queue),
             LATERAL (SELECT due_at FROM jobs WHERE jobs.queue = wanted.queue AND dead_at IS NULL AND due_at <= now()
                      ORDER BY due_at LIMIT 1) AS oldest
        "#,
        &names,
    )
    .fetch_one(conn)
    .await?;
    Ok(seconds)
}

/// Which of `queues` have a job that is due and may be handed out: neither paused nor held, the breaker lets
/// one through, and the limit has something left.
pub(crate) async fn list_with_due(conn: &mut Connection, queues: &[Queue]) -> Result<Vec<Queue>, StoreError> {
    let names: Vec<String> = queues.iter().map(|queue| queue.as_str().to_owned()).collect();
    // A look only: what may go is decided where it is taken, under a lock.
    let rows = sqlx::query_scalar!(
        r#"
        SELECT wanted.queue AS "queue!"
        FROM unnest($1::text[]) AS wanted (queue)
        WHERE EXISTS (SELECT 1 FROM jobs WHERE jobs.queue = wanted.queue AND dead_at IS NULL AND due_at <= now())
          AND NOT EXISTS (
              SELECT 1 FROM queue_controls
              WHERE queue_controls.queue = wanted.queue
                AND (held_until > now() OR paused_at IS NOT NULL
                     OR tokens + greatest(extract(epoch FROM now() - filled_at), 0)::float8 * rate_limit < 1))
          AND NOT EXISTS (
              SELECT 1 FROM breakers
              WHERE breakers.queue = wanted.queue AND CASE state
                  WHEN 'open' THEN until IS NULL OR until > now()
                  WHEN 'recovering' THEN until > now()
                      AND tokens + greatest(extract(epoch FROM now() - filled_at), 0)::float8
                          * $2::float8 * power(2, least(floor(extract(epoch FROM now() - since) / $3::float8), $4::float8)) < 1
                  ELSE false END)
        "#,
        &names,
        RECOVERY_RATE,
        RECOVERY_STEP.as_seconds_f64(),
        f64::from(RECOVERY_DOUBLINGS_MAX),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.iter().filter_map(|name| Queue::parse(name)).collect())
}
