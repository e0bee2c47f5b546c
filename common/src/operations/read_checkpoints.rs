//! What others may read of a learner at the checkpoints of a course.

use chrono::{DateTime, Utc};

use super::OperationError;
use crate::{
    domain::{
        checkpoint::{self, Gate, LearnerFacts, Tries},
        ids::{ReceiptId, UserId},
        keys::{CourseKey, UsageKey},
    },
    store::{
        Db, attempts,
        checkpoints::{self, CheckpointRow},
        courses, users,
    },
};

/// A learner at one checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointView {
    /// Its usage key.
    pub usage: String,
    /// The latest status, if there is one.
    pub status: Option<&'static str>,
    /// What the block is told; see `domain::checkpoint::status_for_block`.
    pub status_for_block: Option<&'static str>,
    /// How many tries there are.
    pub tries: Tries,
    /// Whether it is open now.
    pub is_open: bool,
    /// When it closes (UTC), if the platform told.
    pub due: Option<DateTime<Utc>>,
    /// Whether what it guards is shown.
    pub gate: Gate,
}

/// A learner at the checkpoints of a course.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointsView {
    /// What is asked of the learner.
    pub learner: LearnerFacts,
    /// The checkpoints: those where somebody was, oldest first, then the blocks that nobody reached yet.
    pub checkpoints: Vec<CheckpointView>,
}

/// Reads a learner's statuses at the checkpoints of a course; `None` when learner or course is not known.
///
/// # Errors
///
/// When the database is away.
pub async fn read(
    db: &Db,
    user: UserId,
    course: &CourseKey,
    now: DateTime<Utc>,
) -> Result<Option<CheckpointsView>, OperationError> {
    read_some(db, user, (course, None), now).await
}

/// Reads a learner's status at one place of a course, where there need not be a checkpoint yet; `None` when
/// learner or course is not known.
///
/// # Errors
///
/// When the database is away.
pub async fn read_one(
    db: &Db,
    user: UserId,
    (course, usage): (&CourseKey, &UsageKey),
    now: DateTime<Utc>,
) -> Result<Option<CheckpointView>, OperationError> {
    let Some(found) = read_some(db, user, (course, Some(usage)), now).await? else { return Ok(None) };
    let nothing = || CheckpointRow { usage: usage.to_string(), latest: None, attempts_used: 0, block: None };
    Ok(Some(found.checkpoints.into_iter().next().unwrap_or_else(|| view(nothing(), found.learner, now))))
}

/// Reads where an attempt's newest status is; empty when it waits nowhere, `None` when there is no attempt.
///
/// # Errors
///
/// When the database is away.
pub async fn location_of(db: &Db, receipt: ReceiptId) -> Result<Option<String>, OperationError> {
    let mut conn = db.acquire().await?;
    match attempts::find(&mut conn, receipt).await? {
        Some(attempt) => Ok(Some(checkpoints::location_of(&mut conn, attempt.id).await?)),
        None => Ok(None),
    }
}

async fn read_some(
    db: &Db,
    user: UserId,
    (course, usage): (&CourseKey, Option<&UsageKey>),
    now: DateTime<Utc>,
) -> Result<Option<CheckpointsView>, OperationError> {
    let mut conn = db.acquire().await?;
    if !users::is_known(&mut conn, user).await? || !courses::is_known(&mut conn, course).await? {
        return Ok(None);
    }
    let learner = checkpoints::learner_facts(&mut conn, course, user).await?;
    let rows = checkpoints::list(&mut conn, course, user, usage).await?;
    let checkpoints = rows.into_iter().map(|row| view(row, learner, now)).collect();
    Ok(Some(CheckpointsView { learner, checkpoints }))
}

fn view(row: CheckpointRow, learner: LearnerFacts, now: DateTime<Utc>) -> CheckpointView {
    let due = row.block.as_ref().and_then(|block| block.due);
    CheckpointView {
        usage: row.usage,
        status: row.latest.map(checkpoint::CheckpointStatus::as_str),
        status_for_block: checkpoint::status_for_block(learner, row.latest),
        tries: Tries::new(row.attempts_used, row.block.map(|block| block.attempts)),
        is_open: checkpoint::is_open(due, now),
        due,
        gate: checkpoint::gate(learner, row.latest),
    }
}
