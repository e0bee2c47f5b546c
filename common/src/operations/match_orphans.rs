//! A callback may name an attempt that is not known yet: it is looked for again for a quarter of an hour.
//!
//! Only in the format `sealed`, which answers such a callback like any other, so that the vendor does not call again.
//! Afterwards the row stays an orphan, for operators.

use chrono::{DateTime, TimeDelta, Utc};

use super::OperationError;
use crate::{
    domain::{
        callback::VerdictKind,
        effect::{Effect, Wish},
        ids::ReceiptId,
        vendor_format::VendorFormat,
    },
    store::{Db, attempts, callbacks, jobs, orphans},
};

/// For how long an orphan is matched again.
pub const PATIENCE: TimeDelta = TimeDelta::minutes(15);
/// Most orphans that are looked at in one go.
const BATCH_MAX: i64 = 500;

/// Gives orphans to attempts that are known by now; returns how many.
///
/// # Errors
///
/// When the database is away.
pub async fn match_again(db: &Db, now: DateTime<Utc>) -> Result<usize, OperationError> {
    let format = VendorFormat::Sealed;
    let mut tx = db.begin().await?;
    let mut matched = 0;
    for orphan in orphans::list(&mut tx, format, now - PATIENCE, BATCH_MAX).await? {
        let Some(receipt) = ReceiptId::parse(&orphan.receipt) else { continue };
        let Some(attempt) = attempts::find(&mut tx, receipt).await? else { continue };
        let outcome = if VerdictKind::parse(format, &orphan.verdict).is_some() {
            jobs::insert(&mut tx, &[Wish::from(Effect::ApplyVendorResult { callback: orphan.id })], Some(receipt)).await?;
            callbacks::RECEIVED
        } else {
            callbacks::UNKNOWN_RESULT
        };
        orphans::adopt(&mut tx, orphan.id, attempt.id, outcome).await?;
        matched += 1;
    }
    tx.commit().await?;
    Ok(matched)
}
