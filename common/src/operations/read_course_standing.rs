//! What a learner's verification means in a course, for those who show it.

use super::OperationError;
use crate::{
    domain::{attempt::Attempt, course_standing::Facts, ids::UserId, keys::CourseKey},
    store::{Connection, Db, attempts, flow, users},
};

/// A course with the facts of a learner in it.
#[derive(Debug, Clone, PartialEq)]
pub struct InCourse {
    /// The course.
    pub course: CourseKey,
    /// The learner in it.
    pub facts: Facts,
}

/// Loads a learner in a course; `None` when learner or course is not known.
///
/// # Errors
///
/// When the database is away.
pub async fn load(db: &Db, user: UserId, course: &CourseKey) -> Result<Option<InCourse>, OperationError> {
    let mut conn = db.acquire().await?;
    if !users::is_known(&mut conn, user).await? {
        return Ok(None);
    }
    load_one(&mut conn, user, course).await
}

/// Loads a learner in every course in which they are actively enrolled; `None` when nobody told of them.
///
/// # Errors
///
/// When the database is away.
pub async fn list(db: &Db, user: UserId) -> Result<Option<Vec<InCourse>>, OperationError> {
    let mut conn = db.acquire().await?;
    if !users::is_known(&mut conn, user).await? {
        return Ok(None);
    }
    let mut all = Vec::new();
    for text in flow::list_enrolled_courses(&mut conn, user).await? {
        let course = CourseKey::parse(&text).ok_or(OperationError::Unreadable("a course key"))?;
        all.extend(load_one(&mut conn, user, &course).await?);
    }
    Ok(Some(all))
}

/// Loads every attempt of a learner; `None` when nobody told of them.
///
/// # Errors
///
/// When the database is away.
pub async fn list_attempts(db: &Db, user: UserId) -> Result<Option<Vec<Attempt>>, OperationError> {
    let mut conn = db.acquire().await?;
    if !users::is_known(&mut conn, user).await? {
        return Ok(None);
    }
    Ok(Some(attempts::list_for_user(&mut conn, user).await?))
}

async fn load_one(conn: &mut Connection, user: UserId, course: &CourseKey) -> Result<Option<InCourse>, OperationError> {
    let Some(known) = flow::find_course(conn, course).await? else { return Ok(None) };
    let facts = Facts {
        attempts: attempts::list_for_user(conn, user).await?,
        enrolled_mode: flow::enrolled_mode(conn, user, course).await?,
        deadline: known.verification_deadline,
        modes: flow::list_modes(conn, course).await?,
    };
    Ok(Some(InCourse { course: course.clone(), facts }))
}
