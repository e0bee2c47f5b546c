//! Decided attempts that still tell who they were about.

use chrono::{DateTime, Utc};

use super::{Connection, StoreError, kept_photos::Cursor};

/// Locks attempts decided before `before` whose details may go, oldest first, after `after`; not an approval
/// created at `expired_before` or later, nor one that has a job. Answers with their rows and places.
pub(crate) async fn lock_old(
    conn: &mut Connection,
    (before, expired_before): (DateTime<Utc>, DateTime<Utc>),
    after: Cursor,
    limit: i64,
) -> Result<Vec<Cursor>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT id, updated_at FROM attempts
        WHERE emptied_at IS NULL AND status IN ('approved', 'denied') AND updated_at < $1 AND (updated_at, id) > ($2, $3)
          AND (status = 'denied' OR created_at < $5)
          AND NOT EXISTS (SELECT 1 FROM jobs WHERE subject = receipt_id)
        ORDER BY updated_at, id
        LIMIT $4
        FOR UPDATE SKIP LOCKED
        "#,
        before,
        after.0,
        after.1,
        limit,
        expired_before
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.updated_at, row.id)).collect())
}

/// Empties what tells of a person in locked attempts, their events and their tries; how many attempts.
/// The mails about an approval that has expired go on: what they say is in the profile.
pub(crate) async fn empty(conn: &mut Connection, attempts: &[i64], now: DateTime<Utc>) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        r#"
        UPDATE attempts SET name = '', error_msg = '', error_code = '', trace = NULL, emptied_at = $2
        WHERE id = ANY ($1)
        "#,
        attempts,
        now
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("UPDATE attempt_events SET detail = '' WHERE attempt_id = ANY ($1) AND detail <> ''", attempts)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("DELETE FROM job_runs WHERE subject IN (SELECT receipt_id FROM attempts WHERE id = ANY ($1))", attempts)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}
