//! What learners do is kept for analytics, and delivered in the order in which it happened.
//!
//! An event is a row in the transaction of what it tells of, with a job. Of a learner's jobs one delivers:
//! whoever finds another that is alive is covered by it, and whoever delivered stays while events are left.
//! Both look under the learner's lock, and no transaction is open while the service is waited for.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{OperationError, submit_photos::Submitter, take};
use crate::{
    domain::{
        effect::{AnalyticsEvent, Effect, Wish},
        event::{Event, EventName},
        ids::{AttemptId, ReceiptId, UserId},
        keys::{CourseKey, UsageKey},
    },
    ids,
    store::{
        Connection, Db,
        analytics_events::{self, KeptEvent},
        attempts, checkpoints, jobs,
        jobs::Lease,
        users,
    },
};

/// Most events that one delivery takes: the service takes 500 KB at once, and an event has less than 2 KiB.
pub const BATCH_MAX: i64 = 100;
/// Most undelivered events of one learner; what a page reports beyond is dropped.
pub const WAITING_MAX: i64 = 1000;

/// Keeps an event of a learner; nothing when events are off.
///
/// # Errors
///
/// When the learner is not known or the database is away.
pub async fn record(db: &Db, user: UserId, name: EventName, properties: Value, now: DateTime<Utc>) -> Result<(), OperationError> {
    if !db.keeps_events() {
        return Ok(());
    }
    let mut tx = db.begin().await?;
    append(&mut tx, (user, None), &Event { name, properties }, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Keeps that the page of a checkpoint was shown. Source: reference 4.8, step 4.
///
/// # Errors
///
/// As [`record`].
pub async fn record_start(
    db: &Db,
    user: UserId,
    (course, usage): (&CourseKey, &UsageKey),
    now: DateTime<Utc>,
) -> Result<(), OperationError> {
    if !db.keeps_events() {
        return Ok(());
    }
    let mut tx = db.begin().await?;
    let place = checkpoints::list(&mut tx, course, user, Some(usage)).await?;
    let block = place.into_iter().next().and_then(|row| row.block);
    let name = block.map_or_else(|| usage.to_string(), |block| block.related_assessment);
    let event = Event::at_checkpoint(EventName::ReverifyStarted, course.as_str(), &name);
    append(&mut tx, (user, None), &event, now).await?;
    tx.commit().await?;
    Ok(())
}

/// What became of a page's report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// It is kept, or events are off.
    Kept,
    /// Nobody knows the learner.
    UnknownLearner,
    /// Too many of the learner's events wait.
    TooMany,
}

/// Keeps what a page reports of a learner, who is registered on first use.
///
/// # Errors
///
/// When the database is away.
pub async fn report(db: &Db, who: &Submitter, event: &Event, now: DateTime<Utc>) -> Result<Reported, OperationError> {
    if !db.keeps_events() {
        return Ok(Reported::Kept);
    }
    let user = who.user;
    let mut tx = db.begin().await?;
    if let Some(profile) = &who.profile {
        users::ensure(&mut tx, profile, now).await?;
    }
    if users::find(&mut tx, user).await?.is_none() {
        return Ok(Reported::UnknownLearner);
    }
    if analytics_events::count(&mut tx, user, WAITING_MAX).await? >= WAITING_MAX {
        return Ok(Reported::TooMany);
    }
    append(&mut tx, (user, None), event, now).await?;
    tx.commit().await?;
    Ok(Reported::Kept)
}

/// Keeps an event of a submission, in its transaction.
pub(super) async fn append_submission(
    conn: &mut Connection,
    who: (UserId, AttemptId, ReceiptId),
    name: EventName,
    now: DateTime<Utc>,
) -> Result<(), OperationError> {
    let (user, attempt, receipt) = who;
    let event = of_submission(conn, attempt, name).await?;
    analytics_events::lock(conn, user).await?;
    analytics_events::append(conn, (user, Some(attempt)), &event, ids::new_uuid(), now).await?;
    Ok(jobs::insert(conn, &[job(user)], Some(receipt)).await?)
}

async fn append(
    conn: &mut Connection,
    who: (UserId, Option<AttemptId>),
    event: &Event,
    now: DateTime<Utc>,
) -> Result<(), OperationError> {
    analytics_events::lock(conn, who.0).await?;
    analytics_events::append(conn, who, event, ids::new_uuid(), now).await?;
    Ok(jobs::insert(conn, &[job(who.0)], None).await?)
}

fn job(user: UserId) -> Wish {
    Wish::from(Effect::TrackEvent { user, event: None, receipt: None })
}

async fn of_submission(conn: &mut Connection, attempt: AttemptId, name: EventName) -> Result<Event, OperationError> {
    let place = match name {
        EventName::ReverifySubmitted => checkpoints::named_place_of(conn, attempt).await?,
        _ => None,
    };
    Ok(match place {
        Some((course, checkpoint)) => Event::at_checkpoint(name, &course, &checkpoint),
        None => Event::of_verification(name),
    })
}

/// What a job has to deliver.
#[derive(Debug, Clone, PartialEq)]
pub enum Delivery {
    /// These, oldest first.
    Send(Vec<KeptEvent>),
    /// Nothing: another job of the learner does, or nothing is left. The job is done.
    Done,
}

/// Takes up a learner's events, unless another job of theirs does.
///
/// # Errors
///
/// [`OperationError::Fenced`] when another worker has the job.
pub async fn take_up(db: &Db, lease: Lease, user: UserId) -> Result<Delivery, OperationError> {
    let mut tx = db.begin().await?;
    analytics_events::lock(&mut tx, user).await?;
    if !jobs::hold(&mut tx, lease).await? {
        return Err(OperationError::Fenced);
    }
    if !analytics_events::has_other_job(&mut tx, user, lease.job).await? {
        let events = analytics_events::list_oldest(&mut tx, user, BATCH_MAX).await?;
        if !events.is_empty() {
            return Ok(Delivery::Send(events));
        }
    }
    take(&mut tx, lease).await?;
    tx.commit().await?;
    Ok(Delivery::Done)
}

/// The events up to `last` are delivered: they are forgotten. The job is done too, or due again at once when
/// others came meanwhile.
///
/// # Errors
///
/// [`OperationError::Fenced`] when another worker has the job; then nothing is forgotten.
pub async fn delivered(db: &Db, lease: Lease, user: UserId, last: i64) -> Result<(), OperationError> {
    let mut tx = db.begin().await?;
    analytics_events::lock(&mut tx, user).await?;
    if !jobs::hold(&mut tx, lease).await? {
        return Err(OperationError::Fenced);
    }
    if analytics_events::delete_through(&mut tx, user, last).await? {
        jobs::put_back(&mut tx, &[lease]).await?;
    } else {
        take(&mut tx, lease).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Takes over a job of the former release, whose event was in its arguments: the event is kept, and a job of
/// this release delivers it.
///
/// # Errors
///
/// [`OperationError::Missing`] when there is no such attempt, [`OperationError::Fenced`] when another worker
/// has the job.
pub async fn adopt(db: &Db, lease: Lease, event: AnalyticsEvent, receipt: ReceiptId) -> Result<(), OperationError> {
    let mut tx = db.begin().await?;
    take(&mut tx, lease).await?;
    let attempt = attempts::find(&mut tx, receipt).await?.ok_or(OperationError::Missing("attempt"))?;
    append_submission(&mut tx, (attempt.user, attempt.id, receipt), event.into(), attempt.created_at).await?;
    tx.commit().await?;
    Ok(())
}
