//! Verification deadlines of courses, with the history of their changes.

use chrono::{DateTime, Utc};

use super::{Connection, StoreError};
use crate::domain::{
    deadline::{Deadline, DeadlineChange},
    keys::CourseKey,
};

/// Most lines of a history that are read.
const HISTORY_MAX: i64 = 500;

/// A course's deadline.
pub(crate) async fn find(conn: &mut Connection, course: &CourseKey) -> Result<Deadline, StoreError> {
    let row = sqlx::query!("SELECT deadline, is_explicit FROM verification_deadlines WHERE course_key = $1", course.as_str())
        .fetch_optional(&mut *conn)
        .await?;
    if let Some(row) = row {
        return Ok(if row.is_explicit { Deadline::Explicit(row.deadline) } else { Deadline::CourseEnd(row.deadline) });
    }
    let is_removed = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM verification_deadline_removals WHERE course_key = $1) AS "is_removed!""#,
        course.as_str()
    )
    .fetch_one(conn)
    .await?;
    Ok(if is_removed { Deadline::Removed } else { Deadline::Unset })
}

/// Keeps a course's deadline, whatever it was before.
pub(crate) async fn save(
    conn: &mut Connection,
    course: &CourseKey,
    deadline: Deadline,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if deadline == Deadline::Removed {
        sqlx::query!(
            "INSERT INTO verification_deadline_removals (course_key, removed_at) VALUES ($1, $2) ON CONFLICT (course_key) DO NOTHING",
            course.as_str(),
            now
        )
        .execute(&mut *conn)
        .await?;
    } else {
        sqlx::query!("DELETE FROM verification_deadline_removals WHERE course_key = $1", course.as_str())
            .execute(&mut *conn)
            .await?;
    }
    let Some(at) = deadline.at() else {
        sqlx::query!("DELETE FROM verification_deadlines WHERE course_key = $1", course.as_str()).execute(conn).await?;
        return Ok(());
    };
    sqlx::query!(
        r#"
        INSERT INTO verification_deadlines (course_key, deadline, is_explicit, updated_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (course_key) DO UPDATE
        SET deadline = excluded.deadline, is_explicit = excluded.is_explicit, updated_at = excluded.updated_at
        "#,
        course.as_str(),
        at,
        deadline.is_explicit(),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Appends a line to the history of a course's deadline; `actor` is the key's name.
pub(crate) async fn append(
    conn: &mut Connection,
    course: &CourseKey,
    line: DeadlineChange,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO verification_deadline_changes (course_key, change, deadline, is_explicit, actor, at)
        VALUES ($1, $2, $3, $4, $5, $6)
        "#,
        course.as_str(),
        line.change,
        line.deadline,
        line.is_explicit,
        actor,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A line of the history of a course's deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryLine {
    /// `created`, `changed` or `deleted`.
    pub change: String,
    /// The deadline after it (UTC); of a deletion, the one that was deleted.
    pub deadline: DateTime<Utc>,
    /// Whether the platform said so itself.
    pub is_explicit: bool,
    /// The name of the key that changed it.
    pub actor: String,
    /// When (UTC).
    pub at: DateTime<Utc>,
}

/// The history of a course's deadline, newest first, at most 500 lines.
pub(crate) async fn history(conn: &mut Connection, course: &CourseKey) -> Result<Vec<HistoryLine>, StoreError> {
    Ok(sqlx::query_as!(
        HistoryLine,
        r#"
        SELECT change, deadline, is_explicit, actor, at FROM verification_deadline_changes
        WHERE course_key = $1
        ORDER BY id DESC
        LIMIT $2
        "#,
        course.as_str(),
        HISTORY_MAX
    )
    .fetch_all(conn)
    .await?)
}
