//! Credit: requirements of courses, statuses of learners, eligibility.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{BadRow, Connection, StoreError};
use crate::domain::{
    credit::{Requirement, RequirementStatus},
    ids::UserId,
};

/// Makes a learner's credit in a course this transaction's alone: of two at once the second waits, and
/// then sees what the first did.
pub(crate) async fn lock(conn: &mut Connection, course: &str, user: UserId) -> Result<(), StoreError> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, $2))", course, user.0).execute(conn).await?;
    Ok(())
}

/// The active requirements of a course with a learner's statuses.
pub(crate) async fn requirements_of(conn: &mut Connection, course: &str, user: UserId) -> Result<Vec<Requirement>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT credit_requirements.id, credit_requirement_statuses.status AS "status?"
        FROM credit_requirements
        LEFT JOIN credit_requirement_statuses
               ON credit_requirement_statuses.requirement_id = credit_requirements.id AND user_id = $2
        WHERE course_key = $1 AND is_active
        ORDER BY position, credit_requirements.id
        LIMIT 1000
        "#,
        course,
        user.0
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let bad = BadRow { table: "credit_requirement_statuses", column: "status" };
            let status = row.status.map(|text| RequirementStatus::parse(&text).ok_or(bad)).transpose()?;
            Ok(Requirement { id: row.id, status })
        })
        .collect()
}

/// The active requirement of that namespace and name, if the course has one.
pub(crate) async fn find_requirement(
    conn: &mut Connection,
    course: &str,
    namespace: &str,
    name: &str,
) -> Result<Option<i64>, StoreError> {
    Ok(sqlx::query_scalar!(
        "SELECT id FROM credit_requirements WHERE course_key = $1 AND namespace = $2 AND name = $3 AND is_active",
        course,
        namespace,
        name
    )
    .fetch_optional(conn)
    .await?)
}

/// Sets a learner's status in a requirement.
pub(crate) async fn set_status(
    conn: &mut Connection,
    user: UserId,
    requirement: i64,
    status: (RequirementStatus, &Value),
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO credit_requirement_statuses (user_id, requirement_id, status, reason, status_date)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (user_id, requirement_id) DO UPDATE
        SET status = excluded.status, reason = excluded.reason, status_date = excluded.status_date
        WHERE credit_requirement_statuses.status <> excluded.status OR credit_requirement_statuses.reason <> excluded.reason
        "#,
        user.0,
        requirement,
        status.0.as_str(),
        status.1,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes a learner's status in a requirement, if it is `only` (whatever it is, without); `false` when there
/// was none.
pub(crate) async fn remove_status(
    conn: &mut Connection,
    user: UserId,
    requirement: i64,
    only: Option<RequirementStatus>,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        r#"
        DELETE FROM credit_requirement_statuses
        WHERE user_id = $1 AND requirement_id = $2 AND ($3::text IS NULL OR status = $3)
        "#,
        user.0,
        requirement,
        only.map(RequirementStatus::as_str)
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether a course is one with credit, enabled or not.
pub(crate) async fn is_credit_course(conn: &mut Connection, course: &str) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM credit_courses WHERE course_key = $1) AS "is_known!""#, course)
        .fetch_one(conn)
        .await?)
}

/// What a requirement asks for.
pub(crate) async fn find_criteria(conn: &mut Connection, requirement: i64) -> Result<Option<Value>, StoreError> {
    Ok(sqlx::query_scalar!("SELECT criteria FROM credit_requirements WHERE id = $1", requirement).fetch_optional(conn).await?)
}

/// Until when a learner is eligible in an enabled course, if they are at `now`.
pub(crate) async fn eligible_until(
    conn: &mut Connection,
    course: &str,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"
        SELECT deadline FROM credit_eligibilities
        JOIN credit_courses USING (course_key)
        WHERE course_key = $1 AND user_id = $2 AND is_enabled AND deadline > $3
        "#,
        course,
        user.0,
        now
    )
    .fetch_optional(conn)
    .await?)
}

/// Makes a learner eligible; `false` when a row exists, even an expired one.
pub(crate) async fn make_eligible(
    conn: &mut Connection,
    course: &str,
    user: UserId,
    deadline: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        r#"
        INSERT INTO credit_eligibilities (user_id, course_key, deadline, created_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (user_id, course_key) DO NOTHING
        "#,
        user.0,
        course,
        deadline,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A requirement with a learner's status, as the API shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct RequirementView {
    /// Its namespace, such as `reverification`.
    pub namespace: String,
    /// Its name in the namespace.
    pub name: String,
    /// What learners read.
    pub display_name: String,
    /// What it takes.
    pub criteria: Value,
    /// Its place in the list.
    pub position: i32,
    /// The learner's status, if any.
    pub status: Option<String>,
    /// Why.
    pub reason: Option<Value>,
    /// Since when (UTC).
    pub status_date: Option<DateTime<Utc>>,
}

/// The active requirements of a course with a learner's statuses, in order.
pub(crate) async fn view(conn: &mut Connection, course: &str, user: UserId) -> Result<Vec<RequirementView>, StoreError> {
    Ok(sqlx::query_as!(
        RequirementView,
        r#"
        SELECT namespace, name, display_name, criteria, position,
               status AS "status?", reason AS "reason?", status_date AS "status_date?"
        FROM credit_requirements
        LEFT JOIN credit_requirement_statuses ON requirement_id = credit_requirements.id AND user_id = $2
        WHERE course_key = $1 AND is_active
        ORDER BY position, credit_requirements.id
        LIMIT 1000
        "#,
        course,
        user.0
    )
    .fetch_all(conn)
    .await?)
}

/// The names of a course's credit providers, in order.
pub(crate) async fn provider_names(conn: &mut Connection, course: &str) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar!("SELECT display_name FROM credit_providers WHERE course_key = $1 ORDER BY position LIMIT 100", course)
        .fetch_all(conn)
        .await?)
}
