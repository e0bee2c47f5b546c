//! Courses and what hangs on them, as the learning platform pushes them.

use chrono::{DateTime, Utc};

use super::{Connection, StoreError};
use crate::domain::{
    course::{BlockPlace, CourseMode, CreditProvider, CreditRequirement, ReverificationBlock},
    embargo::CountryRules,
    ids::UserId,
    keys::{CourseKey, UsageKey},
};

/// The name of a course, if it is known; the row is locked for the rest of the transaction.
pub(crate) async fn lock_name(conn: &mut Connection, course: &CourseKey) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar!("SELECT display_name FROM courses WHERE course_key = $1 FOR UPDATE", course.as_str())
        .fetch_optional(conn)
        .await?)
}

/// The name of a course, if it is known.
pub(crate) async fn find_name(conn: &mut Connection, course: &str) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar!("SELECT display_name FROM courses WHERE course_key = $1", course).fetch_optional(conn).await?)
}

/// Name and dates of a course; an outer `None` leaves a date as it is.
pub(crate) struct CourseDates {
    pub(crate) starts_at: Option<Option<DateTime<Utc>>>,
    pub(crate) ends_at: Option<Option<DateTime<Utc>>>,
}

/// Inserts or updates a course.
pub(crate) async fn upsert(
    conn: &mut Connection,
    course: &CourseKey,
    name: &str,
    dates: &CourseDates,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO courses (course_key, display_name, starts_at, ends_at, updated_at) VALUES ($1, $2, $3, $5, $7)
        ON CONFLICT (course_key) DO UPDATE
        SET display_name = excluded.display_name,
            starts_at = CASE WHEN $4 THEN excluded.starts_at ELSE courses.starts_at END,
            ends_at = CASE WHEN $6 THEN excluded.ends_at ELSE courses.ends_at END,
            updated_at = excluded.updated_at
        "#,
        course.as_str(),
        name,
        dates.starts_at.flatten(),
        dates.starts_at.is_some(),
        dates.ends_at.flatten(),
        dates.ends_at.is_some(),
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a course is known.
pub(crate) async fn is_known(conn: &mut Connection, course: &CourseKey) -> Result<bool, StoreError> {
    Ok(find_name(conn, course.as_str()).await?.is_some())
}

/// Until when the tracks of a course can be chosen, of those that end (UTC), earliest first.
pub(crate) async fn list_upgrade_deadlines(conn: &mut Connection, course: &CourseKey) -> Result<Vec<DateTime<Utc>>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"
        SELECT expires_at AS "expires_at!" FROM course_modes
        WHERE course_key = $1 AND expires_at IS NOT NULL
        ORDER BY expires_at
        LIMIT 100
        "#,
        course.as_str()
    )
    .fetch_all(conn)
    .await?)
}

