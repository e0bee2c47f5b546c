//! Bulk retries and their items. Which jobs and attempts a filter fits is in `retry_targets`.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{Connection, StoreError, error::must_touch_one};
use crate::domain::{
    ids::{JobId, ReceiptId, RetryId},
    page::Key,
};

/// A bulk retry.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// Its id.
    pub id: Uuid,
    /// `running`, `done` or `cancelled`.
    pub status: String,
    /// The filter, in one spelling.
    pub filter: Value,
    /// Items a second.
    pub rate: i32,
    /// Why.
    pub reason: String,
    /// The name of the key that started it.
    pub created_by: String,
    /// When (UTC).
    pub created_at: DateTime<Utc>,
    /// When it was done or cancelled (UTC).
    pub finished_at: Option<DateTime<Utc>>,
    /// Items in the set.
    pub total: i64,
    /// Items that were set going again.
    pub retried: i64,
    /// Items that needed it no more.
    pub skipped: i64,
}

impl Retry {
    /// Whether items are left that will be retried.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.status == "running"
    }

    /// Items whose turn has not come.
    #[must_use]
    pub const fn left(&self) -> i64 {
        self.total - self.retried - self.skipped
    }
}

/// Lets one bulk retry be started at a time, so that no two take the same job.
pub(crate) async fn lock_starts(conn: &mut Connection) -> Result<(), StoreError> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('vouch.retries'))").execute(conn).await?;
    Ok(())
}

/// The bulk retry that runs for exactly that filter.
pub(crate) async fn find_running(conn: &mut Connection, filter: &Value) -> Result<Option<Retry>, StoreError> {
    Ok(sqlx::query_as!(
        Retry,
        r#"
        SELECT id, status, filter, rate, reason, created_by, created_at, finished_at, total, retried, skipped
        FROM retries WHERE status = 'running' AND md5(filter::text) = md5($1::jsonb::text) AND filter = $1
        "#,
        filter
    )
    .fetch_optional(conn)
    .await?)
}

/// Writes a bulk retry that runs from now on; its items follow.
pub(crate) async fn insert(conn: &mut Connection, retry: &Retry) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO retries (id, status, filter, rate, reason, created_by, created_at, total)
        VALUES ($1, 'running', $2, $3, $4, $5, $6, $7)
        "#,
        retry.id,
        retry.filter,
        retry.rate,
        retry.reason,
        retry.created_by,
        retry.created_at,
        retry.total,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Says how many items a bulk retry has.
pub(crate) async fn set_total(conn: &mut Connection, id: RetryId, total: i64) -> Result<(), StoreError> {
    let done = sqlx::query!("UPDATE retries SET total = $2 WHERE id = $1", id.0, total).execute(conn).await?;
    must_touch_one("retries", done.rows_affected())
}

/// Finds a bulk retry.
pub(crate) async fn find(conn: &mut Connection, id: RetryId) -> Result<Option<Retry>, StoreError> {
    Ok(sqlx::query_as!(
        Retry,
        r#"
        SELECT id, status, filter, rate, reason, created_by, created_at, finished_at, total, retried, skipped
        FROM retries WHERE id = $1
        "#,
        id.0
    )
    .fetch_optional(conn)
    .await?)
}

/// Finds a bulk retry and locks it for the rest of the transaction.
pub(crate) async fn find_and_lock(conn: &mut Connection, id: RetryId) -> Result<Option<Retry>, StoreError> {
    Ok(sqlx::query_as!(
        Retry,
        r#"
        SELECT id, status, filter, rate, reason, created_by, created_at, finished_at, total, retried, skipped
        FROM retries WHERE id = $1
        FOR UPDATE
        "#,
        id.0
    )
    .fetch_optional(conn)
    .await?)
}

