//! Keys of services and operators, by digest.

use chrono::{DateTime, Utc};

use super::{Connection, StoreError};

/// A key as operators list it; the key itself is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyView {
    /// Its number.
    pub id: i64,
    /// What it is called.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was made (UTC).
    pub created_at: DateTime<Utc>,
    /// When it ends (UTC), if it does.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked (UTC), if it was.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used (UTC), if it was; exact to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A key that is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveKey {
    /// Its number.
    pub id: i64,
    /// What it is called.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was last used (UTC), if it was; exact to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A new key.
pub(crate) struct NewApiKey<'a> {
    pub(crate) name: &'a str,
    pub(crate) digest: &'a [u8],
    pub(crate) scopes: &'a [String],
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

/// Keeps a key's digest.
pub(crate) async fn insert(conn: &mut Connection, new: &NewApiKey<'_>) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!(
        "INSERT INTO api_keys (name, digest, scopes, created_at, expires_at) VALUES ($1, $2, $3, $4, $5) RETURNING id",
        new.name,
        new.digest,
        new.scopes,
        new.created_at,
        new.expires_at,
    )
    .fetch_one(conn)
    .await?)
}

/// Finds a key that holds at `now`: its name and scopes.
pub(crate) async fn find_live(conn: &mut Connection, digest: &[u8], now: DateTime<Utc>) -> Result<Option<LiveKey>, StoreError> {
    Ok(sqlx::query_as!(
        LiveKey,
        r#"
        SELECT id, name, scopes, last_used_at FROM api_keys
        WHERE digest = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
        "#,
        digest,
        now
    )
    .fetch_optional(conn)
    .await?)
}

/// Notes that a key was used at `now`, unless a use after `since` is noted, or somebody else is noting one.
pub(crate) async fn note_use(conn: &mut Connection, id: i64, now: DateTime<Utc>, since: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        UPDATE api_keys SET last_used_at = $2
        WHERE id = (
            SELECT id FROM api_keys WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)
            FOR UPDATE SKIP LOCKED)
        "#,
        id,
        now,
        since
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// All keys, newest first, at most 1,000.
pub(crate) async fn list(conn: &mut Connection) -> Result<Vec<ApiKeyView>, StoreError> {
    Ok(sqlx::query_as!(
        ApiKeyView,
        "SELECT id, name, scopes, created_at, expires_at, revoked_at, last_used_at FROM api_keys ORDER BY id DESC LIMIT 1000"
    )
    .fetch_all(conn)
    .await?)
}

/// Revokes a key; `false` when there is no such key, or it is revoked already.
pub(crate) async fn revoke(conn: &mut Connection, id: i64, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let done =
        sqlx::query!("UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL", id, now).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}
