//! A learner submits photos.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{OperationError, track_event};
use crate::{
    domain::{
        course::BlockPlace,
        effect::{Effect, MailTemplate, Wish},
        event::EventName,
        ids::{ReceiptId, UserId},
        keys::{CourseKey, UsageKey},
        submission::{Accepted, Facts},
        vendor_format::VendorFormat,
    },
    store::{
        Connection, Db,
        attempts::{self, NewAttempt},
        checkpoints::{self, CheckpointStatus, StatusRow},
        courses, jobs, repeat,
        submission_keys::{self, Answered},
        users,
        users::User,
    },
};

/// Who submits, and what their token says of them should nobody know them yet.
#[derive(Clone)]
pub struct Submitter {
    /// The learner.
    pub user: UserId,
    /// The profile in the token, when it is whole; used to register the learner on first use.
    pub profile: Option<User>,
}

/// Loads what the checks of a submission need; an ID photo of another wire format than `format` is none.
///
/// # Errors
///
/// When the database is away.
pub async fn load_facts(
    db: &Db,
    who: &Submitter,
    now: DateTime<Utc>,
    (days_good_for, format): (u32, VendorFormat),
) -> Result<Facts, OperationError> {
    let earliest = now - TimeDelta::days(i64::from(days_good_for));
    let initial = repeat!(db, conn => attempts::find_id_photo_lender(conn, who.user, earliest, format).await)?;
    let known = repeat!(db, conn => users::find(conn, who.user).await)?;
    let profile_name = known.or_else(|| who.profile.clone()).map(|user| user.full_name);
    Ok(Facts { initial, profile_name })
}

/// Whether a place is a checkpoint of that course: the platform told of it, or a learner was there.
///
/// # Errors
///
/// When the database is away.
pub async fn is_checkpoint(db: &Db, course: &CourseKey, usage: &UsageKey) -> Result<bool, OperationError> {
    let mut conn = db.acquire().await?;
    let known_block = courses::find_block(&mut conn, course, usage).await?;
    Ok(known_block.is_some() || checkpoints::find(&mut conn, course, usage).await?.is_some())
}

/// Finds where a checkpoint lies in the courseware, if the platform told.
///
/// # Errors
///
/// When the database is away.
pub async fn find_block(db: &Db, course: &CourseKey, usage: &UsageKey) -> Result<Option<BlockPlace>, OperationError> {
    Ok(repeat!(db, conn => courses::find_block(conn, course, usage).await)?)
}

/// What was stored before the submission is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredUploads {
    /// The attempt's public name, under which the uploads lie.
    pub receipt: ReceiptId,
    /// The sealed face.
    pub face: String,
    /// The sealed ID, when one was sent.
    pub photo_id: Option<String>,
    /// The id of the master key under which they are sealed.
    pub master_key: String,
}

/// The caller's name for a submission, so that sending it again is no second one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionKey {
    /// Whose key: no caller meets another's.
    pub caller: String,
    /// The key.
    pub key: String,
    /// The digest of what was sent.
    pub digest: Vec<u8>,
}

/// Finds what was answered to a key before.
///
/// # Errors
///
/// When the database is away.
pub async fn find_answered(db: &Db, key: &SubmissionKey) -> Result<Option<Answered>, OperationError> {
    Ok(repeat!(db, conn => submission_keys::find(conn, &key.caller, &key.key).await)?)
}

/// A submission that passed every check and whose photos are stored.
#[derive(Debug, Clone, Copy)]
pub struct ToSubmit<'a> {
    /// What passed.
    pub accepted: &'a Accepted,
    /// Where its photos are.
    pub uploads: &'a StoredUploads,
    /// The caller's name for it, if it has one.
    pub key: Option<&'a SubmissionKey>,
    /// What will be answered.
    pub answer: &'a Value,
}

/// Records a submission whose photos are stored: the attempt and every job that it needs, or nothing.
///
/// Answers with what was answered before when somebody else used the key in the meantime: then nothing was
/// recorded.
///
/// # Errors
///
/// When the database is away or refuses; the uploads are then nobody's and go after a day.
pub async fn submit(db: &Db, who: &Submitter, new: ToSubmit<'_>, now: DateTime<Utc>) -> Result<Option<Answered>, OperationError> {
    let ToSubmit { accepted, uploads, .. } = new;
    let mut tx = db.begin().await?;
    if let Some(profile) = &who.profile {
        users::ensure(&mut tx, profile, now).await?;
    }
    if let Some(key) = new.key {
        let answered = Answered { digest: key.digest.clone(), receipt: uploads.receipt, answer: new.answer.clone() };
        if !submission_keys::insert(&mut tx, (&key.caller, &key.key), &answered, now).await? {
            tx.rollback().await?;
            return find_answered(db, key).await;
        }
    }
    if let Some(former) = &accepted.former_name {
        users::change_name(&mut tx, who.user, former, &accepted.name, now).await?;
    }
    let row = NewAttempt {
        receipt: uploads.receipt,
        user: who.user,
        name: &accepted.name,
        created_at: now,
        copy_id_photo_from: accepted.copy_id_photo_from,
        face_upload: Some(&uploads.face),
        photo_id_upload: uploads.photo_id.as_deref(),
        upload_master_key: Some(&uploads.master_key),
        received_from: Some("learner"),
    };
    let attempt = attempts::insert(&mut tx, &row).await?;
    if let Some((course, usage)) = &accepted.checkpoint {
        wait_at_checkpoint(
            &mut tx,
            (course, usage),
            StatusRow { user: who.user, attempt, status: CheckpointStatus::Submitted, at: now },
        )
        .await?;
    }
    jobs::insert(&mut tx, &wishes(who.user, uploads.receipt, accepted), Some(uploads.receipt)).await?;
    if db.keeps_events() {
        let submission = (who.user, attempt, uploads.receipt);
        track_event::append_submission(&mut tx, submission, event_of(accepted), now).await?;
    }
    tx.commit().await?;
    Ok(None)
}

async fn wait_at_checkpoint(
    conn: &mut Connection,
    (course, usage): (&CourseKey, &UsageKey),
    row: StatusRow,
) -> Result<(), OperationError> {
    let checkpoint = checkpoints::ensure(conn, course, usage, row.at).await?;
    checkpoints::link(conn, checkpoint, row.attempt).await?;
    checkpoints::append_to_linked(conn, row).await?;
    Ok(())
}

/// What a submission sets going. Source: reference 6.1, steps 11a and 11b.
fn wishes(user: UserId, receipt: ReceiptId, accepted: &Accepted) -> Vec<Wish> {
    let prepare = Effect::PreparePhotos { receipt };
    if accepted.is_reverification() {
        return vec![prepare.into()];
    }
    let mail = Effect::SendEmail { template: MailTemplate::PhotosReceived, user, receipt: Some(receipt), course: None };
    [prepare, mail].map(Wish::from).to_vec()
}

fn event_of(accepted: &Accepted) -> EventName {
    if accepted.is_reverification() { EventName::ReverifySubmitted } else { EventName::VerifySubmitted }
}