/// Replaces a course's tracks.
pub(crate) async fn replace_modes(conn: &mut Connection, course: &CourseKey, modes: &[CourseMode]) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM course_modes WHERE course_key = $1", course.as_str()).execute(&mut *conn).await?;
    for (mode, position) in modes.iter().zip(0_i32..) {
        sqlx::query!(
            r#"
            INSERT INTO course_modes (course_key, slug, display_name, min_price, currency, sku, expires_at, position)
            VALUES ($1, $2, $3, $4, lower($5), $6, $7, $8)
            "#,
            course.as_str(),
            mode.slug,
            mode.display_name,
            mode.min_price,
            mode.currency,
            mode.sku.as_deref(),
            mode.expires_at,
            position,
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Replaces a course's reverification blocks.
pub(crate) async fn replace_blocks(
    conn: &mut Connection,
    course: &CourseKey,
    blocks: &[ReverificationBlock],
) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM reverification_blocks WHERE course_key = $1", course.as_str()).execute(&mut *conn).await?;
    for block in blocks {
        sqlx::query!(
            r#"
            INSERT INTO reverification_blocks (course_key, usage, related_assessment, attempts, due, chapter, section, position)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            "#,
            course.as_str(),
            block.usage.as_str(),
            block.related_assessment,
            block.attempts,
            block.due,
            block.place.chapter.as_deref(),
            block.place.section.as_deref(),
            block.place.position.as_deref(),
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Where a reverification block stands, if it is known.
pub(crate) async fn find_block(
    conn: &mut Connection,
    course: &CourseKey,
    usage: &UsageKey,
) -> Result<Option<BlockPlace>, StoreError> {
    Ok(sqlx::query_as!(
        BlockPlace,
        "SELECT chapter, section, position FROM reverification_blocks WHERE course_key = $1 AND usage = $2",
        course.as_str(),
        usage.as_str()
    )
    .fetch_optional(conn)
    .await?)
}

/// Inserts or updates whether credit can be earned in a course.
pub(crate) async fn set_credit(conn: &mut Connection, course: &CourseKey, is_enabled: bool) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO credit_courses (course_key, is_enabled) VALUES ($1, $2)
        ON CONFLICT (course_key) DO UPDATE SET is_enabled = excluded.is_enabled
        "#,
        course.as_str(),
        is_enabled
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether credit can be earned in a course, if anything was told of that.
pub(crate) async fn is_credit_enabled(conn: &mut Connection, course: &CourseKey) -> Result<Option<bool>, StoreError> {
    Ok(sqlx::query_scalar!("SELECT is_enabled FROM credit_courses WHERE course_key = $1", course.as_str())
        .fetch_optional(conn)
        .await?)
}

/// Makes these the active requirements, in this order; statuses of all survive. Source: reference 8.3.
pub(crate) async fn replace_requirements(
    conn: &mut Connection,
    course: &CourseKey,
    requirements: &[CreditRequirement],
) -> Result<(), StoreError> {
    sqlx::query!("UPDATE credit_requirements SET is_active = false WHERE course_key = $1", course.as_str())
        .execute(&mut *conn)
        .await?;
    for (requirement, position) in requirements.iter().zip(0_i32..) {
        sqlx::query!(
            r#"
            INSERT INTO credit_requirements (course_key, namespace, name, display_name, criteria, position, is_active)
            VALUES ($1, $2, $3, $4, $5, $6, true)
            ON CONFLICT (course_key, namespace, name) DO UPDATE
            SET display_name = excluded.display_name, criteria = excluded.criteria, position = excluded.position, is_active = true
            "#,
            course.as_str(),
            requirement.namespace,
            requirement.name,
            requirement.display_name,
            requirement.criteria,
            position,
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Replaces a course's credit providers.
pub(crate) async fn replace_providers(
    conn: &mut Connection,
    course: &CourseKey,
    providers: &[CreditProvider],
) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM credit_providers WHERE course_key = $1", course.as_str()).execute(&mut *conn).await?;
    for (provider, position) in providers.iter().zip(0_i32..) {
        sqlx::query!(
            "INSERT INTO credit_providers (course_key, provider_id, display_name, position) VALUES ($1, $2, $3, $4)",
            course.as_str(),
            provider.id,
            provider.display_name,
            position,
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Replaces a course's country rules; `None` lifts them.
pub(crate) async fn replace_country_rules(
    conn: &mut Connection,
    course: &CourseKey,
    rules: Option<&CountryRules>,
) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM restricted_courses WHERE course_key = $1", course.as_str()).execute(&mut *conn).await?;
    let Some(rules) = rules else { return Ok(()) };
    sqlx::query!("INSERT INTO restricted_courses (course_key, message_key) VALUES ($1, $2)", course.as_str(), rules.message_key)
        .execute(&mut *conn)
        .await?;
    for (rule, countries) in [("whitelist", &rules.whitelist), ("blacklist", &rules.blacklist)] {
        sqlx::query!(
            r#"
            INSERT INTO country_access_rules (course_key, country, rule)
            SELECT DISTINCT $1, country, $2 FROM unnest($3::text[]) AS countries (country)
            "#,
            course.as_str(),
            rule,
            countries,
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Sets a learner's enrolment in a course; `false` when the course is not known.
pub(crate) async fn set_enrollment(
    conn: &mut Connection,
    user: UserId,
    course: &CourseKey,
    enrollment: (&str, bool),
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        r#"
        INSERT INTO enrollments (user_id, course_key, mode, is_active, updated_at)
        SELECT $1, course_key, $3, $4, $5 FROM courses WHERE course_key = $2
        ON CONFLICT (user_id, course_key) DO UPDATE
        SET mode = excluded.mode, is_active = excluded.is_active, updated_at = excluded.updated_at
        "#,
        user.0,
        course.as_str(),
        enrollment.0,
        enrollment.1,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}
