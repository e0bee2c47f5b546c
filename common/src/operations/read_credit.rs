//! What others may read of a learner's credit.

use chrono::{DateTime, Utc};

use super::OperationError;
use crate::{
    domain::{ids::UserId, keys::CourseKey},
    store::{Db, courses, credit, credit::RequirementView, users},
};

/// A learner's credit in a course.
#[derive(Debug, Clone, PartialEq)]
pub struct CreditView {
    /// Until when the learner is eligible (UTC), if they are.
    pub eligible_until: Option<DateTime<Utc>>,
    /// The active requirements, in order.
    pub requirements: Vec<RequirementView>,
}

/// Reads a learner's credit in a course; `None` when learner or course is not known.
///
/// # Errors
///
/// When the database is away.
pub async fn read(db: &Db, user: UserId, course: &CourseKey, now: DateTime<Utc>) -> Result<Option<CreditView>, OperationError> {
    let mut conn = db.acquire().await?;
    let is_known = users::is_known(&mut conn, user).await? && courses::find_name(&mut conn, course.as_str()).await?.is_some();
    if !is_known {
        return Ok(None);
    }
    let eligible_until = credit::eligible_until(&mut conn, course.as_str(), user, now).await?;
    let requirements = credit::view(&mut conn, course.as_str(), user).await?;
    Ok(Some(CreditView { eligible_until, requirements }))
}
