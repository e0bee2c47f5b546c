//! What a job needs to know before it starts.

use super::OperationError;
use crate::{
    domain::ids::{CallbackId, ReceiptId},
    store::{
        Db,
        attempt_work::{self, AttemptWork},
        callbacks::{self, StoredCallback},
        repeat,
    },
};

/// Loads an attempt and its photos.
///
/// # Errors
///
/// [`OperationError::Missing`] when there is no such attempt.
pub async fn load_attempt(db: &Db, receipt: ReceiptId) -> Result<AttemptWork, OperationError> {
    let found = repeat!(db, conn => attempt_work::find(conn, receipt).await)?;
    found.ok_or(OperationError::Missing("attempt"))
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
