//! An erasure of a learner is asked for: from this moment nothing about them is written any more.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::OperationError;
use crate::{
    domain::{
        effect::{Effect, Wish},
        erasure::Counts,
        ids::{ErasureId, UserId},
        operator::Order,
        retention::Kind,
    },
    store::{
        Db,
        erasures::{self, Erasure},
        jobs,
        operator_actions::{self, Action},
        users,
    },
};

/// What became of the wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// It has begun.
    Now(ErasureId),
    /// It began before, and may be done; nothing was changed, but one that is not done has its job.
    Before(ErasureId),
    /// There is no such learner.
    UnknownUser,
}

/// Empties a learner's profile, closes their door for good, and wishes for the rest.
///
/// # Errors
///
/// When the database is away; nothing was changed.
pub async fn start(
    db: &Db,
    order: &Order,
    (user, id): (UserId, ErasureId),
    now: DateTime<Utc>,
) -> Result<Started, OperationError> {
    let mut tx = db.begin().await?;
    // The lock makes two who ask take turns, and waits for whoever writes about the learner just now.
    if !users::lock_for_erasure(&mut tx, user).await? {
        return Ok(Started::UnknownUser);
    }
    if let Some(before) = erasures::find_of_user(&mut tx, user).await? {
        if erasures::lacks_job(&mut tx, before).await? {
            jobs::insert(&mut tx, &[Wish::from(Effect::EraseLearner { erasure: before })], None).await?;
            tx.commit().await?;
        }
        return Ok(Started::Before(before));
    }
    users::erase(&mut tx, user, now).await?;
    erasures::insert(&mut tx, (id, user), &order.actor, now).await?;
    let mut counts = Counts::default();
    counts.add(Kind::Profiles, 1);
    erasures::add(&mut tx, id, &counts).await?;
    let target = user.to_string();
    let detail = json!({ "erasure": id.to_string() });
    operator_actions::append(&mut tx, &Action { at: now, order, action: "user.erase", target: &target, detail }).await?;
    jobs::insert(&mut tx, &[Wish::from(Effect::EraseLearner { erasure: id })], None).await?;
    tx.commit().await?;
    Ok(Started::Now(id))
}

/// Finds an erasure.
///
/// # Errors
///
/// When the database is away.
pub async fn find(db: &Db, id: ErasureId) -> Result<Option<Erasure>, OperationError> {
    let mut conn = db.acquire().await?;
    Ok(erasures::find(&mut conn, id).await?)
}
