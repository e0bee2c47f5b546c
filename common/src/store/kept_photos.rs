//! Photos that outlived their purpose: which, and that they are gone.

use chrono::{DateTime, Utc};

use super::{Connection, StoreError};
use crate::domain::ids::AttemptId;

/// A photo that may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldPhoto {
    /// Its attempt.
    pub attempt: AttemptId,
    /// When the attempt was decided (UTC).
    pub decided_at: DateTime<Utc>,
    /// The object's name.
    pub object: String,
}

/// Where a list goes on: after this one.
pub type Cursor = (DateTime<Utc>, i64);

struct Row {
    id: i64,
    updated_at: DateTime<Utc>,
    object: String,
}

impl From<Row> for OldPhoto {
    fn from(row: Row) -> Self {
        Self { attempt: AttemptId(row.id), decided_at: row.updated_at, object: row.object }
    }
}

/// Faces of attempts decided before `before`, oldest first, after `after`.
pub(crate) async fn list_faces(
    conn: &mut Connection,
    before: DateTime<Utc>,
    after: Cursor,
    limit: i64,
) -> Result<Vec<OldPhoto>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT id, updated_at, face_object AS "object!" FROM attempts
        WHERE face_object IS NOT NULL AND status IN ('approved', 'denied') AND updated_at < $1 AND (updated_at, id) > ($2, $3)
        ORDER BY updated_at, id
        LIMIT $4
        "#,
        before,
        after.0,
        after.1,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(OldPhoto::from).collect())
}

/// ID photos of attempts decided before `before`, oldest first, after `after`; not of an approval created at
/// `expired_before` or later, nor one that an open attempt needs.
pub(crate) async fn list_id_photos(
    conn: &mut Connection,
    (before, expired_before): (DateTime<Utc>, DateTime<Utc>),
    after: Cursor,
    limit: i64,
) -> Result<Vec<OldPhoto>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT id, updated_at, photo_id_object AS "object!" FROM attempts
        WHERE photo_id_object IS NOT NULL AND status IN ('approved', 'denied') AND updated_at < $1 AND (updated_at, id) > ($2, $3)
          AND (status = 'denied' OR created_at < $5)
          AND NOT EXISTS (
              SELECT 1 FROM attempts AS borrower
              WHERE borrower.copy_id_photo_from = attempts.id AND borrower.status NOT IN ('approved', 'denied'))
        ORDER BY updated_at, id
        LIMIT $4
        "#,
        before,
        after.0,
        after.1,
        limit,
        expired_before
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(OldPhoto::from).collect())
}

/// Forgets the names and keys of faces whose objects are gone; how many. What another transaction has is left.
pub(crate) async fn forget_faces(conn: &mut Connection, photos: &[OldPhoto]) -> Result<u64, StoreError> {
    let (ids, objects) = columns(photos);
    let done = sqlx::query!(
        r#"
        UPDATE attempts SET face_object = NULL, face_key = ''
        WHERE id IN (
            SELECT attempts.id FROM attempts
            JOIN unnest($1::bigint[], $2::text[]) AS gone (id, object) ON gone.id = attempts.id AND gone.object = face_object
            ORDER BY attempts.id
            FOR UPDATE OF attempts SKIP LOCKED)
        "#,
        &ids,
        &objects
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// As [`forget_faces`], of ID photos.
pub(crate) async fn forget_id_photos(conn: &mut Connection, photos: &[OldPhoto]) -> Result<u64, StoreError> {
    let (ids, objects) = columns(photos);
    let done = sqlx::query!(
        r#"
        UPDATE attempts SET photo_id_object = NULL, photo_id_key = ''
        WHERE id IN (
            SELECT attempts.id FROM attempts
            JOIN unnest($1::bigint[], $2::text[]) AS gone (id, object) ON gone.id = attempts.id AND gone.object = photo_id_object
            ORDER BY attempts.id
            FOR UPDATE OF attempts SKIP LOCKED)
        "#,
        &ids,
        &objects
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

fn columns(photos: &[OldPhoto]) -> (Vec<i64>, Vec<String>) {
    photos.iter().map(|photo| (photo.attempt.0, photo.object.clone())).unzip()
}
