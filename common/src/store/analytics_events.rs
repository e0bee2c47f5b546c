//! Events for analytics that are still to be delivered, in the order in which they happened.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{Connection, StoreError};
use crate::domain::{
    event::Event,
    ids::{AttemptId, JobId, UserId},
};

/// An event that is still to be delivered.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptEvent {
    /// Its row; a learner's events have them in the order in which they happened.
    pub id: i64,
    /// What happened.
    pub name: String,
    /// What it says besides.
    pub properties: Value,
    /// The same at each delivery, so that the service drops a second one.
    pub message_id: Uuid,
    /// When it happened (UTC).
    pub at: DateTime<Utc>,
}

/// The first key of the advisory locks of this table: another lock of the same learner is not ours.
const LOCK_SPACE: i64 = 0x0065_7665_6e74;

/// Makes a learner's events this transaction's alone, so that they and their jobs have ids in the order in
/// which they are committed, and of two jobs one sends.
pub(crate) async fn lock(conn: &mut Connection, user: UserId) -> Result<(), StoreError> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1::bigint::text, $2))", user.0, LOCK_SPACE)
        .execute(conn)
        .await?;
    Ok(())
}

/// Appends an event.
pub(crate) async fn append(
    conn: &mut Connection,
    (user, attempt): (UserId, Option<AttemptId>),
    event: &Event,
    message_id: Uuid,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO analytics_events (user_id, name, properties, attempt_id, message_id, at) VALUES ($1, $2, $3, $4, $5, $6)",
        user.0,
        event.name.as_str(),
        event.properties,
        attempt.map(|id| id.0),
        message_id,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A learner's oldest events.
pub(crate) async fn list_oldest(conn: &mut Connection, user: UserId, limit: i64) -> Result<Vec<KeptEvent>, StoreError> {
    Ok(sqlx::query_as!(
        KeptEvent,
        "SELECT id, name, properties, message_id, at FROM analytics_events WHERE user_id = $1 ORDER BY id LIMIT $2",
        user.0,
        limit
    )
    .fetch_all(conn)
    .await?)
}

/// How many events of a learner wait, counted up to `limit`.
pub(crate) async fn count(conn: &mut Connection, user: UserId, limit: i64) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM (SELECT 1 FROM analytics_events WHERE user_id = $1 LIMIT $2) AS counted"#,
        user.0,
        limit
    )
    .fetch_one(conn)
    .await?)
}

/// Deletes a learner's events up to one, which are delivered; `true` when others are left.
pub(crate) async fn delete_through(conn: &mut Connection, user: UserId, last: i64) -> Result<bool, StoreError> {
    sqlx::query!("DELETE FROM analytics_events WHERE user_id = $1 AND id <= $2", user.0, last).execute(&mut *conn).await?;
    Ok(count(conn, user, 1).await? > 0)
}

/// Whether a learner's events have another job that is not dead.
pub(crate) async fn has_other_job(conn: &mut Connection, user: UserId, job: JobId) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"
        SELECT EXISTS (
            SELECT 1 FROM jobs
            WHERE kind = 'track_event' AND dead_at IS NULL AND args ->> 'user' = $1::bigint::text AND id <> $2) AS "exists!"
        "#,
        user.0,
        job.0
    )
    .fetch_one(conn)
    .await?)
}
