//! Rows about a person go when their time is over; the table is `domain::retention`.

use chrono::{DateTime, Utc};

use super::OperationError;
use crate::{
    domain::retention::{Kind, Periods},
    store::{Db, kept_details, kept_photos::Cursor, retention},
};

/// Rows of one transaction.
const BATCH: i64 = 500;
/// Most batches of one kind in one go: the next hour goes on.
pub const BATCHES_MAX: usize = 200;

/// The kinds that are purged here, by rows alone.
pub const KINDS: [Kind; 9] = [
    Kind::AttemptDetails,
    Kind::FormerNames,
    Kind::Callbacks,
    Kind::CreditReasons,
    Kind::CreditApplications,
    Kind::Payers,
    Kind::Drafts,
    Kind::Events,
    Kind::Audit,
];

/// Where a purge of one kind stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// Rows that went or were emptied.
    pub rows: u64,
    /// Where the next batch begins; `None`: there is none.
    pub next: Option<Cursor>,
}

/// Where the first batch begins.
pub const START: Cursor = (DateTime::<Utc>::UNIX_EPOCH, 0);

/// Purges one batch of a kind, in one transaction.
///
/// # Errors
///
/// When the database is away; nothing of the batch went.
pub async fn purge(db: &Db, kind: Kind, periods: &Periods, from: Cursor, now: DateTime<Utc>) -> Result<Purged, OperationError> {
    let Some(before) = periods.cutoff(kind, now) else { return Ok(Purged::default()) };
    if kind == Kind::AttemptDetails {
        return purge_details(db, (before, periods.expired_before(now)), from, now).await;
    }
    let mut tx = db.begin().await?;
    let rows = match kind {
        Kind::FormerNames => retention::purge_former_names(&mut tx, before, BATCH).await?,
        Kind::Callbacks => retention::purge_callbacks(&mut tx, before, BATCH).await?,
        Kind::CreditReasons => retention::purge_credit_reasons(&mut tx, before, BATCH).await?,
        Kind::CreditApplications => retention::purge_credit_applications(&mut tx, before, BATCH).await?,
        Kind::Payers => retention::purge_payers(&mut tx, before, BATCH).await?,
        Kind::Drafts => retention::purge_drafts(&mut tx, before, BATCH).await?,
        Kind::Events => retention::purge_events(&mut tx, before, BATCH).await?,
        Kind::Audit => retention::purge_audit(&mut tx, before, BATCH).await?,
        // Not by rows alone, by other tasks, or never.
        Kind::Uploads
        | Kind::Faces
        | Kind::IdPhotos
        | Kind::AttemptDetails
        | Kind::Decisions
        | Kind::Profiles
        | Kind::Orders
        | Kind::SubmissionKeys
        | Kind::Jobs
        | Kind::BulkRetries
        | Kind::Erasures => 0,
    };
    tx.commit().await?;
    // A deleted or emptied row is not met again, so the next batch begins where this one did.
    Ok(Purged { rows, next: (rows > 0).then_some(from) })
}

/// What is passed over stays before the cursor, so that it is not looked at again and again.
async fn purge_details(
    db: &Db,
    bounds: (DateTime<Utc>, DateTime<Utc>),
    from: Cursor,
    now: DateTime<Utc>,
) -> Result<Purged, OperationError> {
    let mut tx = db.begin().await?;
    let old = kept_details::lock_old(&mut tx, bounds, from, BATCH).await?;
    let ids: Vec<i64> = old.iter().map(|(_, id)| *id).collect();
    let rows = kept_details::empty(&mut tx, &ids, now).await?;
    tx.commit().await?;
    Ok(Purged { rows, next: old.last().copied() })
}
