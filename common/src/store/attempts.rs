//! Attempts: one row a submission of photos.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{BadRow, Connection, StoreError, error::must_touch_one};
use crate::{
    domain::{
        attempt::{Attempt, Status, transition::Rule},
        ids::{AttemptId, ReceiptId, UserId},
        vendor_format::VendorFormat,
    },
    telemetry::trace,
};

struct Row {
    id: i64,
    receipt_id: Uuid,
    user_id: i64,
    status: String,
    name: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    submitted_at: Option<DateTime<Utc>>,
    vendor_decided_at: Option<DateTime<Utc>>,
    reviewing_service: String,
    reviewing_user: String,
    error_msg: String,
    error_code: String,
    copy_id_photo_from: Option<i64>,
}

impl TryFrom<Row> for Attempt {
    type Error = BadRow;

    fn try_from(row: Row) -> Result<Self, BadRow> {
        Ok(Self {
            id: AttemptId(row.id),
            receipt: ReceiptId(row.receipt_id),
            user: UserId(row.user_id),
            status: Status::parse(&row.status).ok_or(BadRow { table: "attempts", column: "status" })?,
            name: row.name,
            created_at: row.created_at,
            updated_at: row.updated_at,
            submitted_at: row.submitted_at,
            vendor_decided_at: row.vendor_decided_at,
            reviewing_service: row.reviewing_service,
            reviewing_user: row.reviewing_user,
            error_msg: row.error_msg,
            error_code: row.error_code,
            copy_id_photo_from: row.copy_id_photo_from.map(AttemptId),
        })
    }
}

/// A new attempt.
pub(crate) struct NewAttempt<'a> {
    pub(crate) receipt: ReceiptId,
    pub(crate) user: UserId,
    pub(crate) name: &'a str,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) copy_id_photo_from: Option<AttemptId>,
    pub(crate) face_upload: Option<&'a str>,
    pub(crate) photo_id_upload: Option<&'a str>,
    /// The id of the master key under which the uploads are sealed.
    pub(crate) upload_master_key: Option<&'a str>,
    /// From whom it was received; `None` when it was not, and its history begins with what comes next.
    pub(crate) received_from: Option<&'a str>,
}

/// Writes a new attempt, in state `created`, and the event that it was received.
pub(crate) async fn insert(conn: &mut Connection, new: &NewAttempt<'_>) -> Result<AttemptId, StoreError> {
    let id = sqlx::query_scalar!(
        r#"
        WITH new AS (
            INSERT INTO attempts (receipt_id, user_id, status, name, created_at, updated_at, copy_id_photo_from,
                                  face_upload, photo_id_upload, trace, upload_master_key)
            VALUES ($1, $2, 'created', $3, $4, $4, $5, $6, $7, $8, $9)
            RETURNING id
        ), event AS (
            INSERT INTO attempt_events (attempt_id, at, actor, kind, to_status, detail)
            SELECT id, $4, $10, 'received', 'created', '' FROM new WHERE $10::text IS NOT NULL
        )
        SELECT id AS "id!" FROM new
        "#,
        new.receipt.0,
        new.user.0,
        new.name,
        new.created_at,
        new.copy_id_photo_from.map(|id| id.0),
        new.face_upload,
        new.photo_id_upload,
        trace::current(),
        new.upload_master_key,
        new.received_from,
    )
    .fetch_one(conn)
    .await?;
    metrics::counter!("vouch_attempts_moved_total", "status" => "created").increment(1);
    Ok(AttemptId(id))
}

/// Finds an attempt and locks it for the rest of the transaction.
pub(crate) async fn find_and_lock(conn: &mut Connection, receipt: ReceiptId) -> Result<Option<Attempt>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        r#"
        SELECT id, receipt_id, user_id, status, name, created_at, updated_at, submitted_at, vendor_decided_at,
               reviewing_service, reviewing_user, error_msg, error_code, copy_id_photo_from
        FROM attempts WHERE receipt_id = $1
        FOR UPDATE
        "#,
        receipt.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Attempt::try_from).transpose()?)
}

/// Locks attempts for the rest of the transaction, always in the same order; those that exist.
pub(crate) async fn lock_all(conn: &mut Connection, receipts: &[Uuid]) -> Result<Vec<(ReceiptId, Status)>, StoreError> {
    let rows =
        sqlx::query!("SELECT receipt_id, status FROM attempts WHERE receipt_id = ANY ($1) ORDER BY id FOR UPDATE", receipts)
            .fetch_all(conn)
            .await?;
    rows.into_iter()
        .map(|row| {
            let status = Status::parse(&row.status).ok_or(BadRow { table: "attempts", column: "status" })?;
            Ok((ReceiptId(row.receipt_id), status))
        })
        .collect()
}

