//! The tallies of dead jobs are added up, so that counting stays cheap.

use super::OperationError;
use crate::store::{Db, error_groups};

/// Adds up; returns how many tallies became fewer. Right however many do it at once.
///
/// # Errors
///
/// When the database is away; the tallies are right anyway, and more.
pub async fn compact(db: &Db) -> Result<i64, OperationError> {
    let mut conn = db.acquire().await?;
    Ok(error_groups::compact(&mut conn).await?)
}
