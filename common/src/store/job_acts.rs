//! What operators do to jobs: set going again, made anew, taken away.

use std::{collections::HashMap, time::Duration};

use serde_json::Value;
use uuid::Uuid;

use super::{BadRow, Connection, StoreError, error::must_touch_one, jobs::Lease};
use crate::domain::{
    attempt::retry::{JobState, OpenJob},
    effect::Effect,
    ids::{JobId, ReceiptId},
};

/// A job that is locked for the rest of the transaction.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LockedJob {
    pub(crate) queue: String,
    pub(crate) kind: String,
    pub(crate) args: Value,
    pub(crate) subject: Option<ReceiptId>,
    pub(crate) state: JobState,
}

/// Finds a job and locks it; waits for whoever has it.
pub(crate) async fn find_and_lock(conn: &mut Connection, id: JobId) -> Result<Option<LockedJob>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT queue, kind, args, subject,
               CASE WHEN dead_at IS NOT NULL THEN 'dead'
                    WHEN due_at <= now() THEN 'due'
                    WHEN phase = 'waiting' THEN 'scheduled'
                    ELSE 'running' END AS "state!"
        FROM jobs WHERE id = $1
        FOR UPDATE
        "#,
        id.0
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let state = state_of(&row.state)?;
        Ok(LockedJob { queue: row.queue, kind: row.kind, args: row.args, subject: row.subject.map(ReceiptId), state })
    })
    .transpose()
}

/// Finds the jobs of attempts and locks them. What another has locked is busy; nobody is waited for, since
/// whoever has a job may wait for its attempt.
pub(crate) async fn lock_of_attempts(
    conn: &mut Connection,
    receipts: &[Uuid],
) -> Result<HashMap<ReceiptId, Vec<OpenJob>>, StoreError> {
    let rows = sqlx::query!(
        r#"
        WITH mine AS MATERIALIZED (
            SELECT id, subject, kind, dead_at, due_at, phase FROM jobs WHERE subject = ANY ($1) FOR UPDATE SKIP LOCKED
        )
        SELECT id AS "id!", subject AS "subject!", kind AS "kind!",
               CASE WHEN dead_at IS NOT NULL THEN 'dead'
                    WHEN due_at <= now() THEN 'due'
                    WHEN phase = 'waiting' THEN 'scheduled'
                    ELSE 'running' END AS "state!"
        FROM mine
        UNION ALL
        SELECT id, subject, kind, 'running' FROM jobs
        WHERE subject = ANY ($1) AND NOT EXISTS (SELECT 1 FROM mine WHERE mine.id = jobs.id)
        ORDER BY 1
        "#,
        receipts
    )
    .fetch_all(conn)
    .await?;
    let mut found: HashMap<ReceiptId, Vec<OpenJob>> = HashMap::new();
    for row in rows {
        let job = OpenJob { id: JobId(row.id), kind: row.kind, state: state_of(&row.state)? };
        found.entry(ReceiptId(row.subject)).or_default().push(job);
    }
    Ok(found)
}

/// What is left of an attempt's jobs of one kind after [`withdraw_tried`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// None.
    Nothing,
    /// One that nobody has claimed yet.
    Untried,
    /// One that a worker has just now.
    InHand,
}

/// Takes an attempt's jobs of that kind away that were claimed before, dead or alive, but for what a worker has just
/// now. Nobody is waited for, since whoever has a job may wait for its attempt.
pub(crate) async fn withdraw_tried(conn: &mut Connection, receipt: ReceiptId, kind: &str) -> Result<Left, StoreError> {
    let left = sqlx::query!(
        r#"
        WITH mine AS MATERIALIZED (
            SELECT id FROM jobs
            WHERE subject = $1 AND kind = $2 AND claimed_at IS NOT NULL
              AND NOT (phase = 'running' AND dead_at IS NULL AND due_at > now())
            FOR UPDATE SKIP LOCKED
        ), gone AS (
            DELETE FROM jobs USING mine WHERE jobs.id = mine.id
        )
        SELECT coalesce(bool_or(claimed_at IS NULL), false) AS "has_untried!",
               coalesce(bool_or(claimed_at IS NOT NULL), false) AS "has_held!"
        FROM jobs WHERE subject = $1 AND kind = $2 AND id NOT IN (SELECT id FROM mine)
        "#,
        receipt.0,
        kind
    )
    .fetch_one(conn)
    .await?;
    Ok(match (left.has_held, left.has_untried) {
        (true, _) => Left::InHand,
        (false, true) => Left::Untried,
        (false, false) => Left::Nothing,
    })
}

