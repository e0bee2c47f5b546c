//! Keys by which callers name their submissions, with what was answered the first time.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Connection, StoreError};
use crate::domain::ids::ReceiptId;

/// What was answered to a key the first time.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// The digest of what was sent.
    pub digest: Vec<u8>,
    /// The attempt that it made.
    pub receipt: ReceiptId,
    /// The body of the answer.
    pub answer: Value,
}

/// Finds what was answered to a caller's key.
pub(crate) async fn find(conn: &mut Connection, caller: &str, key: &str) -> Result<Option<Answered>, StoreError> {
    let row =
        sqlx::query!("SELECT body_digest, receipt_id, answer FROM submission_keys WHERE caller = $1 AND key = $2", caller, key)
            .fetch_optional(conn)
            .await?;
    Ok(row.map(|row| Answered { digest: row.body_digest, receipt: ReceiptId(row.receipt_id), answer: row.answer }))
}

/// Records what is answered to a caller's key; `false` when the key was used already.
pub(crate) async fn insert(
    conn: &mut Connection,
    (caller, key): (&str, &str),
    answered: &Answered,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        r#"
        INSERT INTO submission_keys (caller, key, body_digest, receipt_id, answer, created_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (caller, key) DO NOTHING
        "#,
        caller,
        key,
        answered.digest,
        answered.receipt.0,
        answered.answer,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Forgets keys that were used before `before`, at most 1,000 at a time; how many.
pub(crate) async fn purge(conn: &mut Connection, before: DateTime<Utc>) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        r#"
        DELETE FROM submission_keys WHERE (caller, key) IN (
            SELECT caller, key FROM submission_keys WHERE created_at < $1 ORDER BY created_at LIMIT 1000
        )
        "#,
        before
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
