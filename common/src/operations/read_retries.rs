//! Bulk retries are looked at.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::OperationError;
use crate::{
    domain::ids::RetryId,
    store::{
        Db,
        retries::{self, Retry},
    },
};

/// Reads a bulk retry; `None` when there is none.
///
/// # Errors
///
/// When the database is away.
pub async fn read(db: &Db, id: RetryId) -> Result<Option<Retry>, OperationError> {
    let mut conn = db.acquire().await?;
    Ok(retries::find(&mut conn, id).await?)
}

/// Reads at most `limit` bulk retries, newest first, that stand before `before` in that order.
///
/// # Errors
///
/// When the database is away.
pub async fn list(db: &Db, before: Option<(DateTime<Utc>, Uuid)>, limit: i64) -> Result<Vec<Retry>, OperationError> {
    let mut conn = db.acquire().await?;
    Ok(retries::list(&mut conn, before, limit).await?)
}
