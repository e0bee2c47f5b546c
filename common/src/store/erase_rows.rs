//! What an erasure does to rows. Each may be done again: then it finds nothing.

use chrono::{DateTime, Utc};

use super::{BadRow, Connection, StoreError};
use crate::domain::{
    attempt::Status,
    erasure::Counts,
    ids::{AttemptId, ReceiptId, UserId},
    retention::Kind,
};

/// An attempt of a learner who is erased.
pub(crate) struct Erased {
    pub(crate) id: AttemptId,
    pub(crate) receipt: ReceiptId,
    pub(crate) status: Status,
}

/// A learner's attempts after `after`, in the order of their rows.
pub(crate) async fn list_attempts(
    conn: &mut Connection,
    user: UserId,
    after: AttemptId,
    limit: i64,
) -> Result<Vec<Erased>, StoreError> {
    let rows = sqlx::query!(
        "SELECT id, receipt_id, status FROM attempts WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3",
        user.0,
        after.0,
        limit
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let status = Status::parse(&row.status).ok_or(BadRow { table: "attempts", column: "status" })?;
            Ok(Erased { id: AttemptId(row.id), receipt: ReceiptId(row.receipt_id), status })
        })
        .collect()
}

/// What became of jobs that are taken away.
pub(crate) struct JobsGone {
    pub(crate) gone: u64,
    /// Some worker had one of them just now, and may still store what it makes.
    pub(crate) was_in_hand: bool,
    /// How many another transaction has: look again.
    pub(crate) left: i64,
}

/// Takes away every job of a learner, dead or alive. Whoever had one can settle it no more.
pub(crate) async fn delete_jobs(conn: &mut Connection, user: UserId) -> Result<JobsGone, StoreError> {
    let rows = sqlx::query!(
        r#"
        DELETE FROM jobs WHERE id IN (
            SELECT id FROM jobs
            WHERE subject IN (SELECT receipt_id FROM attempts WHERE user_id = $1) OR args ->> 'user' = $1::bigint::text
            FOR UPDATE SKIP LOCKED)
        RETURNING dead_at IS NULL AND phase = 'running' AND due_at > now() AS "is_in_hand!"
        "#,
        user.0
    )
    .fetch_all(&mut *conn)
    .await?;
    let left = sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!" FROM jobs
        WHERE subject IN (SELECT receipt_id FROM attempts WHERE user_id = $1) OR args ->> 'user' = $1::bigint::text
        "#,
        user.0
    )
    .fetch_one(conn)
    .await?;
    Ok(JobsGone { gone: rows.len() as u64, was_in_hand: rows.iter().any(|row| row.is_in_hand), left })
}

/// Empties an attempt and all that hangs on it; states, dates and receipt stay.
pub(crate) async fn empty_attempt(
    conn: &mut Connection,
    (id, receipt): (AttemptId, ReceiptId),
    now: DateTime<Utc>,
) -> Result<Counts, StoreError> {
    let mut counts = Counts::default();
    let row = sqlx::query!(
        r#"
        WITH before AS (
            SELECT id, (face_upload IS NOT NULL)::int + (photo_id_upload IS NOT NULL)::int AS uploads,
                   face_object IS NOT NULL AS has_face, photo_id_object IS NOT NULL AS has_photo_id,
                   name <> '' OR error_msg <> '' AS has_details
            FROM attempts WHERE id = $1 FOR UPDATE
        )
        UPDATE attempts SET name = '', error_msg = '', error_code = '', trace = NULL, face_upload = NULL, photo_id_upload = NULL,
               face_object = NULL, photo_id_object = NULL, face_key = '', photo_id_key = '', expiry_mail_due = NULL,
               expiry_mails = greatest(expiry_mails, 1), emptied_at = coalesce(emptied_at, $2)
        FROM before WHERE attempts.id = before.id
        RETURNING uploads AS "uploads!", has_face AS "has_face!", has_photo_id AS "has_photo_id!", has_details AS "has_details!"
        "#,
        id.0,
        now
    )
    .fetch_one(&mut *conn)
    .await?;
    counts.add(Kind::Uploads, u64::try_from(row.uploads).unwrap_or_default());
    counts.add(Kind::Faces, u64::from(row.has_face));
    counts.add(Kind::IdPhotos, u64::from(row.has_photo_id));
    counts.add(Kind::AttemptDetails, u64::from(row.has_details));
    sqlx::query!("UPDATE attempt_events SET detail = '' WHERE attempt_id = $1 AND detail <> ''", id.0)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("DELETE FROM job_runs WHERE subject = $1", receipt.0).execute(&mut *conn).await?;
    counts.add(Kind::Callbacks, empty_callbacks(conn, id, receipt).await?);
    let keys = sqlx::query!("DELETE FROM submission_keys WHERE receipt_id = $1", receipt.0).execute(&mut *conn).await?;
    counts.add(Kind::SubmissionKeys, keys.rows_affected());
    counts.add(Kind::Audit, empty_reasons(conn, &receipt.to_string()).await?);
    Ok(counts)
}

