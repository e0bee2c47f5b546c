//! Checkpoints and the statuses that learners have there.

use chrono::{DateTime, Utc};

use super::{BadRow, Connection, StoreError};
use crate::domain::{
    ids::{AttemptId, CheckpointId, UserId},
    keys::{CourseKey, UsageKey},
};

/// A learner's status at a checkpoint. Source: reference 1.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointStatus {
    /// Photos were submitted.
    Submitted,
    /// The attempt was approved.
    Approved,
    /// The attempt was denied.
    Denied,
    /// The vendor had a fault of its own.
    Error,
}

impl CheckpointStatus {
    /// The status in SQL and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Error => "error",
        }
    }

    fn parse(text: &str) -> Result<Self, BadRow> {
        [Self::Submitted, Self::Approved, Self::Denied, Self::Error]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(BadRow { table: "checkpoint_statuses", column: "status" })
    }
}

/// Whose status, for which attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StatusRow {
    pub(crate) user: UserId,
    pub(crate) attempt: AttemptId,
    pub(crate) status: CheckpointStatus,
    pub(crate) at: DateTime<Utc>,
}

/// Finds the checkpoint of a place in a course, or makes it.
pub(crate) async fn ensure(
    conn: &mut Connection,
    course: &CourseKey,
    usage: &UsageKey,
    now: DateTime<Utc>,
) -> Result<CheckpointId, StoreError> {
    let id = sqlx::query_scalar!(
        r#"
        INSERT INTO checkpoints (course_key, usage, created_at) VALUES ($1, $2, $3)
        ON CONFLICT (course_key, usage) DO UPDATE SET usage = excluded.usage
        RETURNING id
        "#,
        course.as_str(),
        usage.as_str(),
        now
    )
    .fetch_one(conn)
    .await?;
    Ok(CheckpointId(id))
}

/// Ties an attempt to a checkpoint.
pub(crate) async fn link(conn: &mut Connection, checkpoint: CheckpointId, attempt: AttemptId) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO checkpoint_attempts (checkpoint_id, attempt_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        checkpoint.0,
        attempt.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Appends one status to each checkpoint that waits for the attempt; returns the checkpoints.
pub(crate) async fn append_to_linked(conn: &mut Connection, row: StatusRow) -> Result<Vec<CheckpointId>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"
        INSERT INTO checkpoint_statuses (checkpoint_id, user_id, attempt_id, status, at)
        SELECT checkpoint_id, $2, $1, $3, $4 FROM checkpoint_attempts WHERE attempt_id = $1 ORDER BY checkpoint_id
        RETURNING checkpoint_id
        "#,
        row.attempt.0,
        row.user.0,
        row.status.as_str(),
        row.at,
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(CheckpointId).collect())
}

/// A learner's newest verdict at a checkpoint, with the reasons of the attempt that brought it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Latest {
    pub(crate) status: CheckpointStatus,
    pub(crate) error_msg: String,
}

/// The newest verdict (approved or denied) for a learner at a checkpoint.
pub(crate) async fn latest_verdict(
    conn: &mut Connection,
    checkpoint: CheckpointId,
    user: UserId,
) -> Result<Option<Latest>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT checkpoint_statuses.status, attempts.error_msg
        FROM checkpoint_statuses
        JOIN attempts ON attempts.id = checkpoint_statuses.attempt_id
        WHERE checkpoint_statuses.user_id = $1 AND checkpoint_id = $2
          AND checkpoint_statuses.status IN ('approved', 'denied')
        ORDER BY checkpoint_statuses.id DESC
        LIMIT 1
        "#,
        user.0,
        checkpoint.0
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let status = CheckpointStatus::parse(&row.status)?;
        Ok(Latest { status, error_msg: row.error_msg })
    })
    .transpose()
}

/// The places that wait for an attempt: course and usage key.
pub(crate) async fn places_of(conn: &mut Connection, attempt: AttemptId) -> Result<Vec<(String, String)>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT course_key, usage FROM checkpoints
        JOIN checkpoint_attempts ON checkpoint_attempts.checkpoint_id = checkpoints.id
        WHERE attempt_id = $1
        ORDER BY checkpoints.id
        LIMIT 100
        "#,
        attempt.0
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.course_key, row.usage)).collect())
}

/// Where a checkpoint is: course and usage key.
pub(crate) async fn place(conn: &mut Connection, id: CheckpointId) -> Result<Option<(String, String)>, StoreError> {
    let row = sqlx::query!("SELECT course_key, usage FROM checkpoints WHERE id = $1", id.0).fetch_optional(conn).await?;
    Ok(row.map(|row| (row.course_key, row.usage)))
}

/// The course of an attempt's checkpoint and the checkpoint's name: the assessment that it guards or,
/// when the platform did not tell, its usage key.
pub(crate) async fn named_place_of(conn: &mut Connection, attempt: AttemptId) -> Result<Option<(String, String)>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT checkpoints.course_key, coalesce(related_assessment, checkpoints.usage) AS "name!"
        FROM checkpoint_attempts
        JOIN checkpoints ON checkpoints.id = checkpoint_id
        LEFT JOIN reverification_blocks
               ON reverification_blocks.course_key = checkpoints.course_key AND reverification_blocks.usage = checkpoints.usage
        WHERE attempt_id = $1
        ORDER BY checkpoints.id
        LIMIT 1
        "#,
        attempt.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.course_key, row.name)))
}
