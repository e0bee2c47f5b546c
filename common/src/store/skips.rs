//! Opt-outs of re-verification: one a learner and course. Source: reference 1.4.

use chrono::{DateTime, Utc};

use super::{Connection, StoreError};
use crate::domain::{
    ids::{CheckpointId, UserId},
    keys::CourseKey,
};

/// Keeps an opt-out, said at a checkpoint; `false` when the learner has one in that course already.
pub(crate) async fn insert(
    conn: &mut Connection,
    user: UserId,
    course: &CourseKey,
    checkpoint: CheckpointId,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        r#"
        INSERT INTO skipped_reverifications (user_id, course_key, checkpoint_id, created_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (user_id, course_key) DO NOTHING
        "#,
        user.0,
        course.as_str(),
        checkpoint.0,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes an opt-out back; the checkpoint at which it was said, if there was one.
pub(crate) async fn delete(conn: &mut Connection, user: UserId, course: &CourseKey) -> Result<Option<CheckpointId>, StoreError> {
    let checkpoint = sqlx::query_scalar!(
        "DELETE FROM skipped_reverifications WHERE user_id = $1 AND course_key = $2 RETURNING checkpoint_id",
        user.0,
        course.as_str()
    )
    .fetch_optional(conn)
    .await?;
    Ok(checkpoint.map(CheckpointId))
}

/// When a learner opted out at a checkpoint (UTC), if they did.
pub(crate) async fn find_at(
    conn: &mut Connection,
    user: UserId,
    checkpoint: CheckpointId,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    Ok(sqlx::query_scalar!(
        "SELECT created_at FROM skipped_reverifications WHERE user_id = $1 AND checkpoint_id = $2",
        user.0,
        checkpoint.0
    )
    .fetch_optional(conn)
    .await?)
}
