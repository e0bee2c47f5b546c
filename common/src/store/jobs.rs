//! The ledger: the rows of jobs, and the statements that move them. What people read of it is in `job_views`.
//!
//! Only the database's clock counts here. A statement that acts on a job names its generation, so that a
//! worker whose lease has passed to another can't touch it.
//!
//! A statement over many jobs leaves its plan no choice, for a plan that was made while the ledger was empty is kept
//! while a million jobs come: `id = ANY` is all that an index can serve, and the rest of what a lease must match is
//! looked up in a hashed subquery, which `IS TRUE` keeps from becoming a join.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{Connection, StoreError};
use crate::domain::{effect::Queue, failure::Signature, ids::JobId};

pub(crate) use super::{
    job_births::insert,
    job_returns::{put_back, recall, take_back},
};

/// After so many deliveries without an outcome a job is dead: it kills its worker.
pub const DELIVERIES_MAX: i32 = 3;
/// The error class of a job that died so.
pub const NO_OUTCOME: &str = "no_outcome";
/// What is told of it.
pub const NO_OUTCOME_TEXT: &str = "delivered again and again without an outcome: it ends its worker";

/// A job that was handed out: what travels through Redis.
#[derive(Debug, Clone, PartialEq)]
pub struct Ticket {
    /// The job.
    pub id: JobId,
    /// Which handing-out of it.
    pub generation: i32,
    /// Its kind, which sets how long it may run.
    pub kind: String,
    /// For how long it had been due.
    pub overdue_seconds: f64,
    /// Where it was lost, when it had been handed out before: nobody claimed it (`dispatched`), or whoever did
    /// never ended (`running`).
    pub lost: Option<&'static str>,
}

/// A job that a worker claimed and may act on.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedJob {
    /// The right to act.
    pub lease: Lease,
    /// Its kind.
    pub kind: String,
    /// Its arguments, with their version.
    pub args: Value,
    /// Deliveries without an outcome, this one included.
    pub deliveries: i32,
    /// Failed tries so far.
    pub failures: i32,
    /// The attempt that it serves.
    pub subject: Option<Uuid>,
    /// When it was claimed, by the database's clock.
    pub claimed_at: DateTime<Utc>,
    /// For how long it was due before it was claimed.
    pub waited_seconds: f64,
    /// The trace that it belongs to, as a W3C `traceparent`.
    pub trace: Option<String>,
}

/// The right to act on a job: as long as the row has this generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// The generation that was claimed.
    pub generation: i32,
}

/// What a failed try leaves on the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The job's kind.
    pub kind: String,
    /// Short class by which operators group failures.
    pub class: &'static str,
    /// The far side's code, such as an HTTP status; empty when there is none.
    pub code: String,
    /// What went wrong, with its causes; nothing personal.
    pub error: String,
    /// When to try again; `None`: never, the job is dead.
    pub retry_after: Option<Duration>,
}

/// Longest error text that a job keeps, in bytes.
pub const ERROR_BYTES_MAX: usize = 2048;

/// What a handing-out did.
#[derive(Debug, Default, PartialEq)]
pub struct HandedOut {
    /// The jobs to put on the queue's list.
    pub tickets: Vec<Ticket>,
    /// How many jobs died because they had been delivered too often without an outcome.
    pub buried: u64,
}

