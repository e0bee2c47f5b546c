//! What a job needs to know before it starts.

use super::OperationError;
use crate::{
    domain::{
        attempt::Attempt,
        ids::{CallbackId, ReceiptId},
        vendor_format::VendorFormat,
    },
    store::{
        Connection, Db,
        attempts::{self, Objects},
        callbacks::{self, StoredCallback},
        repeat,
    },
};

/// An attempt with its objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptWork {
    /// The attempt.
    pub attempt: Attempt,
    /// Its objects.
    pub objects: Objects,
    /// The ID photo to send: its own, or that of the attempt it is copied from.
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

/// Loads an attempt and its objects.
///
/// # Errors
///
/// [`OperationError::Missing`] when there is no such attempt.
pub async fn load_attempt(db: &Db, receipt: ReceiptId) -> Result<AttemptWork, OperationError> {
    repeat!(db, conn => read_attempt(conn, receipt).await)
}

async fn read_attempt(conn: &mut Connection, receipt: ReceiptId) -> Result<AttemptWork, OperationError> {
    let attempt = attempts::find(conn, receipt).await?.ok_or(OperationError::Missing("attempt"))?;
    let own = attempts::objects(conn, attempt.id).await?.ok_or(OperationError::Missing("attempt"))?;
    let lender = match attempt.copy_id_photo_from {
        Some(lender) => {
            let objects = attempts::objects(conn, lender).await?;
            objects.zip(attempts::receipt_of(conn, lender).await?)
        }
        None => Some((own.clone(), receipt)),
    };
    let photo_id = lender.and_then(|(objects, receipt)| {
        let (wrapped_key, format) = (objects.photo_id_key, objects.format);
        objects.photo_id.map(|object| IdPhoto { object, wrapped_key, receipt, format })
    });
    Ok(AttemptWork { attempt, objects: own, photo_id })
}

/// Loads a callback that waits to be applied.
///
/// # Errors
///
/// [`OperationError::Missing`] when there is none.
pub async fn load_callback(db: &Db, id: CallbackId) -> Result<StoredCallback, OperationError> {
    let found = repeat!(db, conn => callbacks::find(conn, id).await)?;
    found.ok_or(OperationError::Missing("callback"))
}
