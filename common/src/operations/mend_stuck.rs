//! The sweep: compares what is not finished with the job that must exist for it, and mends the difference.
//!
//! It is expected to find nothing. What it finds is a fault elsewhere, so it is counted and told.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::OperationError;
use crate::{
    domain::{
        attempt::retry::way_on,
        effect::{Effect, Wish},
    },
    store::{Db, attempts, callbacks, events, events::Note, jobs, sealed_things},
};

/// What changed less than this ago is left alone.
const SETTLING_TIME: TimeDelta = TimeDelta::minutes(1);
/// Most rows that one sweep mends of each sort.
const BATCH_MAX: i64 = 500;

/// Mends what is stuck; returns how many things were.
///
/// # Errors
///
/// When the database is away.
pub async fn mend(db: &Db, now: DateTime<Utc>) -> Result<usize, OperationError> {
    let mut tx = db.begin().await?;
    let before = now - SETTLING_TIME;
    let stuck = attempts::list_stuck(&mut tx, before, BATCH_MAX).await?;
    for attempt in &stuck {
        let Some(effect) = way_on(attempt.status, attempt.receipt) else { continue };
        let note = Note { at: now, actor: "sweep", kind: "job_restored", to: None, detail: effect.kind() };
        events::append(&mut tx, attempt.id, &note).await?;
        jobs::insert(&mut tx, &[Wish::from(effect)], Some(attempt.receipt)).await?;
    }
    let forgotten = callbacks::list_forgotten(&mut tx, before, BATCH_MAX).await?;
    for (callback, receipt) in &forgotten {
        jobs::insert(&mut tx, &[Wish::from(Effect::ApplyVendorResult { callback: *callback })], Some(*receipt)).await?;
    }
    tx.commit().await?;
    Ok(stuck.len() + forgotten.len())
}

/// Of the objects of these attempts, the names that are still needed.
///
/// # Errors
///
/// When the database is away: then delete nothing.
pub async fn names_in_use(db: &Db, receipts: &[Uuid]) -> Result<Vec<String>, OperationError> {
    let mut conn = db.acquire().await?;
    Ok(sealed_things::names_in_use(&mut conn, receipts).await?)
}
