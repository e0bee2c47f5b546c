//! A learner's status in a credit requirement is set, and with the last one the learner becomes eligible.
//!
//! Source: reference 8.2 and the grade rule of 8.3.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::push_from_lms::PushRefused;
use crate::{
    domain::{
        credit::{self, Change, ELIGIBLE_FOR, Progress, RequirementStatus},
        effect::{Effect, MailTemplate, Wish},
        grade::{self, GRADE, Grade},
        ids::{ReceiptId, UserId},
        keys::CourseKey,
    },
    store::{Connection, Db, StoreError, courses, credit as rows, credit_requests, jobs, users},
};

/// What an update of credit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreditUpdated {
    /// The course asks nothing of this sort, or nothing that it asks for came about.
    NotRequired,
    /// Nothing changed: the learner is eligible already, or has asked for credit.
    Kept,
    /// The requirement has its status.
    Set,
    /// And the learner became eligible.
    Eligible,
}

impl CreditUpdated {
    /// The word in the API and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotRequired => "not_required",
            Self::Kept => "kept",
            Self::Set => "set",
            Self::Eligible => "eligible",
        }
    }
}

/// A requirement of a course, for a learner.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The learner.
    pub user: UserId,
    /// The course.
    pub course: &'a CourseKey,
    /// The requirement's namespace.
    pub namespace: &'a str,
    /// Its name in the namespace.
    pub name: &'a str,
}

/// Sets a status that the platform reports.
///
/// # Errors
///
/// [`PushRefused`], and nothing changed.
pub async fn set(
    db: &Db,
    target: &Target<'_>,
    status: RequirementStatus,
    reason: &Value,
    now: DateTime<Utc>,
) -> Result<CreditUpdated, PushRefused> {
    let mut tx = db.begin().await?;
    check_known(&mut tx, target).await?;
    let done = match lock_and_find(&mut tx, target).await? {
        Some(id) => apply(&mut tx, (target.user, target.course.as_str()), (id, status, reason), None, now).await?,
        None => CreditUpdated::NotRequired,
    };
    tx.commit().await?;
    Ok(done)
}

/// Removes a learner's status; `false` when there was none. Eligibility stays. Source: reference 8.3.
///
/// # Errors
///
/// [`PushRefused`], and nothing changed.
pub async fn remove(db: &Db, target: &Target<'_>) -> Result<bool, PushRefused> {
    let mut tx = db.begin().await?;
    check_known(&mut tx, target).await?;
    let is_removed = match lock_and_find(&mut tx, target).await? {
        Some(id) => rows::remove_status(&mut tx, target.user, id, None).await?,
        None => false,
    };
    tx.commit().await?;
    Ok(is_removed)
}

/// Applies a grade to the requirement of a least grade, if the course has one. Source: reference 8.3.
///
/// # Errors
///
/// [`PushRefused`], and nothing changed.
pub async fn report_grade(
    db: &Db,
    user: UserId,
    course: &CourseKey,
    grade: Grade,
    now: DateTime<Utc>,
) -> Result<CreditUpdated, PushRefused> {
    let target = Target { user, course, namespace: GRADE, name: GRADE };
    let mut tx = db.begin().await?;
    check_known(&mut tx, &target).await?;
    let Some(id) = lock_and_find(&mut tx, &target).await? else { return Ok(CreditUpdated::NotRequired) };
    let minimum = rows::find_criteria(&mut tx, id).await?.as_ref().and_then(grade::minimum);
    let ruled = minimum.and_then(|minimum| grade::rule(grade, minimum, now));
    let Some((status, reason)) = ruled else { return Ok(CreditUpdated::NotRequired) };
    let done = apply(&mut tx, (user, course.as_str()), (id, status, &reason), None, now).await?;
    tx.commit().await?;
    Ok(done)
}

async fn check_known(conn: &mut Connection, target: &Target<'_>) -> Result<(), PushRefused> {
    users::find(conn, target.user).await?.ok_or(PushRefused::UnknownUser)?;
    if courses::is_known(conn, target.course).await? { Ok(()) } else { Err(PushRefused::UnknownCourse) }
}

/// Makes the learner's credit in the course this transaction's alone, and finds the active requirement.
pub(super) async fn lock_and_find(conn: &mut Connection, target: &Target<'_>) -> Result<Option<i64>, StoreError> {
    let course = target.course.as_str();
    rows::lock(conn, course, target.user).await?;
    rows::find_requirement(conn, course, target.namespace, target.name).await
}

/// Decides and saves, once the learner's credit is locked; a mail that follows serves the attempt `receipt`.
pub(super) async fn apply(
    conn: &mut Connection,
    (user, course): (UserId, &str),
    (target, status, reason): (i64, RequirementStatus, &Value),
    receipt: Option<ReceiptId>,
    now: DateTime<Utc>,
) -> Result<CreditUpdated, StoreError> {
    let requirements = rows::requirements_of(conn, course, user).await?;
    let progress = Progress {
        is_eligible: rows::eligible_until(conn, course, user, now).await?.is_some(),
        has_requested: credit_requests::exists(conn, course, user).await?,
    };
    let change = credit::change(&requirements, target, status, progress);
    if change == Change::None {
        return Ok(CreditUpdated::Kept);
    }
    // No reason is an empty one. Source: reference 8.2, step 4.
    let empty = json!({});
    let reason = if reason.is_null() { &empty } else { reason };
    rows::set_status(conn, user, target, (status, reason), now).await?;
    if change == Change::SetAndEligible && rows::make_eligible(conn, course, user, now + ELIGIBLE_FOR, now).await? {
        let course = Some(course.to_owned());
        let mail = Effect::SendEmail { template: MailTemplate::CreditEligible, user, receipt: None, course };
        jobs::insert(conn, &[Wish::from(mail)], receipt).await?;
        return Ok(CreditUpdated::Eligible);
    }
    Ok(CreditUpdated::Set)
}