/// Hands out up to `limit` due jobs of a queue: each moves its deadline by `window` and its generation by 1.
/// From a queue with a brake only when the brakes are locked, and `limit` is what they allow.
pub(crate) async fn hand_out(
    conn: &mut Connection,
    queue: Queue,
    limit: i64,
    window: Duration,
    are_brakes_locked: bool,
) -> Result<HandedOut, StoreError> {
    let rows = sqlx::query!(
        r#"
        WITH due AS (
            SELECT id, deliveries, phase FROM jobs
            WHERE queue = $1 AND dead_at IS NULL AND due_at <= now()
              AND ($7 OR NOT EXISTS (
                  SELECT 1 FROM queue_controls AS brake
                  WHERE brake.queue = $1 AND (paused_at IS NOT NULL OR held_until > now() OR rate_limit IS NOT NULL)
                  UNION ALL
                  SELECT 1 FROM breakers AS brake WHERE brake.queue = $1 AND state <> 'closed'))
            ORDER BY due_at
            LIMIT $2
            FOR UPDATE SKIP LOCKED
        ), buried AS (
            UPDATE jobs SET dead_at = now(), failed_at = now(), phase = 'waiting', error_class = $4, error_code = '',
                   last_error = $6,
                   fingerprint = left(encode(sha256(convert_to(concat_ws(chr(31), jobs.kind, $4::text, '', $6::text), 'UTF8')), 'hex'), 16)
            WHERE id = ANY (ARRAY(SELECT id FROM due WHERE due.deliveries >= $5))
            RETURNING jobs.*
        ), told AS (
            INSERT INTO job_runs (subject, job_id, queue, kind, queued_at, ready_at, claimed_at, ended_at, outcome, error_class, error, trace)
            SELECT subject, id, queue, kind, created_at, ready_at, claimed_at, now(), 'dead', error_class, last_error, trace
            FROM buried WHERE subject IS NOT NULL
        ), grouped AS (
            INSERT INTO error_groups (fingerprint, queue, kind, error_class, error_code, message)
            SELECT DISTINCT fingerprint, queue, kind, error_class, error_code, last_error FROM buried
            ON CONFLICT DO NOTHING
        ), handed AS (
            UPDATE jobs SET due_at = now() + make_interval(secs => $3), ready_at = due_at,
                   generation = generation + 1, phase = 'dispatched'
            WHERE id = ANY (ARRAY(SELECT id FROM due WHERE due.deliveries < $5))
            RETURNING id, generation, kind, extract(epoch FROM now() - ready_at)::float8 AS overdue
        )
        SELECT id AS "id!", 'handed' AS "is!", generation AS "generation!", kind AS "kind!", overdue AS "overdue!" FROM handed
        UNION ALL
        SELECT id, 'buried', generation, kind, 0 FROM buried
        UNION ALL
        SELECT id, phase, 0, '', 0 FROM due WHERE phase <> 'waiting'
        "#,
        queue.as_str(),
        limit,
        window.as_secs_f64(),
        NO_OUTCOME,
        DELIVERIES_MAX,
        NO_OUTCOME_TEXT,
        are_brakes_locked,
    )
    .fetch_all(conn)
    .await?;
    let lost_in = |phase| rows.iter().filter(move |row| row.is == phase).map(move |row| (row.id, phase));
    let lost: HashMap<i64, &str> = lost_in("dispatched").chain(lost_in("running")).collect();
    let mut out = HandedOut::default();
    for row in rows {
        match row.is.as_str() {
            "handed" => out.tickets.push(Ticket {
                id: JobId(row.id),
                generation: row.generation,
                kind: row.kind,
                overdue_seconds: row.overdue,
                lost: lost.get(&row.id).copied(),
            }),
            "buried" => out.buried += 1,
            _ => {}
        }
    }
    Ok(out)
}

