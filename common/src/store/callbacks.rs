//! What the vendor called back with, once each.

use chrono::{DateTime, Utc};

use super::{BadRow, Connection, StoreError, error::must_touch_one};
use crate::domain::{
    callback::VerdictKind,
    ids::{AttemptId, CallbackId, ReceiptId},
    timeline::Call,
    vendor_format::VendorFormat,
};

/// Kept, and to be applied.
pub(crate) const RECEIVED: &str = "received";
/// Kept, without an attempt.
pub(crate) const ORPHAN: &str = "orphan";
/// Kept, and not understood.
pub(crate) const UNKNOWN_RESULT: &str = "unknown_result";

/// A callback to keep.
pub(crate) struct NewCallback<'a> {
    pub(crate) format: VendorFormat,
    pub(crate) event_key: &'a [u8; 32],
    pub(crate) receipt: &'a str,
    pub(crate) attempt: Option<AttemptId>,
    pub(crate) verdict: &'a str,
    pub(crate) signed_at: Option<DateTime<Utc>>,
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) is_signature_valid: bool,
    pub(crate) body_sealed: &'a [u8],
    pub(crate) body_digest: Option<&'a [u8; 32]>,
    pub(crate) outcome: &'a str,
}

/// The attempt that a callback speaks of.
pub(crate) struct Addressee {
    pub(crate) id: AttemptId,
    pub(crate) receipt: ReceiptId,
    /// Whether its learner was erased; until the transaction ends they are not if they were not.
    pub(crate) is_erased: bool,
    /// The trace that its submission began, as a `traceparent`.
    pub(crate) trace: Option<String>,
}

/// Finds the attempt that a callback speaks of.
pub(crate) async fn find_addressee(conn: &mut Connection, receipt: ReceiptId) -> Result<Option<Addressee>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT id, receipt_id, trace, erased_at FROM attempts JOIN users USING (user_id)
        WHERE receipt_id = $1
        FOR KEY SHARE OF users
        "#,
        receipt.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Addressee {
        id: AttemptId(row.id),
        receipt: ReceiptId(row.receipt_id),
        is_erased: row.erased_at.is_some(),
        trace: row.trace,
    }))
}

/// Keeps a callback; `None` when it was kept before. One that fitted nothing then, and does now, is kept anew.
pub(crate) async fn record(conn: &mut Connection, new: &NewCallback<'_>) -> Result<Option<CallbackId>, StoreError> {
    let id = sqlx::query_scalar!(
        r#"
        INSERT INTO vendor_callbacks (vendor, event_key, receipt, attempt_id, verdict, signed_at, received_at,
                                      signature_valid, body_sealed, outcome, body_digest)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (vendor, event_key) DO UPDATE
        SET attempt_id = excluded.attempt_id, outcome = excluded.outcome
        WHERE vendor_callbacks.outcome IN ('orphan', 'unknown_result') AND excluded.outcome = 'received'
          AND vendor_callbacks.body_digest IS NOT DISTINCT FROM excluded.body_digest
        RETURNING id
        "#,
        new.format.as_str(),
        new.event_key,
        new.receipt,
        new.attempt.map(|id| id.0),
        new.verdict,
        new.signed_at,
        new.received_at,
        new.is_signature_valid,
        new.body_sealed,
        new.outcome,
        new.body_digest.map(<[u8; 32]>::as_slice),
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(CallbackId))
}

/// Whether what was kept under that key had the same body.
pub(crate) async fn has_body(
    conn: &mut Connection,
    format: VendorFormat,
    event_key: &[u8; 32],
    body_digest: &[u8; 32],
) -> Result<bool, StoreError> {
    let has_body = sqlx::query_scalar!(
        r#"
        SELECT EXISTS (SELECT 1 FROM vendor_callbacks WHERE vendor = $1 AND event_key = $2 AND body_digest = $3) AS "has_body!"
        "#,
        format.as_str(),
        event_key,
        body_digest.as_slice()
    )
    .fetch_one(conn)
    .await?;
    Ok(has_body)
}

/// A callback that waits to be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCallback {
    /// The wire format in which it came.
    pub format: VendorFormat,
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
        SELECT attempts.receipt_id, vendor_callbacks.vendor, vendor_callbacks.verdict, vendor_callbacks.signed_at, body_sealed
        FROM vendor_callbacks JOIN attempts ON attempts.id = attempt_id
        WHERE vendor_callbacks.id = $1
        "#,
        id.0
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let bad = |column| BadRow { table: "vendor_callbacks", column };
        let format = VendorFormat::parse(&row.vendor).ok_or(bad("vendor"))?;
        let verdict = VerdictKind::parse(format, &row.verdict).ok_or(bad("verdict"))?;
        let receipt = ReceiptId(row.receipt_id);
        Ok(StoredCallback { format, receipt, verdict, signed_at: row.signed_at, body_sealed: row.body_sealed })
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
