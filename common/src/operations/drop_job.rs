//! An operator drops a dead job that nobody needs.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::act_refused::ActRefused;
use crate::{
    domain::{
        attempt::{
            Status,
            retry::{JobState, way_on},
        },
        effect::Effect,
        ids::{JobId, ReceiptId},
        operator::Order,
    },
    store::{
        Connection, Db, attempts, callbacks, erasures,
        events::{self, Note},
        job_acts::{self, LockedJob},
        operator_actions::{self, Action},
        retries,
    },
};

/// Drops a dead job for good.
///
/// # Errors
///
/// [`ActRefused`], and nothing changed; what an open attempt needs is not dropped, since the sweep would bring it back,
/// and what ends an erasure is not, since nothing would.
pub async fn remove(db: &Db, id: JobId, order: &Order, now: DateTime<Utc>) -> Result<(), ActRefused> {
    let mut tx = db.begin().await?;
    let job = job_acts::find_and_lock(&mut tx, id).await?.ok_or(ActRefused::Unknown("job"))?;
    if job.state != JobState::Dead {
        return Err(ActRefused::NotDead(job.state.as_str()));
    }
    let effect = Effect::from_parts(&job.kind, &job.args).ok();
    if let Some(receipt) = job.subject {
        check_attempt(&mut tx, receipt, effect.as_ref()).await?;
    }
    match effect {
        Some(Effect::RetryBatch { retry }) => {
            let needs = retries::find(&mut tx, retry).await?.filter(retries::Retry::is_running);
            if needs.is_some() {
                return Err(ActRefused::NeededByRetry(retry.to_string()));
            }
        }
        Some(Effect::EraseLearner { erasure }) => {
            let needs = erasures::find(&mut tx, erasure).await?.filter(|erasure| erasure.finished_at.is_none());
            if needs.is_some() {
                return Err(ActRefused::NeededByErasure(erasure.to_string()));
            }
        }
        Some(Effect::ApplyVendorResult { callback }) => callbacks::settle(&mut tx, callback, "dropped", now).await?,
        _ => {}
    }
    job_acts::remove_dead(&mut tx, id).await?;
    tell(&mut tx, id, &job, order, now).await?;
    tx.commit().await?;
    Ok(())
}

/// An open attempt needs the job that brings it on, and the verdicts that came for it.
async fn check_attempt(conn: &mut Connection, receipt: ReceiptId, effect: Option<&Effect>) -> Result<(), ActRefused> {
    let Some(attempt) = attempts::find_and_lock(conn, receipt).await? else { return Ok(()) };
    let is_needed = match effect {
        Some(Effect::ApplyVendorResult { .. }) => !attempt.status.is_terminal(),
        // Once the vendor has it, it gets on without us.
        Some(effect) => attempt.status != Status::Submitted && way_on(attempt.status, receipt).as_ref() == Some(effect),
        None => false,
    };
    if is_needed { Err(ActRefused::Needed(receipt.to_string())) } else { Ok(()) }
}

async fn tell(conn: &mut Connection, id: JobId, job: &LockedJob, order: &Order, now: DateTime<Utc>) -> Result<(), ActRefused> {
    if let Some(receipt) = job.subject {
        let note = Note { at: now, actor: &order.actor, kind: "job_dropped", to: None, detail: &order.reason };
        events::append_each(conn, &[receipt.0], &note).await?;
    }
    let detail = json!({ "queue": job.queue, "kind": job.kind, "receipt": job.subject, "user_id": job.args.get("user") });
    let target = id.to_string();
    operator_actions::append(conn, &Action { at: now, order, action: "job.drop", target: &target, detail }).await?;
    Ok(())
}
