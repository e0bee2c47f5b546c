//! Checkpoints and the statuses that learners have there.

use chrono::{DateTime, Utc};

use super::{BadRow, Connection, StoreError};
use crate::domain::{
    checkpoint::LearnerFacts,
    ids::{AttemptId, CheckpointId, UserId},
    keys::{CourseKey, UsageKey},
};

pub use crate::domain::checkpoint::CheckpointStatus;

/// Whose status, for which attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StatusRow {
    pub(crate) user: UserId,
    pub(crate) attempt: AttemptId,
    pub(crate) status: CheckpointStatus,
    pub(crate) at: DateTime<Utc>,
}

/// Finds the checkpoint of a place in a course.
pub(crate) async fn find(
    conn: &mut Connection,
    course: &CourseKey,
    usage: &UsageKey,
) -> Result<Option<CheckpointId>, StoreError> {
    let id =
        sqlx::query_scalar!("SELECT id FROM checkpoints WHERE course_key = $1 AND usage = $2", course.as_str(), usage.as_str())
            .fetch_optional(conn)
            .await?;
    Ok(id.map(CheckpointId))
}

/// Finds the checkpoint of a place in a course, or makes it. Once it is there nobody waits for anybody: it is
/// looked for first, and no row is locked.
pub(crate) async fn ensure(
    conn: &mut Connection,
    course: &CourseKey,
    usage: &UsageKey,
    now: DateTime<Utc>,
) -> Result<CheckpointId, StoreError> {
    if let Some(id) = find(conn, course, usage).await? {
        return Ok(id);
    }
    sqlx::query!(
        r#"
        INSERT INTO checkpoints (course_key, usage, created_at) VALUES ($1, $2, $3)
        ON CONFLICT (course_key, usage) DO NOTHING
        "#,
        course.as_str(),
        usage.as_str(),
        now
    )
    .execute(&mut *conn)
    .await?;
    // A statement of its own sees what another transaction has committed meanwhile.
    find(conn, course, usage).await?.ok_or(StoreError::WrongCount { table: "checkpoints", touched: 0 })
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
    pub(crate) at: DateTime<Utc>,
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
        SELECT checkpoint_statuses.status, checkpoint_statuses.at, attempts.error_msg
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
        let status = status_of(&row.status)?;
        Ok(Latest { status, at: row.at, error_msg: row.error_msg })
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

/// The usage key of the checkpoint where an attempt's newest status is; empty when it waits nowhere.
/// Source: reference 1.3, location id for an attempt.
pub(crate) async fn location_of(conn: &mut Connection, attempt: AttemptId) -> Result<String, StoreError> {
    let usage = sqlx::query_scalar!(
        r#"
        SELECT usage FROM checkpoint_attempts
        JOIN checkpoints ON checkpoints.id = checkpoint_attempts.checkpoint_id
        JOIN checkpoint_statuses ON checkpoint_statuses.checkpoint_id = checkpoints.id
        WHERE checkpoint_attempts.attempt_id = $1
        ORDER BY checkpoint_statuses.id DESC
        LIMIT 1
        "#,
        attempt.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(usage.unwrap_or_default())
}

/// What the platform told of the block at a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockFacts {
    /// The assessment that it guards.
    pub related_assessment: String,
    /// The attempts that it says; see `domain::checkpoint::Tries` for what that means.
    pub attempts: i32,
    /// When it closes (UTC).
    pub due: Option<DateTime<Utc>>,
}

/// A checkpoint with what a learner did there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointRow {
    /// Its usage key.
    pub usage: String,
    /// The learner's latest status: the row with the greatest id. Source: reference 1.3.
    pub latest: Option<CheckpointStatus>,
    /// How often the learner submitted there.
    pub attempts_used: i64,
    /// What the platform told of its block, if it did.
    pub block: Option<BlockFacts>,
}

/// Most checkpoints of a course that are read.
const LIST_MAX: i64 = 1000;

/// The checkpoints of a course (those where somebody was, and the blocks that the platform told of) with what
/// a learner did there; only that of `usage`, if given.
pub(crate) async fn list(
    conn: &mut Connection,
    course: &CourseKey,
    user: UserId,
    usage: Option<&UsageKey>,
) -> Result<Vec<CheckpointRow>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT coalesce(places.usage, blocks.usage) AS "usage!", latest.status AS "status?", used.count AS "used!",
               blocks.related_assessment AS "assessment?", blocks.attempts AS "attempts?", blocks.due AS "due?"
        FROM (SELECT id, usage FROM checkpoints WHERE course_key = $1 AND ($3::text IS NULL OR usage = $3)) AS places
        FULL JOIN (SELECT usage, related_assessment, attempts, due FROM reverification_blocks
                   WHERE course_key = $1 AND ($3::text IS NULL OR usage = $3)) AS blocks
               ON blocks.usage = places.usage
        LEFT JOIN LATERAL (SELECT status FROM checkpoint_statuses
                           WHERE user_id = $2 AND checkpoint_id = places.id
                           ORDER BY id DESC LIMIT 1) AS latest ON true
        LEFT JOIN LATERAL (SELECT count(*) AS count FROM checkpoint_statuses
                           WHERE user_id = $2 AND checkpoint_id = places.id AND status = 'submitted') AS used ON true
        ORDER BY places.id NULLS LAST, blocks.usage
        LIMIT $4
        "#,
        course.as_str(),
        user.0,
        usage.map(UsageKey::as_str),
        LIST_MAX,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let block = row.assessment.zip(row.attempts);
            Ok(CheckpointRow {
                usage: row.usage,
                latest: row.status.as_deref().map(status_of).transpose()?,
                attempts_used: row.used,
                block: block.map(|(related_assessment, attempts)| BlockFacts { related_assessment, attempts, due: row.due }),
            })
        })
        .collect()
}

/// What a checkpoint wants to know of a learner in a course.
pub(crate) async fn learner_facts(conn: &mut Connection, course: &CourseKey, user: UserId) -> Result<LearnerFacts, StoreError> {
    Ok(sqlx::query_as!(
        LearnerFacts,
        r#"
        SELECT EXISTS (SELECT 1 FROM enrollments WHERE user_id = $1 AND course_key = $2 AND mode = 'verified' AND is_active)
                   AS "is_verified_track!",
               EXISTS (SELECT 1 FROM skipped_reverifications WHERE user_id = $1 AND course_key = $2) AS "has_skipped!"
        "#,
        user.0,
        course.as_str()
    )
    .fetch_one(conn)
    .await?)
}

fn status_of(text: &str) -> Result<CheckpointStatus, BadRow> {
    CheckpointStatus::parse(text).ok_or(BadRow { table: "checkpoint_statuses", column: "status" })
}
