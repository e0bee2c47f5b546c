//! What an old master key sealed is sealed under the newest, a batch at a time, so that the old one can go.
//!
//! Nothing is held between two batches: it may be cut off anywhere, and several may do it at once. Whoever takes a thing away
//! meanwhile (a purge, an erasure, the job that is done with it) wins.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::OperationError;
use crate::{
    domain::{ids::AttemptId, operator::Order},
    photos::{
        keys::MasterKeys,
        seal::{SealContext, rewrap},
    },
    store::{
        Db,
        operator_actions::{self, Action},
        sealed_things::{self, SealedKind, SealedUploads, Tally},
    },
};

/// Callbacks of one batch.
const CALLBACKS: i64 = 200;
/// Attempts of one batch.
const ATTEMPTS: i64 = 100;

/// Where a pass over the callbacks stands.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The last callback that was looked at.
    after: i64,
    /// How many were sealed anew.
    pub done: u64,
    /// How many could not be opened.
    pub refused: u64,
}

/// Keeps in the audit that somebody began to seal things anew, with what there was to do.
///
/// # Errors
///
/// When the database is away.
pub async fn begin(db: &Db, order: &Order, keys: &MasterKeys, to_do: &[Tally], now: DateTime<Utc>) -> Result<(), OperationError> {
    let count = |kind| to_do.iter().filter(|tally| tally.kind == kind).map(|tally| tally.count).sum::<i64>();
    let detail = json!({ "uploads": count(SealedKind::Uploads), "callbacks": count(SealedKind::Callback) });
    let action = Action { at: now, order, action: "keys.rewrap", target: keys.newest(), detail };
    let mut tx = db.begin().await?;
    operator_actions::append(&mut tx, &action).await?;
    tx.commit().await?;
    Ok(())
}

/// Seals the next callbacks that `master` sealed under the newest key; `false` when there are none left.
///
/// # Errors
///
/// When the database is away: the batch is undone as a whole.
pub async fn callbacks(db: &Db, keys: &MasterKeys, master: &str, progress: &mut Progress) -> Result<bool, OperationError> {
    let mut tx = db.begin().await?;
    let batch = sealed_things::list_callbacks(&mut tx, master, progress.after, CALLBACKS).await?;
    let Some(last) = batch.last().map(|callback| callback.id) else { return Ok(false) };
    let (mut ids, mut before, mut after) = (Vec::new(), Vec::new(), Vec::new());
    for callback in batch {
        let context = SealContext { receipt: &callback.receipt, kind: "callback" };
        match rewrap(keys, context, &callback.body) {
            Ok(Some(body)) => {
                ids.push(callback.id);
                before.push(callback.body);
                after.push(body.to_vec());
            }
            Ok(None) => {}
            Err(_) => progress.refused += 1,
        }
    }
    let done = sealed_things::replace_callbacks(&mut tx, &ids, &before, &after).await?;
    tx.commit().await?;
    progress.after = last;
    progress.done += done;
    Ok(true)
}

/// The next attempts after `after` whose uploads are not noted as sealed under the newest key, at most 100.
///
/// # Errors
///
/// When the database is away.
pub async fn list_uploads(db: &Db, keys: &MasterKeys, after: AttemptId) -> Result<Vec<SealedUploads>, OperationError> {
    let mut conn = db.acquire().await?;
    Ok(sealed_things::list_uploads(&mut conn, keys.newest(), after, ATTEMPTS).await?)
}

/// Notes that the uploads of an attempt lie in the store sealed under the newest key; `false` when they are not the
/// attempt's any more, or somebody else noted it.
///
/// # Errors
///
/// When the database is away; then they are noted the next time.
pub async fn note_uploads(db: &Db, keys: &MasterKeys, uploads: &SealedUploads) -> Result<bool, OperationError> {
    let mut conn = db.acquire().await?;
    Ok(sealed_things::note_uploads(&mut conn, uploads, keys.newest()).await?)
}

/// Of the uploads' objects, those that the attempt does not name any more: whoever let them go deleted them.
///
/// # Errors
///
/// When the database is away.
pub async fn find_unnamed(db: &Db, uploads: &SealedUploads) -> Result<Vec<String>, OperationError> {
    let mut conn = db.acquire().await?;
    let named = sealed_things::names_in_use(&mut conn, &[uploads.receipt.0]).await?;
    let objects = [&uploads.face, &uploads.photo_id].into_iter().flatten();
    Ok(objects.filter(|object| !named.contains(object)).cloned().collect())
}
