//! The ledger: the rows of jobs, and the statements that move them. What people read of it is in `job_views`.
//!
//! Only the database's clock counts here. A statement that acts on a job names its generation, so that a
//! worker whose lease has passed to another can't touch it.

use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::{Connection, StoreError};
use crate::domain::{
    effect::{Queue, Start, Wish},
    ids::{JobId, ReceiptId},
};

/// After so many deliveries without an outcome a job is dead: it kills its worker.
pub const DELIVERIES_MAX: i32 = 3;
/// The error class of a job that died so.
pub const NO_OUTCOME: &str = "no_outcome";

/// A job that was handed out: what travels through Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The job.
    pub id: JobId,
    /// Which handing-out of it.
    pub generation: i32,
    /// Its kind, which sets the run window at the claim.
    pub kind: String,
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
    /// Short class by which operators group failures.
    pub class: &'static str,
    /// What went wrong, with its causes; nothing personal.
    pub error: String,
    /// When to try again; `None`: never, the job is dead.
    pub retry_after: Option<Duration>,
}

/// Longest error text that a job keeps, in bytes.
pub const ERROR_BYTES_MAX: usize = 2048;

/// Writes the job of each wish; part of the transaction that makes them necessary.
pub(crate) async fn insert(conn: &mut Connection, wishes: &[Wish], subject: Option<ReceiptId>) -> Result<(), StoreError> {
    if wishes.is_empty() {
        return Ok(());
    }
    let (mut queues, mut kinds, mut args) = (Vec::new(), Vec::new(), Vec::new());
    let (mut delays, mut classes, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for wish in wishes {
        queues.push(wish.effect.queue().as_str().to_owned());
        kinds.push(wish.effect.kind().to_owned());
        args.push(wish.effect.to_args());
        let (delay, class, error) = match &wish.start {
            Start::Now => (0.0, None, None),
            Start::After(delay) => (delay.as_secs_f64(), None, None),
            Start::ByOperator { class, error } => (0.0, Some((*class).to_owned()), Some(error.clone())),
        };
        delays.push(delay);
        classes.push(class);
        errors.push(error);
    }
    sqlx::query!(
        r#"
        INSERT INTO jobs (queue, kind, args, due_at, error_class, last_error, dead_at, subject)
        SELECT queue, kind, args, now() + make_interval(secs => delay), class, error,
               CASE WHEN class IS NULL THEN NULL ELSE now() END, $7
        FROM unnest($1::text[], $2::text[], $3::jsonb[], $4::float8[], $5::text[], $6::text[])
             AS wish (queue, kind, args, delay, class, error)
        "#,
        &queues,
        &kinds,
        &args,
        &delays,
        &classes as &[Option<String>],
        &errors as &[Option<String>],
        subject.map(|receipt| receipt.0),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Which of `queues` have a job that is due and are not held back.
pub(crate) async fn queues_with_due(conn: &mut Connection, queues: &[Queue]) -> Result<Vec<Queue>, StoreError> {
    let names: Vec<String> = queues.iter().map(|queue| queue.as_str().to_owned()).collect();
    let rows = sqlx::query_scalar!(
        r#"
        SELECT wanted.queue AS "queue!"
        FROM unnest($1::text[]) AS wanted (queue)
        WHERE EXISTS (SELECT 1 FROM jobs WHERE jobs.queue = wanted.queue AND dead_at IS NULL AND due_at <= now())
          AND NOT EXISTS (
              SELECT 1 FROM queue_controls
              WHERE queue_controls.queue = wanted.queue AND held_until > now())
        "#,
        &names,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.iter().filter_map(|name| Queue::parse(name)).collect())
}

/// What a handing-out did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct HandedOut {
    /// The jobs to put on the queue's list.
    pub tickets: Vec<Ticket>,
    /// How many jobs died because they had been delivered too often without an outcome.
    pub buried: u64,
}

/// Hands out up to `limit` due jobs of a queue: each moves its deadline by `window` and its generation by 1.
pub(crate) async fn hand_out(conn: &mut Connection, queue: Queue, limit: i64, window: Duration) -> Result<HandedOut, StoreError> {
    let rows = sqlx::query!(
        r#"
        WITH due AS (
            SELECT id, deliveries FROM jobs
            WHERE queue = $1 AND dead_at IS NULL AND due_at <= now()
            ORDER BY due_at
            LIMIT $2
            FOR UPDATE SKIP LOCKED
        ), buried AS (
            UPDATE jobs SET dead_at = now(), phase = 'waiting', error_class = $4,
                   last_error = coalesce(last_error, 'delivered ' || due.deliveries || ' times without an outcome')
            FROM due WHERE jobs.id = due.id AND due.deliveries >= $5
            RETURNING jobs.id, jobs.generation, jobs.kind
        ), handed AS (
            UPDATE jobs SET due_at = now() + make_interval(secs => $3), generation = jobs.generation + 1, phase = 'dispatched'
            FROM due WHERE jobs.id = due.id AND due.deliveries < $5
            RETURNING jobs.id, jobs.generation, jobs.kind
        )
        SELECT id AS "id!", generation AS "generation!", kind AS "kind!", true AS "is_handed!" FROM handed
        UNION ALL
        SELECT id, generation, kind, false FROM buried
        "#,
        queue.as_str(),
        limit,
        window.as_secs_f64(),
        NO_OUTCOME,
        DELIVERIES_MAX,
    )
    .fetch_all(conn)
    .await?;
    let mut out = HandedOut::default();
    for row in rows {
        if row.is_handed {
            out.tickets.push(Ticket { id: JobId(row.id), generation: row.generation, kind: row.kind });
        } else {
            out.buried += 1;
        }
    }
    Ok(out)
}

/// Takes back what was handed out but reached nobody: due again at once.
pub(crate) async fn take_back(conn: &mut Connection, leases: &[Lease]) -> Result<u64, StoreError> {
    let (ids, generations) = columns(leases);
    let done = sqlx::query!(
        r#"
        UPDATE jobs SET due_at = now(), phase = 'waiting'
        FROM unnest($1::bigint[], $2::int[]) AS ticket (id, generation)
        WHERE jobs.id = ticket.id AND jobs.generation = ticket.generation AND phase = 'dispatched'
        "#,
        &ids,
        &generations,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Claims handed-out jobs before they are worked on. What others have by now is not returned, nor what is
/// held back since it was handed out: that falls due again by itself.
pub(crate) async fn claim(conn: &mut Connection, tickets: &[(Lease, Duration)]) -> Result<Vec<ClaimedJob>, StoreError> {
    let leases: Vec<Lease> = tickets.iter().map(|(lease, _)| *lease).collect();
    let (ids, generations) = columns(&leases);
    let windows: Vec<f64> = tickets.iter().map(|(_, window)| window.as_secs_f64()).collect();
    let rows = sqlx::query!(
        r#"
        UPDATE jobs SET due_at = now() + make_interval(secs => ticket.seconds), deliveries = deliveries + 1, phase = 'running'
        FROM unnest($1::bigint[], $2::int[], $3::float8[]) AS ticket (id, generation, seconds)
        WHERE jobs.id = ticket.id AND jobs.generation = ticket.generation
          AND phase = 'dispatched' AND dead_at IS NULL
          AND NOT EXISTS (SELECT 1 FROM queue_controls WHERE queue_controls.queue = jobs.queue AND held_until > now())
        RETURNING jobs.id, jobs.generation, kind, args, deliveries, failures, subject
        "#,
        &ids,
        &generations,
        &windows,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ClaimedJob {
            lease: Lease { job: JobId(row.id), generation: row.generation },
            kind: row.kind,
            args: row.args,
            deliveries: row.deliveries,
            failures: row.failures,
            subject: row.subject,
        })
        .collect())
}

/// Deletes a job whose work is done; `false` when it is somebody else's by now.
pub(crate) async fn delete(conn: &mut Connection, lease: Lease) -> Result<bool, StoreError> {
    let done =
        sqlx::query!("DELETE FROM jobs WHERE id = $1 AND generation = $2 AND dead_at IS NULL", lease.job.0, lease.generation)
            .execute(conn)
            .await?;
    Ok(done.rows_affected() == 1)
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

/// Records a failed try: a later one follows, or the job is dead.
pub(crate) async fn fail(conn: &mut Connection, lease: Lease, failure: &Failure) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        r#"
        UPDATE jobs SET failures = failures + 1, deliveries = 0, phase = 'waiting', error_class = $3, last_error = $4,
               due_at = now() + make_interval(secs => coalesce($5::float8, 0)),
               dead_at = CASE WHEN $5::float8 IS NULL THEN now() ELSE NULL END
        WHERE id = $1 AND generation = $2 AND dead_at IS NULL
        "#,
        lease.job.0,
        lease.generation,
        failure.class,
        shorten(&failure.error, ERROR_BYTES_MAX),
        failure.retry_after.map(|delay| delay.as_secs_f64()),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts a claimed job back for others after `delay`. Its delivery counts when `is_counted`, so that a job
/// that nobody can run does not circle for ever.
pub(crate) async fn put_back(
    conn: &mut Connection,
    leases: &[Lease],
    delay: Duration,
    is_counted: bool,
) -> Result<u64, StoreError> {
    let (ids, generations) = columns(leases);
    let done = sqlx::query!(
        r#"
        UPDATE jobs SET due_at = now() + make_interval(secs => $3), phase = 'waiting',
               deliveries = CASE WHEN $4 THEN deliveries ELSE greatest(deliveries - 1, 0) END
        FROM unnest($1::bigint[], $2::int[]) AS ticket (id, generation)
        WHERE jobs.id = ticket.id AND jobs.generation = ticket.generation AND phase = 'running' AND dead_at IS NULL
        "#,
        &ids,
        &generations,
        delay.as_secs_f64(),
        is_counted,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

fn columns(leases: &[Lease]) -> (Vec<i64>, Vec<i32>) {
    leases.iter().map(|lease| (lease.job.0, lease.generation)).unzip()
}

/// The first `bytes_max` bytes of a text, cut between characters.
#[must_use]
pub fn shorten(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}
