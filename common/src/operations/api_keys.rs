//! Keys of services and operators: made, listed, revoked, recognised.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use super::OperationError;
use crate::{
    ids::random_bytes,
    secret::Secret,
    store::{
        Db,
        api_keys::{self, ApiKeyView, LiveKey, NewApiKey},
    },
    telemetry::chain,
};

/// What a key may do. Source: contract.
pub const SCOPES: [&str; 4] = ["lms:write", "attempts:read", "attempts:operate", "admin"];

/// How exactly the last use of a key is known: so often it is written at most.
const USE_NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// Makes a key and returns it; it can't be shown again.
///
/// # Errors
///
/// When the database is away.
pub async fn create(
    db: &Db,
    name: &str,
    scopes: &[String],
    expires_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Secret, OperationError> {
    let key = format!("vk_{}", URL_SAFE_NO_PAD.encode(random_bytes::<32>()));
    let mut conn = db.acquire().await?;
    let digest = digest(&key);
    api_keys::insert(&mut conn, &NewApiKey { name, digest: &digest, scopes, created_at: now, expires_at }).await?;
    Ok(Secret::new(key))
}

/// Whom a key belongs to, and what it may do; `None` when no live key is that.
///
/// Only a digest is looked up, so neither the time it takes nor the index tells how near a guess was.
///
/// # Errors
///
/// When the database is away.
pub async fn recognise(db: &Db, key: &str, now: DateTime<Utc>) -> Result<Option<LiveKey>, OperationError> {
    let mut conn = db.acquire().await?;
    let found = api_keys::find_live(&mut conn, &digest(key), now).await?;
    let since = now - USE_NOTED_EVERY;
    if let Some(live) = found.as_ref().filter(|live| live.last_used_at.is_none_or(|used| used <= since)) {
        // Who may read may come in while nothing can be written.
        if let Err(error) = api_keys::note_use(&mut conn, live.id, now, since).await {
            tracing::warn!(key.id = live.id, error = %chain(&error), "the use of a key was not noted");
        }
    }
    Ok(found)
}

/// All keys, newest first.
///
/// # Errors
///
/// When the database is away.
pub async fn list(db: &Db) -> Result<Vec<ApiKeyView>, OperationError> {
    let mut conn = db.acquire().await?;
    Ok(api_keys::list(&mut conn).await?)
}

/// Revokes a key; `false` when there is none to revoke.
///
/// # Errors
///
/// When the database is away.
pub async fn revoke(db: &Db, id: i64, now: DateTime<Utc>) -> Result<bool, OperationError> {
    let mut conn = db.acquire().await?;
    Ok(api_keys::revoke(&mut conn, id, now).await?)
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}