/// Claims handed-out jobs of a queue before they are worked on. What others have by now is not returned, nor what a
/// brake stops since it was handed out: that is due again, in its old place.
pub(crate) async fn claim(
    conn: &mut Connection,
    queue: Queue,
    leases: &[Lease],
    window: Duration,
) -> Result<Vec<ClaimedJob>, StoreError> {
    let (ids, generations) = columns(leases);
    let rows = sqlx::query!(
        r#"
        WITH held AS (
            SELECT 1 FROM queue_controls WHERE queue = $4 AND (paused_at IS NOT NULL OR held_until > now())
        ), breaker AS (
            SELECT probe FROM breakers WHERE queue = $4 AND state = 'open'
        ), brake AS MATERIALIZED (
            SELECT EXISTS (SELECT FROM held) OR EXISTS (SELECT FROM breaker) AS stops,
                   (SELECT probe FROM breaker WHERE NOT EXISTS (SELECT FROM held)) AS spared
        )
        UPDATE jobs
        SET due_at = CASE WHEN stops AND spared IS DISTINCT FROM id THEN coalesce(ready_at, now())
                          ELSE now() + make_interval(secs => $3) END,
            phase = CASE WHEN stops AND spared IS DISTINCT FROM id THEN 'waiting' ELSE 'running' END,
            deliveries = CASE WHEN stops AND spared IS DISTINCT FROM id THEN deliveries ELSE deliveries + 1 END,
            claimed_at = CASE WHEN stops AND spared IS DISTINCT FROM id THEN claimed_at ELSE now() END
        FROM brake
        WHERE id = ANY ($1::bigint[])
          AND ((id, generation, queue, phase) IN (
              SELECT id, generation, $4, 'dispatched' FROM unnest($1::bigint[], $2::int[]) AS lease (id, generation))) IS TRUE
        RETURNING id, generation, kind, args, deliveries, failures, subject, trace,
                  CASE WHEN phase = 'running' THEN claimed_at END AS claimed_at,
                  coalesce(greatest(extract(epoch FROM now() - ready_at), 0), 0)::float8 AS "waited_seconds!"
        "#,
        &ids,
        &generations,
        window.as_secs_f64(),
        queue.as_str(),
    )
    .fetch_all(conn)
    .await?;
    let claimed = rows.into_iter().filter_map(|row| {
        Some(ClaimedJob {
            claimed_at: row.claimed_at?,
            lease: Lease { job: JobId(row.id), generation: row.generation },
            kind: row.kind,
            args: row.args,
            deliveries: row.deliveries,
            failures: row.failures,
            subject: row.subject,
            waited_seconds: row.waited_seconds,
            trace: row.trace,
        })
    });
    Ok(claimed.collect())
}