/// Which jobs are set going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// Dead ones.
    Dead,
    /// Dead ones, and those that wait for a time that is to come.
    DeadAndScheduled,
}

/// Sets jobs going at once, as if they had never failed; which they were, and whom they serve.
///
/// Their generation rises, so that whoever held one before can't touch it any more.
pub(crate) async fn revive(
    conn: &mut Connection,
    ids: &[i64],
    which: Which,
) -> Result<Vec<(JobId, Option<ReceiptId>)>, StoreError> {
    let rows = sqlx::query!(
        r#"
        UPDATE jobs SET due_at = now(), failures = 0, deliveries = 0, unknown_since = NULL, dead_at = NULL, phase = 'waiting',
               generation = generation + 1
        WHERE id = ANY ($1) AND (dead_at IS NOT NULL OR ($2 AND phase = 'waiting' AND due_at > now()))
        RETURNING id, subject
        "#,
        ids,
        which == Which::DeadAndScheduled
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (JobId(row.id), row.subject.map(ReceiptId))).collect())
}

/// Writes a job for each of several attempts, in the attempt's trace; their numbers, in the same order.
pub(crate) async fn insert_each(conn: &mut Connection, new: &[(ReceiptId, Effect)]) -> Result<Vec<JobId>, StoreError> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let subjects: Vec<Uuid> = new.iter().map(|(receipt, _)| receipt.0).collect();
    let queues: Vec<String> = new.iter().map(|(_, effect)| effect.queue().as_str().to_owned()).collect();
    let kinds: Vec<String> = new.iter().map(|(_, effect)| effect.kind().to_owned()).collect();
    let args: Vec<Value> = new.iter().map(|(_, effect)| effect.to_args()).collect();
    let ids = sqlx::query_scalar!(
        r#"
        INSERT INTO jobs (subject, queue, kind, args, trace)
        SELECT subject, queue, kind, args, attempts.trace
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[])
            WITH ORDINALITY AS new (subject, queue, kind, args, position)
        JOIN attempts ON receipt_id = subject
        ORDER BY position
        RETURNING id
        "#,
        &subjects,
        &queues,
        &kinds,
        &args,
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(JobId).collect())
}

/// Takes away what a decision by hand makes obsolete: the way to the vendor, and mails that would tell of another
/// verdict. What runs is left to find out by itself; how many went.
pub(crate) async fn remove_obsolete(conn: &mut Connection, receipt: ReceiptId) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        r#"
        DELETE FROM jobs WHERE id IN (
            SELECT id FROM jobs
            WHERE subject = $1 AND (dead_at IS NOT NULL OR phase = 'waiting')
              AND (kind IN ('prepare_photos', 'submit_to_vendor')
                   OR (kind = 'send_email'
                       AND (args ->> 'template' IN ('approved', 'denied') OR args -> 'template' ? 'reverification_status')))
            FOR UPDATE SKIP LOCKED)
        "#,
        receipt.0
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Takes a dead job away.
pub(crate) async fn remove_dead(conn: &mut Connection, id: JobId) -> Result<(), StoreError> {
    let done = sqlx::query!("DELETE FROM jobs WHERE id = $1 AND dead_at IS NOT NULL", id.0).execute(conn).await?;
    must_touch_one("jobs", done.rows_affected())
}

/// Puts a claimed job that goes on in steps back for its next one: due `interval` after this one was due, so that the
/// rate holds however long a step takes. What is more than a second late is not made up for.
pub(crate) async fn put_back_for_next(conn: &mut Connection, lease: Lease, interval: Duration) -> Result<(), StoreError> {
    let done = sqlx::query!(
        r#"
        UPDATE jobs SET due_at = greatest(coalesce(ready_at, now()) + make_interval(secs => $3), now() - interval '1 second'),
               phase = 'waiting', deliveries = 0, failures = 0
        WHERE id = $1 AND generation = $2 AND dead_at IS NULL
        "#,
        lease.job.0,
        lease.generation,
        interval.as_secs_f64(),
    )
    .execute(conn)
    .await?;
    must_touch_one("jobs", done.rows_affected())
}

fn state_of(text: &str) -> Result<JobState, BadRow> {
    JobState::parse(text).ok_or(BadRow { table: "jobs", column: "phase" })
}
