//! A learner asks a provider for credit, as the platform tells.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{OperationError, push_from_lms::PushRefused, skip_reverification::check_known};
use crate::{
    domain::{ids::UserId, keys::CourseKey},
    ids,
    store::{
        Db, courses, credit,
        credit_requests::{self, CreditRequest},
        users,
    },
};

/// What the platform tells of a request.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The provider.
    pub provider: &'a str,
    /// `pending`, `approved` or `rejected`.
    pub status: &'a str,
    /// What the provider was told; `None` leaves it as it is.
    pub parameters: Option<&'a Value>,
}

/// Keeps a request. Its uuid is made once; from now on no requirement of the course changes for the learner.
///
/// # Errors
///
/// [`PushRefused`], and nothing changed.
pub async fn put(
    db: &Db,
    user: UserId,
    course: &CourseKey,
    told: Told<'_>,
    now: DateTime<Utc>,
) -> Result<CreditRequest, PushRefused> {
    let mut tx = db.begin().await?;
    check_known(&mut tx, user, course).await?;
    if !credit::is_credit_course(&mut tx, course.as_str()).await? {
        return Err(PushRefused::NoCredit);
    }
    let who = (user, course.as_str());
    if !credit_requests::is_provider_known(&mut tx, who, told.provider).await? {
        return Err(PushRefused::UnknownProvider);
    }
    // An update of a requirement at the same moment sees the request, or is seen by it.
    credit::lock(&mut tx, course.as_str(), user).await?;
    let request =
        credit_requests::upsert(&mut tx, who, ids::new_uuid(), (told.provider, told.status, told.parameters), now).await?;
    tx.commit().await?;
    Ok(request)
}

/// Lists a learner's requests in a course; `None` when learner or course is not known.
///
/// # Errors
///
/// When the database is away.
pub async fn list(db: &Db, user: UserId, course: &CourseKey) -> Result<Option<Vec<CreditRequest>>, OperationError> {
    let mut conn = db.acquire().await?;
    if users::find(&mut conn, user).await?.is_none() || !courses::is_known(&mut conn, course).await? {
        return Ok(None);
    }
    Ok(Some(credit_requests::list(&mut conn, course.as_str(), user).await?))
}
