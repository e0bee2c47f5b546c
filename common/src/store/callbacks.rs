//! What the vendor called back with, once each.

use chrono::{DateTime, Utc};

use super::{BadRow, Connection, StoreError, error::must_touch_one};
use crate::domain::{
    callback::VerdictKind,
    ids::{AttemptId, CallbackId, ReceiptId},
    timeline::Call,
};

/// A callback to keep.
pub(crate) struct NewCallback<'a> {
    pub(crate) vendor: &'a str,
    pub(crate) event_key: &'a [u8; 32],
    pub(crate) receipt: &'a str,
    pub(crate) attempt: Option<AttemptId>,
    pub(crate) verdict: &'a str,
    pub(crate) signed_at: Option<DateTime<Utc>>,
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) is_signature_valid: bool,
    pub(crate) body_sealed: &'a [u8],
    pub(crate) outcome: &'a str,
}

/// Keeps a callback; `None` when it was kept before. One that fitted nothing then, and does now, is kept anew.
pub(crate) async fn record(conn: &mut Connection, new: &NewCallback<'_>) -> Result<Option<CallbackId>, StoreError> {
    let id = sqlx::query_scalar!(
        r#"
        INSERT INTO vendor_callbacks (vendor, event_key, receipt, attempt_id, verdict, signed_at, received_at,
                                      signature_valid, body_sealed, outcome)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (vendor, event_key) DO UPDATE
        SET attempt_id = excluded.attempt_id, outcome = excluded.outcome
        WHERE vendor_callbacks.outcome IN ('orphan', 'unknown_result') AND excluded.outcome = 'received'
        RETURNING id
        "#,
        new.vendor,
        new.event_key,
        new.receipt,
        new.attempt.map(|id| id.0),
        new.verdict,
        new.signed_at,
        new.received_at,
        new.is_signature_valid,
        new.body_sealed,
        new.outcome,
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(CallbackId))
}

/// A callback that waits to be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCallback {
    /// The attempt.
    pub receipt: ReceiptId,
    /// What the vendor says.
    pub verdict: VerdictKind,
    /// When it was signed (UTC).
    pub signed_at: Option<DateTime<Utc>>,
    /// The raw body, sealed.
    pub body_sealed: Vec<u8>,
}

/// Finds a callback that was kept for an attempt.
pub(crate) async fn find(conn: &mut Connection, id: CallbackId) -> Result<Option<StoredCallback>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT attempts.receipt_id, vendor_callbacks.verdict, vendor_callbacks.signed_at, body_sealed
        FROM vendor_callbacks JOIN attempts ON attempts.id = attempt_id
        WHERE vendor_callbacks.id = $1
        "#,
        id.0
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let verdict = VerdictKind::parse(&row.verdict).ok_or(BadRow { table: "vendor_callbacks", column: "verdict" })?;
        Ok(StoredCallback { receipt: ReceiptId(row.receipt_id), verdict, signed_at: row.signed_at, body_sealed: row.body_sealed })
    })
    .transpose()
}

/// Says what became of a callback.
pub(crate) async fn settle(conn: &mut Connection, id: CallbackId, outcome: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
    let done = sqlx::query!("UPDATE vendor_callbacks SET outcome = $2, applied_at = $3 WHERE id = $1", id.0, outcome, now)
        .execute(conn)
        .await?;
    must_touch_one("vendor_callbacks", done.rows_affected())
}

/// Callbacks received before `before` that nobody applied and for which no job exists; locked.
pub(crate) async fn list_forgotten(
    conn: &mut Connection,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(CallbackId, ReceiptId)>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT vendor_callbacks.id, attempts.receipt_id
        FROM vendor_callbacks JOIN attempts ON attempts.id = attempt_id
        WHERE outcome = 'received' AND received_at < $1
          AND NOT EXISTS (
              SELECT 1 FROM jobs
              WHERE jobs.subject = attempts.receipt_id AND jobs.kind = 'apply_vendor_result'
                AND (jobs.args ->> 'callback')::bigint = vendor_callbacks.id)
        ORDER BY vendor_callbacks.id
        LIMIT $2
        FOR UPDATE OF vendor_callbacks SKIP LOCKED
        "#,
        before,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (CallbackId(row.id), ReceiptId(row.receipt_id))).collect())
}

/// Most callbacks that are told of one attempt.
const CALLS_MAX: i64 = 100;

/// What the vendor called back with for an attempt, oldest first, the newest 100.
pub(crate) async fn list(conn: &mut Connection, attempt: AttemptId) -> Result<Vec<Call>, StoreError> {
    Ok(sqlx::query_as!(
        Call,
        r#"
        SELECT received_at, verdict, outcome, signature_valid AS is_signature_valid
        FROM (SELECT * FROM vendor_callbacks WHERE attempt_id = $1 ORDER BY id DESC LIMIT $2) AS newest
        ORDER BY id
        "#,
        attempt.0,
        CALLS_MAX,
    )
    .fetch_all(conn)
    .await?)
}
