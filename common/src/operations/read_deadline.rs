//! What others may read of a course's verification deadline.

use super::OperationError;
use crate::{
    domain::{deadline::Deadline, keys::CourseKey},
    store::{
        Db, courses,
        deadlines::{self, HistoryLine},
    },
};

/// A course's deadline with its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadlineView {
    /// The deadline as it stands.
    pub deadline: Deadline,
    /// Its changes, newest first.
    pub history: Vec<HistoryLine>,
}

/// Reads a course's deadline; `None` when the course is not known.
///
/// # Errors
///
/// When the database is away.
pub async fn read(db: &Db, course: &CourseKey) -> Result<Option<DeadlineView>, OperationError> {
    let mut conn = db.acquire().await?;
    if !courses::is_known(&mut conn, course).await? {
        return Ok(None);
    }
    let deadline = deadlines::find(&mut conn, course).await?;
    let history = deadlines::history(&mut conn, course).await?;
    Ok(Some(DeadlineView { deadline, history }))
}
