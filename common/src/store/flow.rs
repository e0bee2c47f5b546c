//! What the pages between an enrolment and a verified certificate need of a course and a learner.

use chrono::{DateTime, Utc};

use super::{Connection, StoreError};
use crate::domain::{course::CourseMode, embargo::CountryRules, ids::UserId, keys::CourseKey};

/// A course, as its pages tell of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CourseFacts {
    /// Its name.
    pub display_name: String,
    /// When it starts (UTC).
    pub starts_at: Option<DateTime<Utc>>,
    /// Last moment at which learners may verify (UTC).
    pub verification_deadline: Option<DateTime<Utc>>,
}

/// Finds a course.
pub(crate) async fn find_course(conn: &mut Connection, course: &CourseKey) -> Result<Option<CourseFacts>, StoreError> {
    Ok(sqlx::query_as!(
        CourseFacts,
        r#"
        SELECT display_name, starts_at, deadline AS "verification_deadline?"
        FROM courses
        LEFT JOIN verification_deadlines USING (course_key)
        WHERE course_key = $1
        "#,
        course.as_str()
    )
    .fetch_optional(conn)
    .await?)
}

/// A course's modes, in its order.
pub(crate) async fn list_modes(conn: &mut Connection, course: &CourseKey) -> Result<Vec<CourseMode>, StoreError> {
    Ok(sqlx::query_as!(
        CourseMode,
        r#"
        SELECT slug, display_name, min_price, currency, sku, expires_at
        FROM course_modes WHERE course_key = $1
        ORDER BY position
        LIMIT 1000
        "#,
        course.as_str()
    )
    .fetch_all(conn)
    .await?)
}

/// The mode of a learner's active enrolment in a course.
pub(crate) async fn enrolled_mode(conn: &mut Connection, user: UserId, course: &CourseKey) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar!(
        "SELECT mode FROM enrollments WHERE user_id = $1 AND course_key = $2 AND is_active",
        user.0,
        course.as_str()
    )
    .fetch_optional(conn)
    .await?)
}

/// The courses in which a learner is actively enrolled, in order of their keys.
pub(crate) async fn list_enrolled_courses(conn: &mut Connection, user: UserId) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar!(
        "SELECT course_key FROM enrollments WHERE user_id = $1 AND is_active ORDER BY course_key LIMIT 1000",
        user.0
    )
    .fetch_all(conn)
    .await?)
}

/// A course's country rules, if it is restricted.
pub(crate) async fn find_country_rules(conn: &mut Connection, course: &CourseKey) -> Result<Option<CountryRules>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT message_key,
               coalesce(array_agg(country) FILTER (WHERE rule = 'whitelist'), '{}') AS "whitelist!",
               coalesce(array_agg(country) FILTER (WHERE rule = 'blacklist'), '{}') AS "blacklist!"
        FROM restricted_courses
        LEFT JOIN country_access_rules USING (course_key)
        WHERE course_key = $1
        GROUP BY message_key
        "#,
        course.as_str()
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| CountryRules { message_key: row.message_key, whitelist: row.whitelist, blacklist: row.blacklist }))
}

/// What a learner chose on the way to a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// The amount, as they typed it.
    pub contribution: Option<String>,
    /// Whether they come from a free track.
    pub is_upgrade: bool,
}

/// What a learner chose for a course.
pub(crate) async fn find_choice(conn: &mut Connection, user: UserId, course: &CourseKey) -> Result<Option<Choice>, StoreError> {
    Ok(sqlx::query_as!(
        Choice,
        "SELECT contribution, is_upgrade FROM flow_choices WHERE user_id = $1 AND course_key = $2",
        user.0,
        course.as_str()
    )
    .fetch_optional(conn)
    .await?)
}

/// Keeps what a learner chose for a course.
pub(crate) async fn save_choice(
    conn: &mut Connection,
    user: UserId,
    course: &CourseKey,
    choice: &Choice,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO flow_choices (user_id, course_key, contribution, is_upgrade, updated_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (user_id, course_key) DO UPDATE
        SET contribution = excluded.contribution, is_upgrade = excluded.is_upgrade, updated_at = excluded.updated_at
        "#,
        user.0,
        course.as_str(),
        choice.contribution.as_deref(),
        choice.is_upgrade,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}
