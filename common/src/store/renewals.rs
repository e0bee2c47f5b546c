//! Approvals that have expired, and who has been told.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Connection, StoreError};
use crate::domain::ids::{AttemptId, ReceiptId, UserId};

/// An approval whose end is to be told now; locked.
pub(crate) struct Untold {
    pub(crate) id: AttemptId,
    pub(crate) receipt: ReceiptId,
    pub(crate) user: UserId,
    /// How often it was told.
    pub(crate) told: u32,
    /// Whether a course that has not ended needs a verification of this learner.
    pub(crate) needs_verification: bool,
}

struct Row {
    id: i64,
    receipt_id: Uuid,
    user_id: i64,
    expiry_mails: i16,
    needs_verification: bool,
}

/// Between which moments an attempt was created that has expired not too long ago.
pub(crate) struct Expired {
    pub(crate) after: DateTime<Utc>,
    pub(crate) before: DateTime<Utc>,
}

/// Up to `limit` approvals to tell of: expired and never told, or due to be told again. Whoever has submitted
/// since, and was not denied, is left out.
pub(crate) async fn list_untold(
    conn: &mut Connection,
    expired: &Expired,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Untold>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        WITH untold AS (
            (SELECT id FROM attempts
             WHERE status = 'approved' AND expiry_mails = 0 AND created_at >= $1 AND created_at < $2
             UNION ALL
             SELECT id FROM attempts WHERE expiry_mail_due <= $3)
        )
        SELECT id, receipt_id, user_id, expiry_mails,
               EXISTS (SELECT 1 FROM enrollments
                       JOIN courses USING (course_key)
                       WHERE enrollments.user_id = attempts.user_id AND mode = 'verified' AND is_active
                         AND (ends_at IS NULL OR ends_at > $3)) AS "needs_verification!"
        FROM attempts
        WHERE id IN (SELECT id FROM untold) AND status = 'approved'
          AND NOT EXISTS (SELECT 1 FROM attempts AS newer
                          WHERE newer.user_id = attempts.user_id AND newer.created_at > attempts.created_at
                            AND newer.status <> 'denied')
        ORDER BY id
        LIMIT $4
        FOR UPDATE OF attempts SKIP LOCKED
        "#,
        expired.after,
        expired.before,
        now,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Untold {
            id: AttemptId(row.id),
            receipt: ReceiptId(row.receipt_id),
            user: UserId(row.user_id),
            told: u32::try_from(row.expiry_mails).unwrap_or(0),
            needs_verification: row.needs_verification,
        })
        .collect())
}

/// Keeps that an approval's end was told once more, and when it is told again.
pub(crate) async fn set_told(conn: &mut Connection, id: AttemptId, next: Option<DateTime<Utc>>) -> Result<(), StoreError> {
    sqlx::query!("UPDATE attempts SET expiry_mails = expiry_mails + 1, expiry_mail_due = $2 WHERE id = $1", id.0, next)
        .execute(conn)
        .await?;
    Ok(())
}

/// Lets go of mails that are due and that a newer approval has made pointless.
pub(crate) async fn forget_renewed(conn: &mut Connection, now: DateTime<Utc>) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        r#"
        UPDATE attempts SET expiry_mail_due = NULL
        WHERE expiry_mail_due <= $1
          AND (status <> 'approved'
               OR EXISTS (SELECT 1 FROM attempts AS newer
                          WHERE newer.user_id = attempts.user_id AND newer.created_at > attempts.created_at
                            AND newer.status = 'approved'))
        "#,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
