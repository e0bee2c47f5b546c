//! What the pages between an enrolment and a verified certificate show.

use chrono::{DateTime, Utc};

use super::{OperationError, submit_photos::Submitter};
use crate::{
    domain::{
        attempt::Attempt,
        checkpoint::Tries,
        course::CourseMode,
        embargo::CountryRules,
        ids::UserId,
        keys::{CourseKey, UsageKey},
        vendor_format::VendorFormat,
    },
    store::{
        Connection, Db, attempts, checkpoints,
        flow::{self, Choice, CourseFacts},
        users,
        users::User,
    },
};

/// A learner in a course.
#[derive(Clone, PartialEq)]
pub struct Flow {
    /// The course.
    pub course: CourseFacts,
    /// Its modes, in its order.
    pub modes: Vec<CourseMode>,
    /// Its country rules, if it is restricted.
    pub country_rules: Option<CountryRules>,
    /// The learner; `None`: nobody told of them.
    pub learner: Option<User>,
    /// The mode of the learner's active enrolment.
    pub enrolled_mode: Option<String>,
    /// Every attempt of the learner.
    pub attempts: Vec<Attempt>,
    /// What the learner chose before.
    pub choice: Choice,
}

/// Loads a learner in a course, and registers one who comes for the first time with a whole profile; `None`
/// when the course is not known.
///
/// # Errors
///
/// When the database is away.
pub async fn load(db: &Db, who: &Submitter, course: &CourseKey, now: DateTime<Utc>) -> Result<Option<Flow>, OperationError> {
    let mut conn = db.acquire().await?;
    let Some(facts) = flow::find_course(&mut conn, course).await? else { return Ok(None) };
    let learner = load_learner(&mut conn, who, now).await?;
    Ok(Some(Flow {
        course: facts,
        modes: flow::list_modes(&mut conn, course).await?,
        country_rules: flow::find_country_rules(&mut conn, course).await?,
        enrolled_mode: flow::enrolled_mode(&mut conn, who.user, course).await?,
        attempts: attempts::list_for_user(&mut conn, who.user).await?,
        choice: flow::find_choice(&mut conn, who.user, course).await?.unwrap_or_default(),
        learner,
    }))
}

/// A learner with every attempt.
#[derive(Clone, PartialEq)]
pub struct LearnerRecord {
    /// The learner; `None`: nobody told of them.
    pub learner: Option<User>,
    /// Every attempt.
    pub attempts: Vec<Attempt>,
}

/// Loads a learner with every attempt, and registers one who comes for the first time.
///
/// # Errors
///
/// When the database is away.
pub async fn load_record(db: &Db, who: &Submitter, now: DateTime<Utc>) -> Result<LearnerRecord, OperationError> {
    let mut conn = db.acquire().await?;
    let learner = load_learner(&mut conn, who, now).await?;
    let attempts = attempts::list_for_user(&mut conn, who.user).await?;
    Ok(LearnerRecord { learner, attempts })
}

async fn load_learner(conn: &mut Connection, who: &Submitter, now: DateTime<Utc>) -> Result<Option<User>, OperationError> {
    if let Some(known) = users::find(conn, who.user).await? {
        return Ok(Some(known));
    }
    let Some(profile) = &who.profile else { return Ok(None) };
    users::ensure(conn, profile, now).await?;
    Ok(Some(profile.clone()))
}

/// Keeps what a learner chose for a course. The learner must be known.
///
/// # Errors
///
/// When the database is away.
pub async fn remember_choice(
    db: &Db,
    user: UserId,
    course: &CourseKey,
    choice: &Choice,
    now: DateTime<Utc>,
) -> Result<(), OperationError> {
    let mut conn = db.acquire().await?;
    Ok(flow::save_choice(&mut conn, user, course, choice, now).await?)
}

/// A checkpoint as a learner meets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointVisit {
    /// The course's name.
    pub course_name: String,
    /// The assessment that it guards, or its usage key when the platform did not tell.
    pub name: String,
    /// How many tries there are.
    pub tries: Tries,
    /// When it closes (UTC), if the platform told.
    pub due: Option<DateTime<Utc>>,
    /// Whether an earlier ID photo can be used again.
    pub has_initial_verification: bool,
}

/// Loads a checkpoint for a learner's visit; `None` when the course or the checkpoint is not known.
///
/// # Errors
///
/// When the database is away.
pub async fn load_checkpoint(
    db: &Db,
    user: UserId,
    (course, usage): (&CourseKey, &UsageKey),
    (earliest, format): (DateTime<Utc>, VendorFormat),
) -> Result<Option<CheckpointVisit>, OperationError> {
    let mut conn = db.acquire().await?;
    let Some(facts) = flow::find_course(&mut conn, course).await? else { return Ok(None) };
    let found = checkpoints::list(&mut conn, course, user, Some(usage)).await?;
    let Some(checkpoint) = found.into_iter().next() else { return Ok(None) };
    let (attempts, due, assessment) = match checkpoint.block {
        Some(block) => (Some(block.attempts), block.due, Some(block.related_assessment)),
        None => (None, None, None),
    };
    Ok(Some(CheckpointVisit {
        course_name: facts.display_name,
        name: assessment.unwrap_or(checkpoint.usage),
        tries: Tries::new(checkpoint.attempts_used, attempts),
        due,
        has_initial_verification: attempts::find_id_photo_lender(&mut conn, user, earliest, format).await?.is_some(),
    }))
}
