//! What is sealed, by the master key under which it is: counted, found, and sealed anew.

use uuid::Uuid;

use super::{Connection, StoreError};
use crate::domain::ids::{AttemptId, ReceiptId};

/// What is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedKind {
    /// The uploads of an attempt, which count as one.
    Uploads,
    /// A kept callback.
    Callback,
}

impl SealedKind {
    /// All.
    pub const ALL: [Self; 2] = [Self::Uploads, Self::Callback];

    /// What it is called.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uploads => "uploads",
            Self::Callback => "callbacks",
        }
    }
}

/// How much of one kind is sealed under one master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The kind.
    pub kind: SealedKind,
    /// The id of the master key; `None`: a release that did not note it sealed them.
    pub master_key: Option<String>,
    /// How many.
    pub count: i64,
}

/// Counts the uploads that wait by the master key.
pub(crate) async fn count_uploads(conn: &mut Connection) -> Result<Vec<Tally>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT upload_master_key, count(*) AS "count!" FROM attempts
        WHERE face_upload IS NOT NULL OR photo_id_upload IS NOT NULL
        GROUP BY upload_master_key ORDER BY upload_master_key
        "#
    )
    .fetch_all(conn)
    .await?;
    let tally = |(master_key, count)| Tally { kind: SealedKind::Uploads, master_key, count };
    Ok(rows.into_iter().map(|row| tally((row.upload_master_key, row.count))).collect())
}

/// The ids of the master keys under which callbacks are sealed: one look into the index each.
pub(crate) async fn list_masters_of_callbacks(conn: &mut Connection) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query_scalar!(
        r#"
        WITH RECURSIVE masters (master) AS (
            (SELECT sealed_under(body_sealed) FROM vendor_callbacks
             WHERE sealed_under(body_sealed) IS NOT NULL ORDER BY sealed_under(body_sealed) LIMIT 1)
            UNION ALL
            SELECT (SELECT sealed_under(body_sealed) FROM vendor_callbacks
                    WHERE sealed_under(body_sealed) > masters.master ORDER BY sealed_under(body_sealed) LIMIT 1)
            FROM masters WHERE masters.master IS NOT NULL
        )
        SELECT master AS "master!" FROM masters WHERE master IS NOT NULL ORDER BY master LIMIT 1000
        "#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|master| String::from_utf8_lossy(&master).into_owned()).collect())
}

/// Counts the callbacks that are sealed under a master key, up to `most`.
pub(crate) async fn count_callbacks(conn: &mut Connection, master: &str, most: i64) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!"
        FROM (SELECT 1 FROM vendor_callbacks WHERE sealed_under(body_sealed) = $1 LIMIT $2) AS found
        "#,
        master.as_bytes(),
        most
    )
    .fetch_one(conn)
    .await?)
}

/// A callback as it is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SealedCallback {
    pub(crate) id: i64,
    /// The receipt as the vendor wrote it; it is bound in.
    pub(crate) receipt: String,
    pub(crate) body: Vec<u8>,
}

/// Callbacks that are sealed under a master key, after `after`.
pub(crate) async fn list_callbacks(
    conn: &mut Connection,
    master: &str,
    after: i64,
    limit: i64,
) -> Result<Vec<SealedCallback>, StoreError> {
    Ok(sqlx::query_as!(
        SealedCallback,
        r#"
        SELECT id, receipt, body_sealed AS body FROM vendor_callbacks
        WHERE sealed_under(body_sealed) = $1 AND id > $2
        ORDER BY id
        LIMIT $3
        "#,
        master.as_bytes(),
        after,
        limit
    )
    .fetch_all(conn)
    .await?)
}

/// Puts bodies that are sealed anew in the place of those that are still as they were read; how many. What another
/// transaction has is left to it.
pub(crate) async fn replace_callbacks(
    conn: &mut Connection,
    ids: &[i64],
    before: &[Vec<u8>],
    after: &[Vec<u8>],
) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        r#"
        WITH wanted AS (SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[]) AS wanted (id, before, after)),
        held AS (
            SELECT vendor_callbacks.id, wanted.after FROM vendor_callbacks
            JOIN wanted ON wanted.id = vendor_callbacks.id AND wanted.before = body_sealed
            ORDER BY vendor_callbacks.id
            FOR UPDATE OF vendor_callbacks SKIP LOCKED
        )
        UPDATE vendor_callbacks SET body_sealed = held.after FROM held WHERE vendor_callbacks.id = held.id
        "#,
        ids,
        before,
        after
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// The uploads of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedUploads {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its receipt, which is bound in.
    pub receipt: ReceiptId,
    /// The object of the face.
    pub face: Option<String>,
    /// The object of the ID.
    pub photo_id: Option<String>,
    /// The id of the master key that is noted.
    pub master_key: Option<String>,
}

/// Attempts whose uploads are not noted as sealed under `newest`, after `after`.
pub(crate) async fn list_uploads(
    conn: &mut Connection,
    newest: &str,
    after: AttemptId,
    limit: i64,
) -> Result<Vec<SealedUploads>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT id, receipt_id, face_upload, photo_id_upload, upload_master_key FROM attempts
        WHERE (face_upload IS NOT NULL OR photo_id_upload IS NOT NULL) AND upload_master_key IS DISTINCT FROM $1 AND id > $2
        ORDER BY id
        LIMIT $3
        "#,
        newest,
        after.0,
        limit
    )
    .fetch_all(conn)
    .await?;
    let uploads = rows.into_iter().map(|row| SealedUploads {
        attempt: AttemptId(row.id),
        receipt: ReceiptId(row.receipt_id),
        face: row.face_upload,
        photo_id: row.photo_id_upload,
        master_key: row.upload_master_key,
    });
    Ok(uploads.collect())
}

/// Notes the master key of uploads that are still the attempt's, and noted as they were read; `false` when they are not.
pub(crate) async fn note_uploads(conn: &mut Connection, uploads: &SealedUploads, master_key: &str) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        r#"
        UPDATE attempts SET upload_master_key = $5
        WHERE id = $1 AND face_upload IS NOT DISTINCT FROM $2 AND photo_id_upload IS NOT DISTINCT FROM $3
          AND upload_master_key IS NOT DISTINCT FROM $4
        "#,
        uploads.attempt.0,
        uploads.face.as_deref(),
        uploads.photo_id.as_deref(),
        uploads.master_key.as_deref(),
        master_key
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Of these object names, those that an attempt still names.
pub(crate) async fn names_in_use(conn: &mut Connection, receipts: &[Uuid]) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query_scalar!(
        r#"
        SELECT object AS "object!" FROM attempts
        CROSS JOIN LATERAL (VALUES (face_upload), (photo_id_upload), (face_object), (photo_id_object)) AS objects (object)
        WHERE receipt_id = ANY ($1) AND object IS NOT NULL
        ORDER BY object
        "#,
        receipts
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
