//! A learner opts out of re-verification in a course, or takes that back. Source: reference 1.4 and 8.6.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    push_from_lms::PushRefused,
    set_requirement::{self, Target},
};
use crate::{
    domain::{
        credit::{REVERIFICATION, RequirementStatus},
        effect::{Effect, Wish},
        ids::{CheckpointId, UserId},
        keys::{CourseKey, UsageKey},
    },
    store::{Connection, Db, StoreError, checkpoints, courses, credit, credit_requests, jobs, skips, users},
};

/// Keeps an opt-out, said at a checkpoint; the checkpoint's requirement is declined. A second one in the same
/// course changes nothing.
///
/// # Errors
///
/// [`PushRefused`], and nothing changed.
pub async fn put(db: &Db, user: UserId, course: &CourseKey, usage: &UsageKey, now: DateTime<Utc>) -> Result<(), PushRefused> {
    let mut tx = db.begin().await?;
    check_known(&mut tx, user, course).await?;
    let is_place = checkpoints::find(&mut tx, course, usage).await?.is_some()
        || courses::find_block(&mut tx, course, usage).await?.is_some();
    if !is_place {
        return Err(PushRefused::UnknownCheckpoint);
    }
    let checkpoint = checkpoints::ensure(&mut tx, course, usage, now).await?;
    if skips::insert(&mut tx, user, course, checkpoint, now).await? {
        let target = Target { user, course, namespace: REVERIFICATION, name: usage.as_str() };
        if let Some(id) = set_requirement::lock_and_find(&mut tx, &target).await? {
            let declined = (id, RequirementStatus::Declined, &Value::Null);
            set_requirement::apply(&mut tx, (user, course.as_str()), declined, None, now).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

/// Takes an opt-out back, at whichever checkpoint of the course it was said. A requirement that it declined
/// has no status then, or the one of the newest verdict there; it stays declined once the learner has asked for credit.
///
/// # Errors
///
/// [`PushRefused`], and nothing changed.
pub async fn delete(db: &Db, user: UserId, course: &CourseKey) -> Result<(), PushRefused> {
    let mut tx = db.begin().await?;
    check_known(&mut tx, user, course).await?;
    if let Some(checkpoint) = skips::delete(&mut tx, user, course).await? {
        undo_decline(&mut tx, user, course, checkpoint).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn undo_decline(
    conn: &mut Connection,
    user: UserId,
    course: &CourseKey,
    checkpoint: CheckpointId,
) -> Result<(), StoreError> {
    let Some((_, usage)) = checkpoints::place(conn, checkpoint).await? else { return Ok(()) };
    let target = Target { user, course, namespace: REVERIFICATION, name: &usage };
    let Some(id) = set_requirement::lock_and_find(conn, &target).await? else { return Ok(()) };
    if credit_requests::exists(conn, course.as_str(), user).await? {
        return Ok(());
    }
    if credit::remove_status(conn, user, id, Some(RequirementStatus::Declined)).await? {
        jobs::insert(conn, &[Wish::from(Effect::UpdateCreditRequirement { user, checkpoint })], None).await?;
    }
    Ok(())
}

pub(super) async fn check_known(conn: &mut Connection, user: UserId, course: &CourseKey) -> Result<(), PushRefused> {
    users::find(conn, user).await?.ok_or(PushRefused::UnknownUser)?;
    if courses::is_known(conn, course).await? { Ok(()) } else { Err(PushRefused::UnknownCourse) }
}