/// The keys stay, so that a repeated call is known; a call that nobody applied is applied no more.
async fn empty_callbacks(conn: &mut Connection, id: AttemptId, receipt: ReceiptId) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        r#"
        UPDATE vendor_callbacks SET body_sealed = '',
               verdict = CASE WHEN outcome IN ('orphan', 'unknown_result') THEN '' ELSE verdict END,
               outcome = CASE WHEN outcome IN ('received', 'orphan') THEN 'dropped' ELSE outcome END
        WHERE (attempt_id = $1 OR (outcome = 'orphan' AND receipt = $2)) AND body_sealed <> ''
        "#,
        id.0,
        receipt.to_string()
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// What operators wrote of an attempt may name a person; that they acted stays.
async fn empty_reasons(conn: &mut Connection, target: &str) -> Result<u64, StoreError> {
    let done = sqlx::query!("UPDATE operator_actions SET reason = 'erased' WHERE target = $1 AND reason <> 'erased'", target)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

/// Empties or deletes what stands of a learner outside their attempts.
pub(crate) async fn empty_learner(conn: &mut Connection, user: UserId) -> Result<Counts, StoreError> {
    let mut counts = Counts::default();
    let id = user.0;
    let done = sqlx::query!("DELETE FROM user_name_changes WHERE user_id = $1", id).execute(&mut *conn).await?;
    counts.add(Kind::FormerNames, done.rows_affected());
    let done = sqlx::query!("DELETE FROM analytics_events WHERE user_id = $1", id).execute(&mut *conn).await?;
    counts.add(Kind::Events, done.rows_affected());
    let done = sqlx::query!("DELETE FROM flow_choices WHERE user_id = $1", id).execute(&mut *conn).await?;
    counts.add(Kind::Drafts, done.rows_affected());
    let done = sqlx::query!("DELETE FROM enrollments WHERE user_id = $1", id).execute(&mut *conn).await?;
    counts.add(Kind::Profiles, done.rows_affected());
    let done = sqlx::query!("DELETE FROM skipped_reverifications WHERE user_id = $1", id).execute(&mut *conn).await?;
    counts.add(Kind::Profiles, done.rows_affected());
    let done = sqlx::query!("UPDATE credit_requests SET parameters = '{}' WHERE user_id = $1 AND parameters <> '{}'", id)
        .execute(&mut *conn)
        .await?;
    counts.add(Kind::CreditApplications, done.rows_affected());
    let done = sqlx::query!("UPDATE credit_requirement_statuses SET reason = '{}' WHERE user_id = $1 AND reason <> '{}'", id)
        .execute(&mut *conn)
        .await?;
    counts.add(Kind::CreditReasons, done.rows_affected());
    let done = sqlx::query!("UPDATE orders SET billed_to = '{}' WHERE user_id = $1 AND billed_to <> '{}'", id)
        .execute(&mut *conn)
        .await?;
    counts.add(Kind::Payers, done.rows_affected());
    let done = sqlx::query!("DELETE FROM submission_keys WHERE caller = $1", format!("user:{id}")).execute(&mut *conn).await?;
    counts.add(Kind::SubmissionKeys, done.rows_affected());
    counts.add(Kind::Audit, empty_reasons_beside(conn, user).await?);
    Ok(counts)
}

/// What operators wrote of a learner's jobs, and of bulk retries that name the learner or one of their attempts.
async fn empty_reasons_beside(conn: &mut Connection, user: UserId) -> Result<u64, StoreError> {
    let jobs = sqlx::query!(
        r#"
        UPDATE operator_actions SET reason = 'erased'
        WHERE action IN ('job.retry', 'job.drop') AND reason <> 'erased'
          AND (detail ->> 'receipt' IN (SELECT receipt_id::text FROM attempts WHERE user_id = $1)
               OR detail ->> 'user_id' = $1::bigint::text)
        "#,
        user.0
    )
    .execute(&mut *conn)
    .await?;
    let retries = sqlx::query!(
        r#"
        WITH naming AS (
            SELECT id, reason FROM retries
            WHERE filter ->> 'user_id' = $1::bigint::text
               OR filter -> 'receipts' ?| ARRAY (SELECT receipt_id::text FROM attempts WHERE user_id = $1)
        ), emptied AS (
            UPDATE retries SET reason = 'erased' FROM naming WHERE retries.id = naming.id AND retries.reason <> 'erased'
            RETURNING retries.id
        ), told AS (
            UPDATE operator_actions SET reason = 'erased'
            FROM naming WHERE target = naming.id::text AND operator_actions.reason <> 'erased'
            RETURNING operator_actions.id
        )
        SELECT (SELECT count(*) FROM emptied) + (SELECT count(*) FROM told) AS "count!"
        "#,
        user.0
    )
    .fetch_one(conn)
    .await?;
    Ok(jobs.rows_affected() + u64::try_from(retries.count).unwrap_or_default())
}
