//! What operators did, for whoever asks later.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Connection, StoreError};
use crate::domain::page::Key;

/// What somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number.
    pub id: i64,
    /// When (UTC).
    pub at: DateTime<Utc>,
    /// The name of the key that was used.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// What it was done to.
    pub target: String,
    /// Why.
    pub reason: String,
    /// More.
    pub detail: Value,
}

/// Which entries are wanted; nothing given: all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// What it was done to.
    pub target: Option<String>,
    /// By whom.
    pub actor: Option<String>,
    /// What was done.
    pub action: Option<String>,
    /// Not before (UTC).
    pub after: Option<DateTime<Utc>>,
}

/// What was done, the newest first.
pub(crate) async fn list(
    conn: &mut Connection,
    filter: &AuditFilter,
    (before, limit): (Key, i64),
) -> Result<Vec<AuditEntry>, StoreError> {
    Ok(sqlx::query_as!(
        AuditEntry,
        r#"
        SELECT id, at, actor, action, target, reason, detail FROM operator_actions
        WHERE (at, id) < ($1, $2) AND at >= $3 AND ($4::text IS NULL OR target = $4)
          AND ($5::text IS NULL OR actor = $5) AND ($6::text IS NULL OR action = $6)
        ORDER BY at DESC, id DESC
        LIMIT $7
        "#,
        before.at,
        before.id,
        filter.after.unwrap_or(Key::FIRST.at),
        filter.target,
        filter.actor,
        filter.action,
        limit,
    )
    .fetch_all(conn)
    .await?)
}
