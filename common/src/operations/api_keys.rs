//! Keys of services and operators: made, listed, revoked, recognised.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::OperationError;
use crate::{
    ids::random_bytes,
    secret::Secret,
    store::{
        Db,
        api_keys::{self, ApiKeyView, LiveKey, NewApiKey},
    },
};

/// What a key may do. Source: contract.
pub const SCOPES: [&str; 4] = ["lms:write", "attempts:read", "attempts:operate", "admin"];

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
    let mut conn = db.pool().acquire().await?;
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
    let mut conn = db.pool().acquire().await?;
    Ok(api_keys::find_live(&mut conn, &digest(key), now).await?)
}

/// All keys, newest first.
///
/// # Errors
///
/// When the database is away.
pub async fn list(db: &Db) -> Result<Vec<ApiKeyView>, OperationError> {
    let mut conn = db.pool().acquire().await?;
    Ok(api_keys::list(&mut conn).await?)
}

/// Revokes a key; `false` when there is none to revoke.
///
/// # Errors
///
/// When the database is away.
pub async fn revoke(db: &Db, id: i64, now: DateTime<Utc>) -> Result<bool, OperationError> {
    let mut conn = db.pool().acquire().await?;
    Ok(api_keys::revoke(&mut conn, id, now).await?)
}

fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}
