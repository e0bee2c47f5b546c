//! Finding attempts among a million: each statement walks one index in the order of the list and stops at a page.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{BadRow, Connection, StoreError};
use crate::domain::{
    attempt::Status,
    ids::{ReceiptId, UserId},
    page::Key,
};

/// An attempt in a list; it names nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// Its public name.
    pub receipt: ReceiptId,
    /// The learner.
    pub user: UserId,
    /// Where it stands.
    pub status: Status,
    /// When it arrived (UTC).
    pub created_at: DateTime<Utc>,
    /// When it last changed (UTC).
    pub updated_at: DateTime<Utc>,
    /// When the vendor last accepted it (UTC).
    pub submitted_at: Option<DateTime<Utc>>,
    /// The vendor's `MessageType`.
    pub error_code: String,
    /// Who reviewed.
    pub reviewing_service: String,
}

/// What an attempt must have; its order in the list is another's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Having {
    /// One of these states.
    pub(crate) statuses: Vec<String>,
    /// The vendor's code.
    pub(crate) vendor_code: Option<String>,
    /// When it arrived: at or after, and before.
    pub(crate) created: (DateTime<Utc>, DateTime<Utc>),
    /// The vendor accepted it before.
    pub(crate) submitted_before: Option<DateTime<Utc>>,
}

/// Whose job an attempt must have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct WithJob {
    /// On this queue.
    pub(crate) queue: Option<String>,
    /// Of this kind.
    pub(crate) kind: Option<String>,
    /// In one of these groups of failures; `None`: of any, or of none.
    pub(crate) groups: Option<Vec<String>>,
}

impl WithJob {
    pub(crate) const fn is_asked(&self) -> bool {
        self.queue.is_some() || self.kind.is_some() || self.groups.is_some()
    }
}

/// An attempt's row, and its place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) at: DateTime<Utc>,
    pub(crate) id: i64,
    /// The attempt; `None`: the one that was looked at does not fit.
    pub(crate) attempt: Option<i64>,
}

impl Place {
    pub(crate) const fn key(&self) -> Key {
        Key { at: self.at, id: self.id }
    }

    pub(crate) const fn fits(&self) -> bool {
        self.attempt.is_some()
    }
}

/// Attempts before a key, newest first, and among them some that the vendor was not given before the moment that is asked for.
pub(crate) async fn newest(conn: &mut Connection, having: &Having, (after, limit): (Key, i64)) -> Result<Vec<Place>, StoreError> {
    let found = match &having.vendor_code {
        None => {
            sqlx::query_as!(
                Place,
                r#"
                SELECT found.created_at AS "at!", found.id AS "id!", CASE WHEN found.fits THEN found.id END AS attempt
                FROM unnest($1::text[]) AS wanted (status) CROSS JOIN LATERAL (
                    SELECT created_at, id, $5::timestamptz IS NULL OR submitted_at < $5 AS fits FROM attempts
                    WHERE attempts.status = wanted.status AND (created_at, id) < ($2, $3)
                      AND created_at >= $4
                    ORDER BY created_at DESC, id DESC
                    LIMIT $6) AS found
                ORDER BY 1 DESC, 2 DESC
                LIMIT $6
                "#,
                &having.statuses,
                after.at,
                after.id,
                having.created.0,
                having.submitted_before,
                limit,
            )
            .fetch_all(conn)
            .await?
        }
        Some(code) => {
            sqlx::query_as!(
                Place,
                r#"
                SELECT found.created_at AS "at!", found.id AS "id!", CASE WHEN found.fits THEN found.id END AS attempt
                FROM unnest($1::text[]) AS wanted (status) CROSS JOIN LATERAL (
                    SELECT created_at, id, $5::timestamptz IS NULL OR submitted_at < $5 AS fits FROM attempts
                    WHERE attempts.error_code = $7 AND error_code <> '' AND attempts.status = wanted.status
                      AND (created_at, id) < ($2, $3) AND created_at >= $4
                    ORDER BY created_at DESC, id DESC
                    LIMIT $6) AS found
                ORDER BY 1 DESC, 2 DESC
                LIMIT $6
                "#,
                &having.statuses,
                after.at,
                after.id,
                having.created.0,
                having.submitted_before,
                limit,
                code,
            )
            .fetch_all(conn)
            .await?
        }
    };
    Ok(found)
}

/// Whose an attempt is.
pub(crate) async fn user_of(conn: &mut Connection, receipt: ReceiptId) -> Result<Option<UserId>, StoreError> {
    let user = sqlx::query_scalar!("SELECT user_id FROM attempts WHERE receipt_id = $1", receipt.0).fetch_optional(conn).await?;
    Ok(user.map(UserId))
}

