//! Switches that the platform turns at run time: the newest row of a name holds. Source: reference 1.6.

use chrono::{DateTime, Utc};

use super::{Connection, StoreError};

/// How a switch stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// Whether it is on.
    pub is_on: bool,
    /// The name of the key that turned it.
    pub changed_by: String,
    /// When (UTC).
    pub changed_at: DateTime<Utc>,
}

/// Finds how a switch stands; `None` when nobody ever turned it.
pub(crate) async fn find(conn: &mut Connection, name: &str) -> Result<Option<Switch>, StoreError> {
    Ok(sqlx::query_as!(
        Switch,
        "SELECT is_on, changed_by, changed_at FROM switches WHERE name = $1 ORDER BY id DESC LIMIT 1",
        name
    )
    .fetch_optional(conn)
    .await?)
}

/// Appends a row.
pub(crate) async fn append(conn: &mut Connection, name: &str, switch: &Switch) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO switches (name, is_on, changed_by, changed_at) VALUES ($1, $2, $3, $4)",
        name,
        switch.is_on,
        switch.changed_by,
        switch.changed_at
    )
    .execute(conn)
    .await?;
    Ok(())
}
