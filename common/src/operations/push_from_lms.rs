//! The learning platform tells of its learners, courses and enrolments. Telling twice changes nothing.

use chrono::{DateTime, Utc};

use super::OperationError;
use crate::{
    domain::{
        course::{CourseFault, CourseUpdate, CreditUpdate},
        deadline::{self, Said},
        ids::UserId,
        keys::CourseKey,
    },
    store::{
        Connection, Db,
        courses::{self, CourseDates},
        deadlines, flow, users,
        users::User,
    },
};

/// Why what the platform says is refused.
#[derive(Debug, thiserror::Error)]
pub enum PushRefused {
    /// What it says makes no sense.
    #[error(transparent)]
    Course(#[from] CourseFault),
    /// It speaks of a learner whom it never told of.
    #[error("this user is not known; PUT users/{{user_id}} first")]
    UnknownUser,
    /// It speaks of a course that it never told of.
    #[error("this course is not known; PUT courses/{{course}} first")]
    UnknownCourse,
    /// It speaks of a checkpoint where nobody was and of which it never told.
    #[error("this checkpoint is not known; PUT courses/{{course}} with its block first")]
    UnknownCheckpoint,
    /// It speaks of a provider that the course does not have.
    #[error("this course has no such credit provider")]
    UnknownProvider,
    /// It speaks of credit in a course without.
    #[error("credit can't be earned in this course")]
    NoCredit,
    /// The database failed.
    #[error(transparent)]
    Operation(#[from] OperationError),
}

impl From<crate::store::StoreError> for PushRefused {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Operation(error.into())
    }
}

/// Keeps a learner.
///
/// # Errors
///
/// When the database is away.
pub async fn put_user(db: &Db, user: &User, now: DateTime<Utc>) -> Result<(), OperationError> {
    let mut conn = db.acquire().await?;
    Ok(users::upsert(&mut conn, user, now).await?)
}

/// Keeps what is said of a course; the rest stays as it is. `actor` is the key's name, for the history.
///
/// # Errors
///
/// [`PushRefused`], and nothing changed.
pub async fn put_course(
    db: &Db,
    course: &CourseKey,
    update: &CourseUpdate,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), PushRefused> {
    update.check()?;
    let mut tx = db.begin().await?;
    let known = courses::lock_name(&mut tx, course).await?;
    let name = update.display_name.clone().or(known).ok_or(CourseFault::NameMissing)?;
    let dates = CourseDates { starts_at: update.starts_at, ends_at: update.ends_at };
    courses::upsert(&mut tx, course, &name, &dates, now).await?;
    if let Some(modes) = &update.modes {
        courses::replace_modes(&mut tx, course, modes).await?;
    }
    put_deadline(&mut tx, course, update, actor, now).await?;
    if let Some(blocks) = &update.reverification_blocks {
        courses::replace_blocks(&mut tx, course, blocks).await?;
    }
    if let Some(credit) = &update.credit {
        put_credit(&mut tx, course, credit.as_ref()).await?;
    }
    if let Some(embargo) = &update.embargo {
        let rules = match embargo {
            Some(told) => told.after(flow::find_country_rules(&mut tx, course).await?)?,
            None => None,
        };
        courses::replace_country_rules(&mut tx, course, rules.as_ref()).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The deadline after what was said; it must suit the tracks, which are saved already.
async fn put_deadline(
    conn: &mut Connection,
    course: &CourseKey,
    update: &CourseUpdate,
    actor: &str,
    now: DateTime<Utc>,
) -> Result<(), PushRefused> {
    let before = deadlines::find(conn, course).await?;
    let after = deadline::after(before, Said { deadline: update.verification_deadline, course_end: update.ends_at });
    if update.verification_deadline.is_some() || update.modes.is_some() {
        let upgrades = courses::list_upgrade_deadlines(conn, course).await?;
        if deadline::is_before_upgrades(after, &upgrades) {
            return Err(CourseFault::DeadlineBeforeUpgrades.into());
        }
    }
    if after != before {
        deadlines::save(conn, course, after, now).await?;
    }
    if let Some(line) = deadline::change(before, after) {
        deadlines::append(conn, course, line, actor, now).await?;
    }
    Ok(())
}

/// No way to credit any more means: not enabled, and nothing required.
async fn put_credit(conn: &mut Connection, course: &CourseKey, credit: Option<&CreditUpdate>) -> Result<(), PushRefused> {
    let Some(credit) = credit else {
        courses::set_credit(conn, course, false).await?;
        courses::replace_requirements(conn, course, &[]).await?;
        courses::replace_providers(conn, course, &[]).await?;
        return Ok(());
    };
    let stored = courses::is_credit_enabled(conn, course).await?;
    let is_enabled = credit.is_enabled.or(stored).unwrap_or(true);
    if !is_enabled && credit.requirements.iter().flatten().next().is_some() {
        return Err(CourseFault::RequirementsWithoutCredit.into());
    }
    courses::set_credit(conn, course, is_enabled).await?;
    if let Some(requirements) = &credit.requirements {
        courses::replace_requirements(conn, course, requirements).await?;
    }
    if let Some(providers) = &credit.providers {
        courses::replace_providers(conn, course, providers).await?;
    }
    Ok(())
}

/// Keeps an enrolment.
///
/// # Errors
///
/// [`PushRefused`], and nothing changed.
pub async fn put_enrollment(
    db: &Db,
    user: UserId,
    course: &CourseKey,
    enrollment: (&str, bool),
    now: DateTime<Utc>,
) -> Result<(), PushRefused> {
    let mut tx = db.begin().await?;
    users::find(&mut tx, user).await?.ok_or(PushRefused::UnknownUser)?;
    if !courses::set_enrollment(&mut tx, user, course, enrollment, now).await? {
        return Err(PushRefused::UnknownCourse);
    }
    tx.commit().await?;
    Ok(())
}
