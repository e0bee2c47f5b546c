//! Whether verdicts at checkpoints are mailed, and what follows from a verdict. Source: reference 1.6 and 7.3.

use chrono::{DateTime, Utc};

use super::OperationError;
use crate::{
    domain::{
        attempt::{
            Attempt,
            verdict::{StatusMails, wishes_after_verdict},
        },
        checkpoint::Outcome,
        effect::Wish,
        ids::CheckpointId,
    },
    store::{
        Connection, Db, StoreError,
        switches::{self, Switch},
    },
};

/// The switch's name.
const NAME: &str = "icrv-status-emails";

/// Turns the mails on or off; `actor` is the key's name. Telling twice changes nothing.
///
/// # Errors
///
/// When the database is away.
pub async fn set(db: &Db, mails: StatusMails, actor: &str, now: DateTime<Utc>) -> Result<(), OperationError> {
    let mut tx = db.begin().await?;
    if load(&mut tx).await? != mails {
        let switch = Switch { is_on: mails == StatusMails::On, changed_by: actor.to_owned(), changed_at: now };
        switches::append(&mut tx, NAME, &switch).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Reads how the switch stands; `None` when nobody ever turned it: then it is off.
///
/// # Errors
///
/// When the database is away.
pub async fn read(db: &Db) -> Result<Option<Switch>, OperationError> {
    let mut conn = db.acquire().await?;
    Ok(switches::find(&mut conn, NAME).await?)
}

/// What must happen outside the database once a verdict is applied to an attempt, but for another try.
pub(super) async fn wishes(
    conn: &mut Connection,
    attempt: &Attempt,
    outcome: Outcome,
    checkpoints: &[CheckpointId],
) -> Result<Vec<Wish>, StoreError> {
    // Without a checkpoint there is no such mail, however the switch stands.
    let mails = if checkpoints.is_empty() { StatusMails::Off } else { load(conn).await? };
    Ok(wishes_after_verdict(attempt, outcome, checkpoints, mails))
}

async fn load(conn: &mut Connection) -> Result<StatusMails, StoreError> {
    let is_on = switches::find(conn, NAME).await?.is_some_and(|switch| switch.is_on);
    Ok(if is_on { StatusMails::On } else { StatusMails::Off })
}
