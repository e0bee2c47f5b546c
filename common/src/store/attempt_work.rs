//! An attempt as the jobs see it that carry it to the vendor: where it stands, and its photos.

use super::{BadRow, Connection, StoreError, attempts::Objects};
use crate::domain::{
    attempt::Status,
    ids::{AttemptId, ReceiptId},
    vendor_format::VendorFormat,
};

/// An attempt and its photos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptWork {
    /// The attempt.
    pub id: AttemptId,
    /// Its public name.
    pub receipt: ReceiptId,
    /// Where it stands.
    pub status: Status,
    /// The learner's name, as it was submitted.
    pub name: String,
    /// Whether it goes with another attempt's ID photo.
    pub borrows_photo_id: bool,
    /// Its objects.
    pub objects: Objects,
    /// The ID photo to send: its own, or that of the attempt it borrows from.
    pub photo_id: Option<IdPhoto>,
}

/// The ID photo that goes with an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdPhoto {
    /// The object's name.
    pub object: String,
    /// Its key, wrapped for the vendor.
    pub wrapped_key: String,
    /// The attempt that it came with, which is bound into it in the format `sealed`.
    pub receipt: ReceiptId,
    /// The wire format in which it was prepared.
    pub format: VendorFormat,
}

/// Finds an attempt with its photos.
pub(crate) async fn find(conn: &mut Connection, receipt: ReceiptId) -> Result<Option<AttemptWork>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT own.id, own.status, own.name, own.copy_id_photo_from IS NOT NULL AS "borrows!",
               own.face_upload, own.photo_id_upload, own.face_object, own.photo_id_object, own.face_key, own.photo_id_key,
               own.vendor_format, lender.receipt_id AS "lender_receipt?", lender.photo_id_object AS "lent_object?",
               lender.photo_id_key AS "lent_key?", lender.vendor_format AS "lent_format?"
        FROM attempts AS own LEFT JOIN attempts AS lender ON lender.id = coalesce(own.copy_id_photo_from, own.id)
        WHERE own.receipt_id = $1
        "#,
        receipt.0
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let lent = row.lender_receipt.zip(row.lent_object).zip(row.lent_key.zip(row.lent_format));
    let photo_id = lent.map(|((lender, object), (wrapped_key, format))| {
        Ok::<_, BadRow>(IdPhoto { object, wrapped_key, receipt: ReceiptId(lender), format: read_format(&format)? })
    });
    Ok(Some(AttemptWork {
        id: AttemptId(row.id),
        receipt,
        status: Status::parse(&row.status).ok_or(BadRow { table: "attempts", column: "status" })?,
        name: row.name,
        borrows_photo_id: row.borrows,
        objects: Objects {
            face_upload: row.face_upload,
            photo_id_upload: row.photo_id_upload,
            face: row.face_object,
            photo_id: row.photo_id_object,
            face_key: row.face_key,
            photo_id_key: row.photo_id_key,
            format: read_format(&row.vendor_format)?,
        },
        photo_id: photo_id.transpose()?,
    }))
}

fn read_format(format: &str) -> Result<VendorFormat, BadRow> {
    VendorFormat::parse(format).ok_or(BadRow { table: "attempts", column: "vendor_format" })
}