/// Bulk retries before `before` (a time and an id), newest first.
pub(crate) async fn list(
    conn: &mut Connection,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<Retry>, StoreError> {
    let (at, id) = before.unwrap_or((Key::LAST.at, Uuid::max()));
    // A time beyond what the database can hold would be refused.
    let at = at.min(Key::LAST.at);
    Ok(sqlx::query_as!(
        Retry,
        r#"
        SELECT id, status, filter, rate, reason, created_by, created_at, finished_at, total, retried, skipped
        FROM retries WHERE (created_at, id) < ($1, $2)
        ORDER BY created_at DESC, id DESC
        LIMIT $3
        "#,
        at,
        id,
        limit
    )
    .fetch_all(conn)
    .await?)
}

/// An item whose turn has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) position: i64,
    pub(crate) job: Option<JobId>,
    pub(crate) receipt: Option<ReceiptId>,
}

/// The next items of a bulk retry: those after the first `dealt_with`.
pub(crate) async fn next_items(conn: &mut Connection, id: RetryId, dealt_with: i64, limit: i64) -> Result<Vec<Item>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT position, job_id, receipt FROM retry_items
        WHERE retry_id = $1 AND position > $2 AND position <= $2 + $3
        ORDER BY position
        "#,
        id.0,
        dealt_with,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Item { position: row.position, job: row.job_id.map(JobId), receipt: row.receipt.map(ReceiptId) })
        .collect())
}

/// Marks items: those of `retried`, and the rest of `all` as skipped.
pub(crate) async fn mark(conn: &mut Connection, id: RetryId, all: &[i64], retried: &[i64]) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        UPDATE retry_items SET outcome = CASE WHEN position = ANY ($3) THEN 'retried' ELSE 'skipped' END
        WHERE retry_id = $1 AND position = ANY ($2) AND outcome IS NULL
        "#,
        id.0,
        all,
        retried
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Counts items that were dealt with.
pub(crate) async fn count(conn: &mut Connection, id: RetryId, retried: i64, skipped: i64) -> Result<(), StoreError> {
    let done =
        sqlx::query!("UPDATE retries SET retried = retried + $2, skipped = skipped + $3 WHERE id = $1", id.0, retried, skipped)
            .execute(conn)
            .await?;
    must_touch_one("retries", done.rows_affected())
}

/// Ends a bulk retry that runs, as `done` or `cancelled`.
pub(crate) async fn end(conn: &mut Connection, id: RetryId, status: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
    let done =
        sqlx::query!("UPDATE retries SET status = $2, finished_at = $3 WHERE id = $1 AND status = 'running'", id.0, status, now)
            .execute(conn)
            .await?;
    must_touch_one("retries", done.rows_affected())
}

/// What was answered to a caller's key: the digest of the request, and the bulk retry.
pub(crate) async fn find_key(conn: &mut Connection, caller: &str, key: &str) -> Result<Option<(Vec<u8>, RetryId)>, StoreError> {
    let row = sqlx::query!("SELECT body_digest, retry_id FROM retry_keys WHERE caller = $1 AND key = $2", caller, key)
        .fetch_optional(conn)
        .await?;
    Ok(row.map(|row| (row.body_digest, RetryId(row.retry_id))))
}

/// Keeps what is answered to a caller's key.
pub(crate) async fn insert_key(
    conn: &mut Connection,
    (caller, key): (&str, &str),
    (digest, id): (&[u8], RetryId),
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO retry_keys (caller, key, body_digest, retry_id, created_at) VALUES ($1, $2, $3, $4, $5)",
        caller,
        key,
        digest,
        id.0,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets keys that were used before `before`, and items of bulk retries that ended before, at most 10,000 of each at a
/// time; how many. What a bulk retry did stays in its row.
pub(crate) async fn purge(conn: &mut Connection, before: DateTime<Utc>) -> Result<u64, StoreError> {
    let keys = sqlx::query!(
        r#"
        DELETE FROM retry_keys WHERE (caller, key) IN (
            SELECT caller, key FROM retry_keys WHERE created_at < $1 ORDER BY created_at LIMIT 10000
        )
        "#,
        before
    )
    .execute(&mut *conn)
    .await?;
    let items = sqlx::query!(
        r#"
        DELETE FROM retry_items WHERE (retry_id, position) IN (
            SELECT retry_id, position FROM retries JOIN retry_items ON retry_id = retries.id
            WHERE finished_at < $1
            LIMIT 10000
        )
        "#,
        before
    )
    .execute(conn)
    .await?;
    Ok(keys.rows_affected() + items.rows_affected())
}
