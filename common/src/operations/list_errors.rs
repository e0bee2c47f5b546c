//! An operator reads what died alike.

use super::OperationError;
use crate::store::{
    Db,
    error_groups::{self, ErrorGroup},
    job_search::GroupFilter,
};

/// The groups of dead jobs that failed alike, most first.
///
/// # Errors
///
/// When the database is away.
pub async fn list(db: &Db, filter: &GroupFilter, limit: i64) -> Result<Vec<ErrorGroup>, OperationError> {
    let mut conn = db.acquire().await?;
    Ok(error_groups::list(&mut conn, filter, limit).await?)
}