/// Finds an attempt.
pub(crate) async fn find(conn: &mut Connection, receipt: ReceiptId) -> Result<Option<Attempt>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        r#"
        SELECT id, receipt_id, user_id, status, name, created_at, updated_at, submitted_at, vendor_decided_at,
               reviewing_service, reviewing_user, error_msg, error_code, copy_id_photo_from
        FROM attempts WHERE receipt_id = $1
        "#,
        receipt.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Attempt::try_from).transpose()?)
}

/// The trace that an attempt's submission began, as a `traceparent`.
pub(crate) async fn trace_of(conn: &mut Connection, id: AttemptId) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar!("SELECT trace FROM attempts WHERE id = $1", id.0).fetch_optional(conn).await?.flatten())
}

/// The receipt of an attempt.
pub(crate) async fn receipt_of(conn: &mut Connection, id: AttemptId) -> Result<Option<ReceiptId>, StoreError> {
    let receipt = sqlx::query_scalar!("SELECT receipt_id FROM attempts WHERE id = $1", id.0).fetch_optional(conn).await?;
    Ok(receipt.map(ReceiptId))
}

/// A learner's attempts, newest first, at most 1,000.
pub(crate) async fn list_for_user(conn: &mut Connection, user: UserId) -> Result<Vec<Attempt>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT id, receipt_id, user_id, status, name, created_at, updated_at, submitted_at, vendor_decided_at,
               reviewing_service, reviewing_user, error_msg, error_code, copy_id_photo_from
        FROM attempts WHERE user_id = $1
        ORDER BY created_at DESC, id DESC
        LIMIT 1000
        "#,
        user.0
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Attempt::try_from).collect::<Result<_, _>>()?)
}

/// The attempt whose ID photo a learner can use again: the newest of those that the vendor has or
/// approved, created at `earliest` or later, with an ID photo of its own that was prepared in this format.
pub(crate) async fn find_id_photo_lender(
    conn: &mut Connection,
    user: UserId,
    earliest: DateTime<Utc>,
    format: VendorFormat,
) -> Result<Option<AttemptId>, StoreError> {
    let id = sqlx::query_scalar!(
        r#"
        SELECT id FROM attempts
        WHERE user_id = $1 AND created_at >= $2 AND status IN ('submitted', 'approved')
          AND photo_id_object IS NOT NULL AND vendor_format = $3
        ORDER BY created_at DESC, id DESC
        LIMIT 1
        "#,
        user.0,
        earliest,
        format.as_str()
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(AttemptId))
}

/// The objects of an attempt: uploads before it is prepared, then what the vendor downloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objects {
    /// The sealed upload of the face.
    pub face_upload: Option<String>,
    /// The sealed upload of the ID.
    pub photo_id_upload: Option<String>,
    /// The face as the vendor downloads it.
    pub face: Option<String>,
    /// The ID as the vendor downloads it.
    pub photo_id: Option<String>,
    /// The face's key, wrapped for the vendor; empty where the format has one key for all faces.
    pub face_key: String,
    /// The ID photo's key, wrapped for the vendor.
    pub photo_id_key: String,
    /// The wire format in which they were prepared; until then it says nothing.
    pub format: VendorFormat,
}

/// Says which objects hold from now on; the uploads are let go.
pub(crate) async fn set_prepared(conn: &mut Connection, id: AttemptId, objects: &Objects) -> Result<(), StoreError> {
    let done = sqlx::query!(
        r#"
        UPDATE attempts SET face_upload = NULL, photo_id_upload = NULL,
               face_object = $2, photo_id_object = $3, photo_id_key = $4, face_key = $5, vendor_format = $6
        WHERE id = $1
        "#,
        id.0,
        objects.face.as_deref(),
        objects.photo_id.as_deref(),
        objects.photo_id_key,
        objects.face_key,
        objects.format.as_str(),
    )
    .execute(conn)
    .await?;
    must_touch_one("attempts", done.rows_affected())
}

/// Lets the uploads of an attempt go.
pub(crate) async fn forget_uploads(conn: &mut Connection, id: AttemptId) -> Result<(), StoreError> {
    let done =
        sqlx::query!("UPDATE attempts SET face_upload = NULL, photo_id_upload = NULL WHERE id = $1", id.0).execute(conn).await?;
    must_touch_one("attempts", done.rows_affected())
}

