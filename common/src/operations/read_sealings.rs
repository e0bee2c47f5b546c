//! What is sealed under which master key: which keys are needed, and which things can't be opened.

use std::time::Duration;

use super::OperationError;
use crate::{
    photos::keys::MasterKeys,
    store::{
        Db,
        sealed_things::{self, SealedKind, Tally},
    },
    telemetry::chain,
};

/// So many things of one key are counted at a program's start; more are told as so many.
const COUNTED_AT_START: i64 = 1000;
/// How long a program waits before it asks a database again that does not answer.
const PAUSE: Duration = Duration::from_secs(5);

/// Everything that is sealed, by kind and master key.
///
/// # Errors
///
/// When the database is away.
pub async fn count(db: &Db) -> Result<Vec<Tally>, OperationError> {
    let mut conn = db.acquire().await?;
    let mut tallies = sealed_things::count_uploads(&mut conn).await?;
    for master in sealed_things::list_masters_of_callbacks(&mut conn).await? {
        let count = sealed_things::count_callbacks(&mut conn, &master, i64::MAX).await?;
        tallies.push(Tally { kind: SealedKind::Callback, master_key: Some(master), count });
    }
    Ok(tallies)
}

/// What is sealed under keys that are not on the list, and so can't be opened; cheap, and so of each key 1,000 at most.
///
/// # Errors
///
/// When the database is away.
pub async fn find_missing(db: &Db, keys: &MasterKeys) -> Result<Vec<Tally>, OperationError> {
    let is_missing = |master: &str| keys.ids().all(|id| id != master);
    let mut conn = db.acquire().await?;
    let mut tallies = sealed_things::count_uploads(&mut conn).await?;
    tallies.retain(|tally| tally.master_key.as_deref().is_some_and(is_missing));
    for master in sealed_things::list_masters_of_callbacks(&mut conn).await? {
        if is_missing(&master) {
            let count = sealed_things::count_callbacks(&mut conn, &master, COUNTED_AT_START).await?;
            tallies.push(Tally { kind: SealedKind::Callback, master_key: Some(master), count });
        }
    }
    Ok(tallies)
}

/// Warns of missing master keys at a program's start, as soon as the database answers.
pub async fn warn_at_start(db: Db, keys: MasterKeys) {
    while let Err(error) = warn_of_missing(&db, &keys).await {
        tracing::debug!(error = %chain(&error), "it can't be looked yet whether a master key is missing");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Tells of each master key that is not on the list while things are sealed under it.
async fn warn_of_missing(db: &Db, keys: &MasterKeys) -> Result<(), OperationError> {
    for Tally { kind, master_key, count } in find_missing(db, keys).await? {
        tracing::error!(
            sealed.kind = kind.as_str(),
            sealed.count = count,
            master_key = master_key.unwrap_or_default(),
            "what is sealed under this master key can't be opened: put it back on the list VOUCH_MASTER_KEYS"
        );
    }
    Ok(())
}
