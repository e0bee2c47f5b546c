//! Breakers: one row for each far side that has one, shared by all processes, on the database's clock.

use chrono::{DateTime, Utc};

use super::{BadRow, Connection, StoreError};
use crate::domain::{
    breaker::{Breaker, Forced, State, Window},
    bucket::Bucket,
    effect::Queue,
    ids::JobId,
};

/// A breaker with the names under which it is known.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedBreaker {
    /// The far side.
    pub vendor: String,
    /// The queue that it stops.
    pub queue: String,
    /// How it stands.
    pub breaker: Breaker,
}

/// All breakers.
pub(crate) async fn list(conn: &mut Connection) -> Result<Vec<NamedBreaker>, StoreError> {
    let rows = sqlx::query_as!(
        Stored,
        r#"
        SELECT vendor, queue, state, forced, reason, since, until, openings, failures_in_row, window_from, window_calls,
               window_failures, suspects, probe, tokens, filled_at
        FROM breakers ORDER BY vendor
        "#
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Stored::read).collect()
}

/// Finds a far side's breaker and locks it for the rest of the transaction.
pub(crate) async fn find_and_lock(conn: &mut Connection, vendor: &str) -> Result<Option<NamedBreaker>, StoreError> {
    let row = sqlx::query_as!(
        Stored,
        r#"
        SELECT vendor, queue, state, forced, reason, since, until, openings, failures_in_row, window_from, window_calls,
               window_failures, suspects, probe, tokens, filled_at
        FROM breakers WHERE vendor = $1 FOR UPDATE
        "#,
        vendor
    )
    .fetch_optional(conn)
    .await?;
    row.map(Stored::read).transpose()
}

/// Finds the breaker that stops a queue and locks it for the rest of the transaction; `is_closed_too`: also
/// one that stops nothing.
pub(crate) async fn find_of_queue_and_lock(
    conn: &mut Connection,
    queue: Queue,
    is_closed_too: bool,
) -> Result<Option<NamedBreaker>, StoreError> {
    let row = sqlx::query_as!(
        Stored,
        r#"
        SELECT vendor, queue, state, forced, reason, since, until, openings, failures_in_row, window_from, window_calls,
               window_failures, suspects, probe, tokens, filled_at
        FROM breakers WHERE queue = $1 AND ($2 OR state <> 'closed') FOR UPDATE
        "#,
        queue.as_str(),
        is_closed_too,
    )
    .fetch_optional(conn)
    .await?;
    row.map(Stored::read).transpose()
}

/// Whether an answer changes more than counts: the breaker is not at rest. Costs a look, and locks nothing.
pub(crate) async fn is_at_rest(conn: &mut Connection, queue: Queue) -> Result<bool, StoreError> {
    let is_busy = sqlx::query_scalar!(
        r#"
        SELECT forced IS NULL AND (state = 'open' OR failures_in_row > 0 OR (state = 'recovering' AND until <= now())) AS "is_busy!"
        FROM breakers WHERE queue = $1
        "#,
        queue.as_str()
    )
    .fetch_optional(conn)
    .await?;
    Ok(!is_busy.unwrap_or(false))
}

/// Writes a breaker that is locked.
pub(crate) async fn save(conn: &mut Connection, named: &NamedBreaker) -> Result<(), StoreError> {
    let breaker = &named.breaker;
    let suspects: Vec<i64> = breaker.suspects.iter().map(|job| job.0).collect();
    sqlx::query!(
        r#"
        UPDATE breakers
        SET state = $2, forced = $3, reason = $4, since = $5, until = $6, openings = $7, failures_in_row = $8, window_from = $9,
            window_calls = $10, window_failures = $11, suspects = $12, probe = $13, tokens = $14, filled_at = $15,
            updated_at = now()
        WHERE vendor = $1
        "#,
        named.vendor,
        breaker.state.as_str(),
        breaker.forced.map(Forced::as_str),
        breaker.reason,
        breaker.since,
        breaker.until,
        count(breaker.openings),
        count(breaker.failures_in_row),
        breaker.window.from,
        count(breaker.window.calls),
        count(breaker.window.failures),
        &suspects,
        breaker.probe.map(|job| job.0),
        breaker.bucket.tokens,
        breaker.bucket.filled_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives jobs back the tries that an outage took, to each as many as it stands there.
pub(crate) async fn forgive(conn: &mut Connection, jobs: &[JobId]) -> Result<u64, StoreError> {
    if jobs.is_empty() {
        return Ok(0);
    }
    let ids: Vec<i64> = jobs.iter().map(|job| job.0).collect();
    let done = sqlx::query!(
        r#"
        WITH taken AS (SELECT id, count(*)::int AS tries FROM unnest($1::bigint[]) AS taken (id) GROUP BY id),
             theirs AS (SELECT id FROM jobs WHERE id = ANY($1) AND dead_at IS NULL ORDER BY id FOR UPDATE)
        UPDATE jobs SET failures = greatest(failures - tries, 0)
        FROM theirs JOIN taken ON taken.id = theirs.id
        WHERE jobs.id = theirs.id
        "#,
        &ids
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

fn count(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

struct Stored {
    vendor: String,
    queue: String,
    state: String,
    forced: Option<String>,
    reason: String,
    since: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
    openings: i32,
    failures_in_row: i32,
    window_from: DateTime<Utc>,
    window_calls: i32,
    window_failures: i32,
    suspects: Vec<i64>,
    probe: Option<i64>,
    tokens: f64,
    filled_at: DateTime<Utc>,
}

impl Stored {
    fn read(self) -> Result<NamedBreaker, StoreError> {
        let bad = |column| BadRow { table: "breakers", column };
        let count = |number: i32| u32::try_from(number).unwrap_or(0);
        let forced = self.forced.map(|word| Forced::parse(&word).ok_or_else(|| bad("forced"))).transpose()?;
        let breaker = Breaker {
            state: State::parse(&self.state).ok_or_else(|| bad("state"))?,
            forced,
            reason: self.reason,
            since: self.since,
            until: self.until,
            openings: count(self.openings),
            failures_in_row: count(self.failures_in_row),
            window: Window { from: self.window_from, calls: count(self.window_calls), failures: count(self.window_failures) },
            suspects: self.suspects.into_iter().map(JobId).collect(),
            probe: self.probe.map(JobId),
            bucket: Bucket { tokens: self.tokens, filled_at: self.filled_at },
        };
        Ok(NamedBreaker { vendor: self.vendor, queue: self.queue, breaker })
    }
}
