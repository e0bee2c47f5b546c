//! The vendor calls back: kept with its job, or recognised as kept before.

use chrono::{DateTime, Utc};

use super::OperationError;
use crate::{
    domain::{callback::VerdictKind, ids::ReceiptId, vendor_format::VendorFormat},
    store::{
        Db,
        callbacks::{self, NewCallback},
        jobs, repeat,
    },
    telemetry::trace,
};

/// A callback whose signature was checked.
pub struct SignedCallback<'a> {
    /// The wire format in which it came.
    pub format: VendorFormat,
    /// What makes it unique: a repeated call has the same.
    pub event_key: [u8; 32],
    /// The receipt as the vendor wrote it, [`storable`].
    pub receipt: Option<&'a str>,
    /// The result as the vendor wrote it.
    pub result: &'a str,
    /// When it was signed (UTC).
    pub signed_at: Option<DateTime<Utc>>,
    /// False only in audit mode.
    pub is_signature_valid: bool,
    /// The raw body, sealed.
    pub body_sealed: &'a [u8],
    /// SHA-256 of the raw body, where `event_key` does not cover it.
    pub body_digest: Option<[u8; 32]>,
}

/// What became of a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is kept and a job will apply it.
    Kept,
    /// It was kept before; nothing changed.
    Duplicate,
    /// No attempt has that receipt; it is kept as an orphan.
    Orphan,
    /// The result is not known; it is kept for an operator.
    UnknownResult,
    /// Its key was used for another body; nothing changed. Somebody should look why.
    OtherBody,
    /// The learner was erased: nothing of it is kept.
    Erased,
}

/// Keeps a callback and its job in one transaction.
///
/// # Errors
///
/// When the database is away: answer so that the vendor calls again.
pub async fn record(db: &Db, callback: &SignedCallback<'_>, now: DateTime<Utc>) -> Result<Recorded, OperationError> {
    let is_known_result = VerdictKind::parse(callback.format, callback.result).is_some();
    let addressee = callback.receipt.and_then(ReceiptId::parse);
    let new = NewCallback {
        format: callback.format,
        event_key: &callback.event_key,
        receipt: &storable(callback.receipt.unwrap_or_default()),
        addressee,
        verdict: &storable(callback.result),
        signed_at: callback.signed_at,
        received_at: now,
        is_signature_valid: callback.is_signature_valid,
        body_sealed: callback.body_sealed,
        body_digest: callback.body_digest.as_ref(),
        is_known_result,
    };
    let kept = repeat!(db, conn => callbacks::record(conn, &new).await)?;
    if kept.is_erased {
        return Ok(Recorded::Erased);
    }
    if !kept.is_new
        && let Some(digest) = &callback.body_digest
        && !repeat!(db, conn => callbacks::has_body(conn, callback.format, &callback.event_key, digest).await)?
    {
        return Ok(Recorded::OtherBody);
    }
    // What was an orphan or unknown the first time is answered so again.
    match (addressee.filter(|_| kept.has_attempt), is_known_result) {
        (None, _) => Ok(Recorded::Orphan),
        (Some(_), false) => Ok(Recorded::UnknownResult),
        (Some(_), true) if !kept.is_new => Ok(Recorded::Duplicate),
        (Some(receipt), true) => {
            // The vendor knows nothing of traces: its call is one of its own, and the attempt's tells of it.
            let span = tracing::info_span!(parent: None, "op.record_callback", attempt.receipt = %receipt);
            trace::continue_from(&span, kept.trace.as_deref());
            trace::link_to_present(&span);
            Ok(Recorded::Kept)
        }
    }
}

/// What is kept of a text of the vendor: its beginning, with a sign in place of what Postgres can't keep, so that it does
/// not turn into another. The receipt is bound into the sealed body in this form.
#[must_use]
pub fn storable(text: &str) -> String {
    jobs::shorten(&text.replace('\0', "\u{fffd}"), 255).to_owned()
}
