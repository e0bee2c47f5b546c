//! Learners whose verification has expired are told by mail.

use chrono::{DateTime, TimeDelta, Utc};

use super::OperationError;
use crate::{
    domain::{
        effect::{Effect, MailTemplate},
        renewal::{Reminders, next_mail},
    },
    store::{
        Db,
        events::{self, Note},
        jobs,
        renewals::{self, Expired},
    },
};

/// Learners told in one transaction.
const BATCH: i64 = 200;

/// Asks for the mails that are due, each once; returns how many.
///
/// # Errors
///
/// When the database is away; what was not asked for is asked for next time.
pub async fn remind(db: &Db, reminders: Reminders, days_good_for: u32, now: DateTime<Utc>) -> Result<usize, OperationError> {
    if reminders.mails == 0 {
        return Ok(0);
    }
    let before = now - TimeDelta::days(i64::from(days_good_for));
    let expired = Expired { after: before - reminders.every, before };
    let mut conn = db.acquire().await?;
    renewals::forget_renewed(&mut conn, now).await?;
    drop(conn);
    let mut told = 0;
    loop {
        let batch = remind_batch(db, &expired, reminders, now).await?;
        told += batch;
        if batch == 0 {
            return Ok(told);
        }
    }
}

async fn remind_batch(db: &Db, expired: &Expired, reminders: Reminders, now: DateTime<Utc>) -> Result<usize, OperationError> {
    let mut tx = db.begin().await?;
    let untold = renewals::list_untold(&mut tx, expired, now, BATCH).await?;
    for approval in &untold {
        let next = next_mail(approval.told + 1, approval.needs_verification, reminders, now);
        renewals::set_told(&mut tx, approval.id, next).await?;
        let note = Note { at: now, actor: "upkeep", kind: "expiry_told", to: None, detail: "" };
        events::append(&mut tx, approval.id, &note).await?;
        let (user, receipt) = (approval.user, Some(approval.receipt));
        let mail = Effect::SendEmail { template: MailTemplate::VerificationExpired, user, receipt, course: None };
        jobs::insert(&mut tx, &[mail.into()], receipt).await?;
    }
    tx.commit().await?;
    Ok(untold.len())
}
