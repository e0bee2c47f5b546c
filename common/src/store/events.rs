//! The history of attempts: appended to, never changed.

use chrono::{DateTime, Utc};

use uuid::Uuid;

use super::{Connection, StoreError};
pub use crate::domain::timeline::AttemptEvent;
use crate::domain::{attempt::Status, ids::AttemptId};

/// An event that is not a transition.
pub(crate) struct Note<'a> {
    pub(crate) at: DateTime<Utc>,
    pub(crate) actor: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) to: Option<Status>,
    pub(crate) detail: &'a str,
}

/// Appends an event.
pub(crate) async fn append(conn: &mut Connection, attempt: AttemptId, note: &Note<'_>) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO attempt_events (attempt_id, at, actor, kind, to_status, detail) VALUES ($1, $2, $3, $4, $5, $6)",
        attempt.0,
        note.at,
        note.actor,
        note.kind,
        note.to.map(Status::as_str),
        note.detail,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Appends the same event to each of these attempts.
pub(crate) async fn append_each(conn: &mut Connection, receipts: &[Uuid], note: &Note<'_>) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO attempt_events (attempt_id, at, actor, kind, to_status, detail)
        SELECT id, $2, $3, $4, $5, $6 FROM attempts WHERE receipt_id = ANY ($1) ORDER BY id
        "#,
        receipts,
        note.at,
        note.actor,
        note.kind,
        note.to.map(Status::as_str),
        note.detail,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How often `kind` happened to an attempt.
pub(crate) async fn count(conn: &mut Connection, attempt: AttemptId, kind: &str) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM attempt_events WHERE attempt_id = $1 AND kind = $2"#,
        attempt.0,
        kind
    )
    .fetch_one(conn)
    .await?)
}

/// An attempt's history, oldest first, the newest 500.
pub(crate) async fn list(conn: &mut Connection, attempt: AttemptId) -> Result<Vec<AttemptEvent>, StoreError> {
    let rows = sqlx::query_as!(
        AttemptEvent,
        r#"
        SELECT at, actor, kind, from_status AS "from", to_status AS "to", detail
        FROM (SELECT * FROM attempt_events WHERE attempt_id = $1 ORDER BY id DESC LIMIT 500) AS newest
        ORDER BY id
        "#,
        attempt.0
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
