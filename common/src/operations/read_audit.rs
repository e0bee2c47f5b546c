//! Who did what, when and why.

use super::OperationError;
use crate::{
    domain::page::{Key, Page, Paged},
    store::{
        Db,
        audit::{self, AuditEntry, AuditFilter},
    },
};

/// What was done, the newest first.
///
/// # Errors
///
/// When the database is away.
pub async fn read(db: &Db, filter: &AuditFilter, page: Page) -> Result<Paged<AuditEntry>, OperationError> {
    let mut conn = db.acquire().await?;
    let found = audit::list(&mut conn, filter, (page.after.unwrap_or(Key::LAST), page.limit + 1)).await?;
    Ok(Paged::cut(found, page.limit, |entry| Key { at: entry.at, id: entry.id }))
}
