//! What the vendor called back with, once each.

use chrono::{DateTime, Utc};

use super::{BadRow, Connection, StoreError, error::must_touch_one};
use crate::domain::{
    callback::VerdictKind,
    effect::Effect,
    ids::{AttemptId, CallbackId, ReceiptId},
    timeline::Call,
    vendor_format::VendorFormat,
};

/// Kept, and to be applied.
pub(crate) const RECEIVED: &str = "received";
/// Kept, and not understood.
pub(crate) const UNKNOWN_RESULT: &str = "unknown_result";

/// A callback to keep.
pub(crate) struct NewCallback<'a> {
    pub(crate) format: VendorFormat,
    pub(crate) event_key: &'a [u8; 32],
    /// The receipt as the vendor wrote it.
    pub(crate) receipt: &'a str,
    /// The same, if it is one.
    pub(crate) addressee: Option<ReceiptId>,
    pub(crate) verdict: &'a str,
    pub(crate) signed_at: Option<DateTime<Utc>>,
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) is_signature_valid: bool,
    pub(crate) body_sealed: &'a [u8],
    pub(crate) body_digest: Option<&'a [u8; 32]>,
    /// Whether the verdict is one of the format's: if there is an attempt, it can be applied.
    pub(crate) is_known_result: bool,
}

/// What became of a callback that was to be kept.
pub(crate) struct Kept {
    /// Whether it is kept now, and was not before.
    pub(crate) is_new: bool,
    /// Whether an attempt has its receipt.
    pub(crate) has_attempt: bool,
    /// Whether that attempt's learner was erased: then it is not kept.
    pub(crate) is_erased: bool,
    /// The trace that the attempt's submission began, as a `traceparent`.
    pub(crate) trace: Option<String>,
}

/// Keeps a callback, and the job of one that can be applied, in one statement. One that fitted nothing then, and does
/// now, is kept anew. A learner who was not erased is not until this lasts.
pub(crate) async fn record(conn: &mut Connection, new: &NewCallback<'_>) -> Result<Kept, StoreError> {
    // The statement that numbers the callback puts the number in.
    let job = Effect::ApplyVendorResult { callback: CallbackId(0) };
    let kept = sqlx::query_as!(
        Kept,
        r#"
        WITH addressee AS (
            SELECT id, receipt_id, trace, erased_at FROM attempts JOIN users USING (user_id)
            WHERE receipt_id = $11
            FOR KEY SHARE OF users
        ), kept AS (
            INSERT INTO vendor_callbacks (vendor, event_key, receipt, attempt_id, verdict, signed_at, received_at,
                                          signature_valid, body_sealed, outcome, body_digest)
            SELECT $1, $2, $3, addressee.id, $4, $5, $6, $7, $8, CASE WHEN addressee.id IS NULL THEN 'orphan' ELSE $9 END, $10
            FROM (SELECT) AS one LEFT JOIN addressee ON true
            WHERE erased_at IS NULL
            ON CONFLICT (vendor, event_key) DO UPDATE
            SET attempt_id = excluded.attempt_id, outcome = excluded.outcome
            WHERE vendor_callbacks.outcome IN ('orphan', 'unknown_result') AND excluded.outcome = 'received'
              AND vendor_callbacks.body_digest IS NOT DISTINCT FROM excluded.body_digest
            RETURNING id, outcome
        ), born AS (
            INSERT INTO jobs (queue, kind, args, subject, trace)
            SELECT $12, $13, $14::jsonb || jsonb_build_object('callback', kept.id), receipt_id, trace
            FROM kept CROSS JOIN addressee
            WHERE outcome = 'received'
        )
        SELECT EXISTS (SELECT FROM kept) AS "is_new!", addressee.id IS NOT NULL AS "has_attempt!",
               erased_at IS NOT NULL AS "is_erased!", trace AS "trace?"
        FROM (SELECT) AS one LEFT JOIN addressee ON true
        "#,
        new.format.as_str(),
        new.event_key,
        new.receipt,
        new.verdict,
        new.signed_at,
        new.received_at,
        new.is_signature_valid,
        new.body_sealed,
        if new.is_known_result { RECEIVED } else { UNKNOWN_RESULT },
        new.body_digest.map(<[u8; 32]>::as_slice),
        new.addressee.map(|receipt| receipt.0),
        job.queue().as_str(),
        job.kind(),
        job.to_args(),
    )
    .fetch_one(conn)
    .await?;
    Ok(kept)
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