/// Renews claims for another `lease` each, but not beyond what each job may run from its claim. A job whose row is locked is
/// being settled, and holds up the others' claims no longer than itself.
pub(crate) async fn renew(conn: &mut Connection, held: &[(Lease, Duration)], lease: Duration) -> Result<u64, StoreError> {
    let leases: Vec<Lease> = held.iter().map(|(lease, _)| *lease).collect();
    let (ids, generations) = columns(&leases);
    let windows: Vec<f64> = held.iter().map(|(_, window)| window.as_secs_f64()).collect();
    let done = sqlx::query!(
        r#"
        UPDATE jobs SET due_at = least(now() + make_interval(secs => $4), claimed_at + make_interval(secs => seconds))
        FROM unnest($1::bigint[], $2::int[], $3::float8[]) AS held (id, generation, seconds)
        WHERE jobs.id = ANY (ARRAY(SELECT id FROM jobs WHERE id = ANY ($1::bigint[]) FOR UPDATE SKIP LOCKED))
          AND jobs.id = held.id AND jobs.generation = held.generation AND phase = 'running' AND dead_at IS NULL
        "#,
        &ids,
        &generations,
        &windows,
        lease.as_secs_f64(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Deletes jobs whose work is done, and keeps the story of each try. What is not returned is somebody else's by now.
pub(crate) async fn delete(conn: &mut Connection, leases: &[Lease]) -> Result<Vec<Lease>, StoreError> {
    let (ids, generations) = columns(leases);
    let gone = sqlx::query!(
        r#"
        WITH gone AS (
            DELETE FROM jobs
            WHERE id = ANY ($1::bigint[])
              AND ((id, generation, dead_at IS NULL) IN (
                  SELECT id, generation, true FROM unnest($1::bigint[], $2::int[]) AS lease (id, generation))) IS TRUE
            RETURNING *
        ), told AS (
            INSERT INTO job_runs (subject, job_id, queue, kind, queued_at, ready_at, claimed_at, ended_at, outcome, trace)
            SELECT subject, id, queue, kind, created_at, ready_at, claimed_at, clock_timestamp(), 'done', trace
            FROM gone WHERE subject IS NOT NULL
        )
        SELECT id, generation FROM gone
        "#,
        &ids,
        &generations,
    )
    .fetch_all(conn)
    .await?;
    Ok(gone.into_iter().map(|row| Lease { job: JobId(row.id), generation: row.generation }).collect())
}

/// Locks a job for the rest of the transaction; `false` when it is somebody else's by now.
pub(crate) async fn hold(conn: &mut Connection, lease: Lease) -> Result<bool, StoreError> {
    let row = sqlx::query_scalar!(
        "SELECT id FROM jobs WHERE id = $1 AND generation = $2 AND dead_at IS NULL FOR UPDATE",
        lease.job.0,
        lease.generation
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}

/// Records a failed try and keeps its story: a later one follows, or the job is dead. One that is not counted
/// costs the job no try. Recorded again, as when nobody heard that it was, it changes nothing: only a job that runs
/// fails, or one that has just been put off because nobody knew it.
pub(crate) async fn fail(conn: &mut Connection, lease: Lease, failure: &Failure, is_counted: bool) -> Result<bool, StoreError> {
    let error = shorten(&failure.error, ERROR_BYTES_MAX);
    let signature = Signature::of(&failure.kind, failure.class, &failure.code, error);
    let recorded = sqlx::query_scalar!(
        r#"
        WITH failed AS (
            UPDATE jobs SET failures = failures + $9::boolean::int, deliveries = 0, phase = 'waiting', failed_at = clock_timestamp(),
                   error_class = $3, error_code = $6, unknown_since = NULL, last_error = $4, fingerprint = $7,
                   due_at = now() + make_interval(secs => coalesce($5::float8, 0)),
                   dead_at = CASE WHEN $5::float8 IS NULL THEN now() ELSE NULL END
            WHERE id = $1 AND generation = $2 AND dead_at IS NULL AND (phase = 'running' OR unknown_since IS NOT NULL)
            RETURNING *
        ), told AS (
            INSERT INTO job_runs (subject, job_id, queue, kind, queued_at, ready_at, claimed_at, ended_at,
                                  outcome, error_class, error_code, error, trace)
            SELECT subject, id, queue, kind, created_at, ready_at, claimed_at, failed_at,
                   CASE WHEN dead_at IS NULL THEN 'retried' ELSE 'dead' END, error_class, error_code, last_error, trace
            FROM failed WHERE subject IS NOT NULL
        ), grouped AS (
            INSERT INTO error_groups (fingerprint, queue, kind, error_class, error_code, message)
            SELECT fingerprint, queue, kind, error_class, error_code, $8 FROM failed
            ON CONFLICT DO NOTHING
        )
        SELECT count(*) AS "count!" FROM failed
        "#,
        lease.job.0,
        lease.generation,
        failure.class,
        error,
        failure.retry_after.map(|delay| delay.as_secs_f64()),
        failure.code,
        signature.fingerprint,
        signature.message,
        is_counted,
    )
    .fetch_one(conn)
    .await?;
    Ok(recorded == 1)
}

/// Puts a claimed job off that nobody here knows: longer the longer nobody does, from a second to half a minute. The
/// delivery does not count. For how long it has been unknown; `None` when it is somebody else's by now.
pub(crate) async fn put_off_unknown(conn: &mut Connection, lease: Lease) -> Result<Option<Duration>, StoreError> {
    let waited = sqlx::query_scalar!(
        r#"
        UPDATE jobs SET unknown_since = coalesce(unknown_since, now()), phase = 'waiting', deliveries = greatest(deliveries - 1, 0),
               due_at = now() + least(greatest((now() - unknown_since) / 4, interval '1 second'), interval '30 seconds')
        WHERE id = $1 AND generation = $2 AND phase = 'running' AND dead_at IS NULL
        RETURNING extract(epoch FROM now() - unknown_since)::float8 AS "waited!"
        "#,
        lease.job.0,
        lease.generation
    )
    .fetch_optional(conn)
    .await?;
    Ok(waited.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default()))
}

/// Whether a job was made less than so long ago; `false` when it is gone.
pub(crate) async fn is_younger_than(conn: &mut Connection, id: JobId, age: Duration) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM jobs WHERE id = $1 AND created_at > now() - make_interval(secs => $2)) AS "young!""#,
        id.0,
        age.as_secs_f64()
    )
    .fetch_one(conn)
    .await?)
}

pub(super) fn columns(leases: &[Lease]) -> (Vec<i64>, Vec<i32>) {
    leases.iter().map(|lease| (lease.job.0, lease.generation)).unzip()
}

/// The first `bytes_max` bytes of a text, cut between characters.
#[must_use]
pub fn shorten(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}
