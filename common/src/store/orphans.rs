//! Callbacks whose receipt nobody knew when they came.

use chrono::{DateTime, Utc};

use super::{Connection, StoreError, error::must_touch_one};
use crate::domain::{
    ids::{AttemptId, CallbackId},
    vendor_format::VendorFormat,
};

/// A callback without an attempt.
pub(crate) struct Orphan {
    pub(crate) id: CallbackId,
    /// The receipt as the vendor wrote it.
    pub(crate) receipt: String,
    /// The result as the vendor wrote it.
    pub(crate) verdict: String,
}

/// Orphans of a format that came after `since`, oldest first; locked.
pub(crate) async fn list(
    conn: &mut Connection,
    format: VendorFormat,
    since: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Orphan>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT id, receipt, verdict FROM vendor_callbacks
        WHERE outcome = 'orphan' AND received_at > $2 AND vendor = $1
        ORDER BY received_at, id
        LIMIT $3
        FOR UPDATE SKIP LOCKED
        "#,
        format.as_str(),
        since,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| Orphan { id: CallbackId(row.id), receipt: row.receipt, verdict: row.verdict }).collect())
}

/// Gives an orphan to its attempt.
pub(crate) async fn adopt(conn: &mut Connection, id: CallbackId, attempt: AttemptId, outcome: &str) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "UPDATE vendor_callbacks SET attempt_id = $2, outcome = $3 WHERE id = $1 AND outcome = 'orphan'",
        id.0,
        attempt.0,
        outcome
    )
    .execute(conn)
    .await?;
    must_touch_one("vendor_callbacks", done.rows_affected())
}
