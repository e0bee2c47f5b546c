//! Requests of learners for credit at a provider. From the first on no requirement changes any more.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{Connection, StoreError};
use crate::domain::ids::UserId;

/// Most requests that are listed.
const LIST_MAX: i64 = 100;

/// A learner's request for credit at a provider.
#[derive(Debug, Clone, PartialEq)]
pub struct CreditRequest {
    /// Its name at the provider; made once.
    pub uuid: Uuid,
    /// The provider.
    pub provider_id: String,
    /// `pending`, `approved` or `rejected`.
    pub status: String,
    /// What the provider was told.
    pub parameters: Value,
    /// Since when it exists (UTC).
    pub created_at: DateTime<Utc>,
    /// When it last changed (UTC).
    pub updated_at: DateTime<Utc>,
}

/// Whether a learner asked for credit in a course, whatever became of it. Source: reference 8.2, step 1.
pub(crate) async fn exists(conn: &mut Connection, course: &str, user: UserId) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM credit_requests WHERE user_id = $1 AND course_key = $2) AS "exists!""#,
        user.0,
        course
    )
    .fetch_one(conn)
    .await?)
}

/// Keeps a request: a new one with `uuid`, or the status (and parameters, if told) of the one that exists.
pub(crate) async fn upsert(
    conn: &mut Connection,
    (user, course): (UserId, &str),
    uuid: Uuid,
    (provider, status, parameters): (&str, &str, Option<&Value>),
    now: DateTime<Utc>,
) -> Result<CreditRequest, StoreError> {
    Ok(sqlx::query_as!(
        CreditRequest,
        r#"
        INSERT INTO credit_requests (uuid, user_id, course_key, provider_id, parameters, status, created_at, updated_at)
        VALUES ($1, $2, $3, $4, coalesce($5, '{}'::jsonb), $6, $7, $7)
        ON CONFLICT (user_id, course_key, provider_id) DO UPDATE
        SET parameters = coalesce($5, credit_requests.parameters), status = excluded.status,
            updated_at = CASE WHEN credit_requests.status = excluded.status
                               AND credit_requests.parameters = coalesce($5, credit_requests.parameters)
                              THEN credit_requests.updated_at ELSE excluded.updated_at END
        RETURNING uuid, provider_id, status, parameters, created_at, updated_at
        "#,
        uuid,
        user.0,
        course,
        provider,
        parameters,
        status,
        now
    )
    .fetch_one(conn)
    .await?)
}

/// A learner's requests in a course, oldest first, at most 100.
pub(crate) async fn list(conn: &mut Connection, course: &str, user: UserId) -> Result<Vec<CreditRequest>, StoreError> {
    Ok(sqlx::query_as!(
        CreditRequest,
        r#"
        SELECT uuid, provider_id, status, parameters, created_at, updated_at FROM credit_requests
        WHERE user_id = $1 AND course_key = $2
        ORDER BY created_at, uuid
        LIMIT $3
        "#,
        user.0,
        course,
        LIST_MAX
    )
    .fetch_all(conn)
    .await?)
}

/// Whether a course has that provider, or the learner asked it when the course had it.
pub(crate) async fn is_provider_known(
    conn: &mut Connection,
    (user, course): (UserId, &str),
    provider: &str,
) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"
        SELECT EXISTS (SELECT 1 FROM credit_providers WHERE course_key = $2 AND provider_id = $3)
            OR EXISTS (SELECT 1 FROM credit_requests WHERE user_id = $1 AND course_key = $2 AND provider_id = $3) AS "is_known!"
        "#,
        user.0,
        course,
        provider
    )
    .fetch_one(conn)
    .await?)
}