/// What a transition writes besides the state; `None` leaves a column as it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Change<'a> {
    pub(crate) at: DateTime<Utc>,
    pub(crate) actor: &'a str,
    pub(crate) detail: &'a str,
    pub(crate) submitted_at: Option<DateTime<Utc>>,
    pub(crate) vendor_decided_at: Option<DateTime<Utc>>,
    pub(crate) reviewing_service: Option<&'a str>,
    pub(crate) reviewing_user: Option<&'a str>,
    pub(crate) error_msg: Option<&'a str>,
    pub(crate) error_code: Option<&'a str>,
}

/// What became of a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    /// The attempt was in this state and went to the rule's.
    From(Status),
    /// The attempt is in this state, from which the move is not made; nothing changed.
    Refused(Status),
}

/// Moves an attempt by one rule of the state machine and writes the event, in one statement that is
/// guarded by the states the rule accepts. What the move tells of a person is not emptied yet, whatever was before.
pub(crate) async fn transition(
    conn: &mut Connection,
    id: AttemptId,
    rule: &Rule,
    change: &Change<'_>,
) -> Result<Moved, StoreError> {
    let accepted: Vec<String> = rule.from.iter().map(|status| status.as_str().to_owned()).collect();
    let row = sqlx::query!(
        r#"
        WITH before AS (
            SELECT id, status, created_at FROM attempts WHERE id = $1 FOR UPDATE
        ), moved AS (
            UPDATE attempts SET status = $3, updated_at = $4, emptied_at = NULL,
                   submitted_at = coalesce($7, submitted_at),
                   vendor_decided_at = coalesce($8, vendor_decided_at),
                   reviewing_service = coalesce($9, reviewing_service),
                   error_msg = coalesce($10, error_msg),
                   error_code = coalesce($11, error_code),
                   reviewing_user = coalesce($13, reviewing_user)
            FROM before
            WHERE attempts.id = before.id AND before.status = ANY ($2)
            RETURNING attempts.id
        ), event AS (
            INSERT INTO attempt_events (attempt_id, at, actor, kind, from_status, to_status, detail)
            SELECT moved.id, $4, $5, $6, before.status, $3, $12 FROM moved JOIN before ON before.id = moved.id
        )
        SELECT before.status, before.created_at, EXISTS (SELECT 1 FROM moved) AS "is_moved!" FROM before
        "#,
        id.0,
        &accepted,
        rule.to.as_str(),
        change.at,
        change.actor,
        rule.name,
        change.submitted_at,
        change.vendor_decided_at,
        change.reviewing_service,
        change.error_msg,
        change.error_code,
        change.detail,
        change.reviewing_user,
    )
    .fetch_optional(conn)
    .await?;
    let row = row.ok_or(StoreError::WrongCount { table: "attempts", touched: 0 })?;
    let before = Status::parse(&row.status).ok_or(BadRow { table: "attempts", column: "status" })?;
    if !row.is_moved {
        return Ok(Moved::Refused(before));
    }
    count_move(before, rule.to, change.at - row.created_at);
    Ok(Moved::From(before))
}

/// Counts a move when it is written. One that is undone with its transaction is counted all the same: it is rare.
fn count_move(from: Status, to: Status, age: TimeDelta) {
    metrics::counter!("vouch_attempts_moved_total", "status" => to.as_str()).increment(1);
    if to.is_terminal() && !from.is_terminal() {
        metrics::histogram!("vouch_verdict_seconds", "status" => to.as_str()).record(age.as_seconds_f64().max(0.0));
    }
}

/// An attempt that is not finished and has no job that would go on with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stuck {
    pub(crate) id: AttemptId,
    pub(crate) receipt: ReceiptId,
    pub(crate) status: Status,
}

/// Attempts last changed before `before` for which the job that must exist does not; locked.
pub(crate) async fn list_stuck(conn: &mut Connection, before: DateTime<Utc>, limit: i64) -> Result<Vec<Stuck>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT id, receipt_id, status FROM attempts
        WHERE status IN ('created', 'ready', 'must_retry') AND updated_at < $1
          AND NOT EXISTS (
              SELECT 1 FROM jobs
              WHERE jobs.subject = attempts.receipt_id
                AND jobs.kind = CASE attempts.status WHEN 'created' THEN 'prepare_photos' ELSE 'submit_to_vendor' END)
        ORDER BY updated_at
        LIMIT $2
        FOR UPDATE SKIP LOCKED
        "#,
        before,
        limit
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let status = Status::parse(&row.status).ok_or(BadRow { table: "attempts", column: "status" })?;
            Ok(Stuck { id: AttemptId(row.id), receipt: ReceiptId(row.receipt_id), status })
        })
        .collect()
}
