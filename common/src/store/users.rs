//! Learners, as the learning platform tells of them.

use chrono::{DateTime, Utc};

use super::{Connection, StoreError, error::must_touch_one};
use crate::domain::ids::UserId;

/// A learner.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The platform's number.
    pub id: UserId,
    /// Their user name.
    pub username: String,
    /// Where mail goes.
    pub email: String,
    /// Their legal name.
    pub full_name: String,
    /// Whether the account is activated.
    pub is_active: bool,
    /// The country of their profile, as an ISO code.
    pub country: Option<String>,
}

/// Finds a learner; one who was erased is none.
pub(crate) async fn find(conn: &mut Connection, id: UserId) -> Result<Option<User>, StoreError> {
    let row = sqlx::query!(
        "SELECT user_id, username, email, full_name, is_active, country FROM users WHERE user_id = $1 AND erased_at IS NULL",
        id.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| User {
        id: UserId(row.user_id),
        username: row.username,
        email: row.email,
        full_name: row.full_name,
        is_active: row.is_active,
        country: row.country,
    }))
}

/// A learner's name, if there is such a learner; locked for the rest of the transaction.
pub(crate) async fn lock_name(conn: &mut Connection, id: UserId) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar!("SELECT full_name FROM users WHERE user_id = $1 AND erased_at IS NULL FOR UPDATE", id.0)
        .fetch_optional(conn)
        .await?)
}

/// Inserts or overwrites a learner: the platform's word counts.
pub(crate) async fn upsert(conn: &mut Connection, user: &User, now: DateTime<Utc>) -> Result<(), StoreError> {
    let done = sqlx::query!(
        r#"
        INSERT INTO users (user_id, username, email, full_name, is_active, country, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
        ON CONFLICT (user_id) DO UPDATE
        SET username = excluded.username, email = excluded.email, full_name = excluded.full_name,
            is_active = excluded.is_active, country = excluded.country, updated_at = excluded.updated_at
        "#,
        user.id.0,
        user.username,
        user.email,
        user.full_name,
        user.is_active,
        user.country.as_deref(),
        now,
    )
    .execute(conn)
    .await?;
    must_touch_one("users", done.rows_affected())
}

/// Registers a learner on first use; one who is known stays as they are.
pub(crate) async fn ensure(conn: &mut Connection, user: &User, now: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO users (user_id, username, email, full_name, is_active, country, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
        ON CONFLICT (user_id) DO NOTHING
        "#,
        user.id.0,
        user.username,
        user.email,
        user.full_name,
        user.is_active,
        user.country.as_deref(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Changes a learner's legal name and keeps the former one.
pub(crate) async fn change_name(
    conn: &mut Connection,
    id: UserId,
    former: &str,
    name: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let done = sqlx::query!(
        r#"
        WITH changed AS (
            UPDATE users SET full_name = $2, updated_at = $4 WHERE user_id = $1 RETURNING user_id
        )
        INSERT INTO user_name_changes (user_id, old_name, new_name, changed_at)
        SELECT user_id, $3, $2, $4 FROM changed
        "#,
        id.0,
        name,
        former,
        now
    )
    .execute(conn)
    .await?;
    must_touch_one("users", done.rows_affected())
}

/// Locks a learner, whom nobody can write about meanwhile; `false` when there is none.
pub(crate) async fn lock_for_erasure(conn: &mut Connection, id: UserId) -> Result<bool, StoreError> {
    let row = sqlx::query_scalar!("SELECT user_id FROM users WHERE user_id = $1 FOR UPDATE", id.0).fetch_optional(conn).await?;
    Ok(row.is_some())
}

/// Empties a locked learner's profile and closes the door: the tables take nothing more about them.
pub(crate) async fn erase(conn: &mut Connection, id: UserId, now: DateTime<Utc>) -> Result<(), StoreError> {
    let done = sqlx::query!(
        r#"
        UPDATE users SET username = '', email = '', full_name = '', country = NULL, is_active = false, updated_at = $2, erased_at = $2
        WHERE user_id = $1 AND erased_at IS NULL
        "#,
        id.0,
        now
    )
    .execute(conn)
    .await?;
    must_touch_one("users", done.rows_affected())
}

/// Whether a learner was erased; until the transaction ends they are not erased if they were not.
pub(crate) async fn is_erased(conn: &mut Connection, id: UserId) -> Result<bool, StoreError> {
    let row =
        sqlx::query_scalar!("SELECT erased_at FROM users WHERE user_id = $1 FOR KEY SHARE", id.0).fetch_optional(conn).await?;
    Ok(row.flatten().is_some())
}

/// Whether there is or was such a learner: what was decided of one who was erased can still be read.
pub(crate) async fn is_known(conn: &mut Connection, id: UserId) -> Result<bool, StoreError> {
    Ok(find(conn, id).await?.is_some() || is_erased(conn, id).await?)
}
