//! What a mail says.

use chrono::{DateTime, Utc};

use super::OperationError;
use crate::{
    domain::{
        attempt::{Attempt, reasons},
        checkpoint::{self, Tries},
        course::BlockPlace,
        credit,
        effect::MailTemplate,
        ids::{ReceiptId, UserId},
        keys::{CourseKey, UsageKey},
    },
    store::{Connection, Db, StoreError, attempts, checkpoints, courses, credit as credit_rows, repeat, users},
};

/// What a mail says, and to whom.
#[derive(Clone, PartialEq, Eq)]
pub struct MailFacts {
    /// The address.
    pub email: String,
    /// The learner's name.
    pub full_name: String,
    /// Why the attempt was denied.
    pub reasons: Vec<String>,
    /// Until when the approval counts (UTC).
    pub expires_at: Option<DateTime<Utc>>,
    /// The course's name.
    pub course_name: Option<String>,
    /// Who gives credit: "A", "A and B", "A, B, and C".
    pub providers: Option<String>,
    /// The checkpoint of the attempt, when the mail is about that.
    pub checkpoint: Option<CheckpointFacts>,
}

/// What a mail says of a checkpoint, as it is when the mail is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointFacts {
    /// The course.
    pub course: CourseKey,
    /// The checkpoint.
    pub usage: UsageKey,
    /// Where it stands in the courseware; empty when nobody told.
    pub place: BlockPlace,
    /// The assessment that it guards or, when nobody told, its usage key.
    pub assessment: String,
    /// How many tries there are.
    pub tries: Tries,
    /// Whether it is open.
    pub is_open: bool,
    /// When it closes (UTC), if the platform told.
    pub due: Option<DateTime<Utc>>,
}

/// Which mail.
#[derive(Debug, Clone, Copy)]
pub struct WhichMail<'a> {
    /// What about.
    pub template: MailTemplate,
    /// To whom.
    pub user: UserId,
    /// The attempt, if any.
    pub receipt: Option<ReceiptId>,
    /// The course, if any.
    pub course: Option<&'a str>,
}

/// Loads what a mail says.
///
/// # Errors
///
/// [`OperationError::Missing`] when the learner or the attempt does not exist; [`OperationError::Refused`] when what the
/// mail would tell holds no more: do not send it.
pub async fn load(db: &Db, which: WhichMail<'_>, days_good_for: u32, now: DateTime<Utc>) -> Result<MailFacts, OperationError> {
    repeat!(db, conn => read(conn, &which, days_good_for, now).await)
}

async fn read(
    conn: &mut Connection,
    which: &WhichMail<'_>,
    days_good_for: u32,
    now: DateTime<Utc>,
) -> Result<MailFacts, OperationError> {
    let Some(user) = users::find(conn, which.user).await? else {
        let is_erased = users::is_erased(conn, which.user).await?;
        return Err(if is_erased { StoreError::Erased.into() } else { OperationError::Missing("learner") });
    };
    let attempt = match which.receipt {
        Some(receipt) => Some(attempts::find(conn, receipt).await?.ok_or(OperationError::Missing("attempt"))?),
        None => None,
    };
    if let Some(attempt) = attempt.as_ref().filter(|attempt| !which.template.holds(attempt.status)) {
        return Err(OperationError::Refused(attempt.status));
    }
    let (mut course_name, mut providers) = (None, None);
    if let Some(course) = which.course {
        course_name = courses::find_name(conn, course).await?;
        providers = credit::provider_names(&credit_rows::provider_names(conn, course).await?);
    }
    let checkpoint = match (which.template, &attempt) {
        (MailTemplate::ReverificationStatus(_), Some(attempt)) => load_checkpoint(conn, attempt, now).await?,
        _ => None,
    };
    if let Some(facts) = &checkpoint {
        course_name = courses::find_name(conn, facts.course.as_str()).await?;
    }
    Ok(MailFacts {
        email: user.email,
        full_name: user.full_name,
        reasons: attempt.as_ref().map(|attempt| reasons::texts(&attempt.error_msg)).unwrap_or_default(),
        expires_at: attempt.as_ref().map(|attempt| attempt.expires_at(days_good_for)),
        course_name,
        providers,
        checkpoint,
    })
}

/// The first checkpoint of an attempt, by its row. Source: reference 7.3.
async fn load_checkpoint(
    conn: &mut Connection,
    attempt: &Attempt,
    now: DateTime<Utc>,
) -> Result<Option<CheckpointFacts>, OperationError> {
    let Some((course, usage)) = checkpoints::places_of(conn, attempt.id).await?.into_iter().next() else { return Ok(None) };
    let keys = CourseKey::parse(&course).zip(UsageKey::parse(&usage));
    let (course, usage) = keys.ok_or(OperationError::Unreadable("a checkpoint's place"))?;
    let row = checkpoints::list(conn, &course, attempt.user, Some(&usage)).await?.into_iter().next();
    let (used, block) = row.map_or((0, None), |row| (row.attempts_used, row.block));
    let place = courses::find_block(conn, &course, &usage).await?.unwrap_or_default();
    let due = block.as_ref().and_then(|block| block.due);
    Ok(Some(CheckpointFacts {
        tries: Tries::new(used, block.as_ref().map(|block| block.attempts)),
        assessment: block.map_or_else(|| usage.to_string(), |block| block.related_assessment),
        is_open: checkpoint::is_open(due, now),
        course,
        usage,
        place,
        due,
    }))
}
