//! An operator sets one job going again.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::act_refused::ActRefused;
use crate::{
    domain::{attempt::retry::JobState, ids::JobId, operator::Order},
    store::{
        Db,
        events::{self, Note},
        job_acts::{self, Which},
        operator_actions::{self, Action},
    },
};

/// Sets a dead or scheduled job going at once.
///
/// # Errors
///
/// [`ActRefused`], and nothing changed.
pub async fn retry(db: &Db, id: JobId, order: &Order, now: DateTime<Utc>) -> Result<(), ActRefused> {
    let mut tx = db.begin().await?;
    let job = job_acts::find_and_lock(&mut tx, id).await?.ok_or(ActRefused::Unknown("job"))?;
    match job.state {
        JobState::Dead | JobState::Scheduled => {}
        JobState::Busy => return Err(ActRefused::Busy),
        JobState::Due => return Err(ActRefused::Waiting),
    }
    job_acts::revive(&mut tx, &[id.0], Which::DeadAndScheduled).await?;
    if let Some(receipt) = job.subject {
        let note = Note { at: now, actor: &order.actor, kind: "retried_by_hand", to: None, detail: &order.reason };
        events::append_each(&mut tx, &[receipt.0], &note).await?;
    }
    let detail = json!({ "queue": job.queue, "kind": job.kind, "receipt": job.subject, "user_id": job.args.get("user") });
    let target = id.to_string();
    operator_actions::append(&mut tx, &Action { at: now, order, action: "job.retry", target: &target, detail }).await?;
    tx.commit().await?;
    Ok(())
}