/// A learner's attempts, newest first, all or the one of that receipt.
pub(crate) async fn of_user(
    conn: &mut Connection,
    (user, receipt): (UserId, Option<ReceiptId>),
    (having, job): (&Having, &WithJob),
    (after, limit): (Key, i64),
) -> Result<Vec<Place>, StoreError> {
    let found = sqlx::query_as!(
        Place,
        r#"
        SELECT created_at AS at, id, id AS "attempt?" FROM attempts
        WHERE user_id = $1 AND ($2::uuid IS NULL OR receipt_id = $2) AND (created_at, id) < ($3, $4)
          AND status = ANY ($5) AND ($6::text IS NULL OR error_code = $6) AND created_at >= $7 AND created_at < $8
          AND ($9::timestamptz IS NULL OR submitted_at < $9)
          AND (NOT $10 OR EXISTS (
              SELECT 1 FROM jobs
              WHERE jobs.subject = attempts.receipt_id AND ($11::text IS NULL OR jobs.queue = $11)
                AND ($12::text IS NULL OR jobs.kind = $12) AND ($13::text[] IS NULL OR jobs.fingerprint = ANY ($13))))
        ORDER BY created_at DESC, id DESC
        LIMIT $14
        "#,
        user.0,
        receipt.map(|receipt| receipt.0),
        after.at,
        after.id,
        &having.statuses,
        having.vendor_code,
        having.created.0,
        having.created.1,
        having.submitted_before,
        job.is_asked(),
        job.queue,
        job.kind,
        job.groups.as_deref(),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(found)
}

/// Of these jobs, those whose attempt fits and has no newer job that is asked for too: the job and the attempt.
pub(crate) async fn of_jobs(
    conn: &mut Connection,
    ids: &[i64],
    having: &Having,
    job: &WithJob,
) -> Result<HashMap<i64, i64>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT jobs.id AS job, attempts.id AS attempt
        FROM jobs JOIN attempts ON attempts.receipt_id = jobs.subject
        WHERE jobs.id = ANY ($1)
          AND attempts.status = ANY ($2) AND ($3::text IS NULL OR attempts.error_code = $3)
          AND attempts.created_at >= $4 AND attempts.created_at < $5
          AND ($6::timestamptz IS NULL OR attempts.submitted_at < $6)
          AND NOT EXISTS (
              SELECT 1 FROM jobs AS newer
              WHERE newer.subject = jobs.subject AND ($8::text[] IS NOT NULL OR newer.queue = jobs.queue) AND ($7::text IS NULL OR newer.kind = $7)
                AND ($8::text[] IS NULL OR newer.fingerprint = ANY ($8))
                AND (newer.created_at, newer.id) > (jobs.created_at, jobs.id))
        "#,
        ids,
        &having.statuses,
        having.vendor_code,
        having.created.0,
        having.created.1,
        having.submitted_before,
        job.kind,
        job.groups.as_deref(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.job, row.attempt)).collect())
}

/// These attempts, in this order.
pub(crate) async fn load(conn: &mut Connection, ids: &[i64]) -> Result<Vec<AttemptRow>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT id, receipt_id, user_id, status, created_at, updated_at, submitted_at, error_code, reviewing_service
        FROM attempts WHERE id = ANY ($1)
        "#,
        ids
    )
    .fetch_all(conn)
    .await?;
    let mut found = HashMap::new();
    for row in rows {
        let status = Status::parse(&row.status).ok_or(BadRow { table: "attempts", column: "status" })?;
        let attempt = AttemptRow {
            receipt: ReceiptId(row.receipt_id),
            user: UserId(row.user_id),
            status,
            created_at: row.created_at,
            updated_at: row.updated_at,
            submitted_at: row.submitted_at,
            error_code: row.error_code,
            reviewing_service: row.reviewing_service,
        };
        found.insert(row.id, attempt);
    }
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}

/// Most attempts of a learner whose jobs are looked for.
const OF_USER_MAX: i64 = 1_000;

/// The receipts of a learner's attempts, the newest 1,000.
pub(crate) async fn receipts_of(conn: &mut Connection, user: UserId) -> Result<Vec<Uuid>, StoreError> {
    Ok(sqlx::query_scalar!(
        "SELECT receipt_id FROM attempts WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2",
        user.0,
        OF_USER_MAX,
    )
    .fetch_all(conn)
    .await?)
}
