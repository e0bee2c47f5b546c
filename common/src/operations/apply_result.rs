//! A stored verdict of the vendor is applied to its attempt, once.

use chrono::{DateTime, Utc};

use super::{OperationError, settle_attempt, take};
use crate::{
    domain::{
        attempt::{
            Attempt, Status,
            transition::Move,
            verdict::{self, Ruling, Verdict},
        },
        checkpoint::Outcome,
        ids::{CallbackId, ReceiptId},
    },
    store::{
        Connection, Db,
        attempts::{self, Change},
        callbacks, events,
        events::Note,
        job_acts::{self, Left},
        job_views, jobs,
        jobs::Lease,
    },
};

/// The kind of the job that sends attempts.
const SUBMIT_TO_VENDOR: &str = "submit_to_vendor";

/// Applies a verdict: the attempt, its checkpoints and the wishes that follow, or nothing.
///
/// Answers with what became of it; [`Ruling::Wait`] changes nothing and leaves the job: try again shortly.
///
/// # Errors
///
/// [`OperationError::Fenced`] when another worker has the job.
pub async fn apply(
    db: &Db,
    lease: Lease,
    (callback, receipt): (CallbackId, ReceiptId),
    verdict: &Verdict,
    now: DateTime<Utc>,
) -> Result<Ruling, OperationError> {
    let mut tx = db.begin().await?;
    take(&mut tx, lease).await?;
    let attempt = attempts::find_and_lock(&mut tx, receipt).await?.ok_or(OperationError::Missing("attempt"))?;
    // While the attempt is on its way to the vendor, what came back may be the answer to just that.
    let is_on_its_way = job_views::is_running(&mut tx, receipt, SUBMIT_TO_VENDOR).await?;
    let ruling = match verdict::rule(&attempt, verdict) {
        _ if is_on_its_way => Ruling::Wait,
        // The same failure once more, and it was tried again in between: this answers that try, and no other comes.
        Ruling::Duplicate
            if attempt.status == Status::MustRetry && job_views::was_tried(&mut tx, receipt, SUBMIT_TO_VENDOR).await? =>
        {
            Ruling::Apply(Move::SystemError)
        }
        ruling => ruling,
    };
    let outcome = match ruling {
        Ruling::Wait => return Ok(ruling),
        Ruling::Apply(step) => {
            if !apply_move(&mut tx, &attempt, step, verdict, now).await? {
                return Ok(Ruling::Wait);
            }
            "applied"
        }
        Ruling::Duplicate => "duplicate",
        Ruling::Late => "late",
        Ruling::Contradiction => "contradiction",
    };
    if !matches!(ruling, Ruling::Apply(_)) {
        let note = Note { at: now, actor: "vendor", kind: "verdict_ignored", to: None, detail: outcome };
        events::append(&mut tx, attempt.id, &note).await?;
    }
    callbacks::settle(&mut tx, callback, outcome, now).await?;
    tx.commit().await?;
    Ok(ruling)
}

/// Settles the attempt, or sends it again when the vendor had a fault of its own; `false` when that must wait.
async fn apply_move(
    conn: &mut Connection,
    attempt: &Attempt,
    step: Move,
    verdict: &Verdict,
    now: DateTime<Utc>,
) -> Result<bool, OperationError> {
    let is_approved = step == Move::Approve;
    let change = Change {
        at: now,
        actor: "vendor",
        vendor_decided_at: verdict.signed_at.or(Some(now)),
        reviewing_service: Some(""),
        error_msg: Some(if is_approved { "" } else { &verdict.reason }),
        error_code: Some(if is_approved { "" } else { &verdict.message }),
        ..Change::default()
    };
    if settle_attempt::settle(conn, attempt, step, &change).await? != Outcome::Error {
        return Ok(true);
    }
    // What was tried before has had its verdict now: the vendor would take another try of it for a repetition, and
    // say nothing more. So the attempt goes on as a new order.
    match job_acts::withdraw_tried(conn, attempt.receipt, SUBMIT_TO_VENDOR).await? {
        Left::InHand => return Ok(false),
        Left::Untried => {}
        Left::Nothing => {
            let failures = events::count(conn, attempt.id, step.rule().name).await?;
            let wish = verdict::wish_after_system_failure(attempt, u32::try_from(failures).unwrap_or(u32::MAX));
            jobs::insert(conn, &[wish], Some(attempt.receipt)).await?;
        }
    }
    Ok(true)
}
