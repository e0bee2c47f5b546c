//! A learner is about to verify at a checkpoint: it is there from now on. Source: reference 8.6.

use chrono::{DateTime, Utc};

use super::{push_from_lms::PushRefused, skip_reverification::check_known};
use crate::{
    domain::{
        ids::{CheckpointId, UserId},
        keys::{CourseKey, UsageKey},
    },
    store::{Db, checkpoints},
};

/// Finds the checkpoint of a place in a course, or makes it. Any number may do so at once.
///
/// # Errors
///
/// [`PushRefused`], and nothing changed.
pub async fn start(
    db: &Db,
    user: UserId,
    course: &CourseKey,
    usage: &UsageKey,
    now: DateTime<Utc>,
) -> Result<CheckpointId, PushRefused> {
    // Without a transaction, so that nobody waits for another's end.
    let mut conn = db.acquire().await?;
    check_known(&mut conn, user, course).await?;
    Ok(checkpoints::ensure(&mut conn, course, usage, now).await?)
}
