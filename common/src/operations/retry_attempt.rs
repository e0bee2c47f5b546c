//! An operator sets an attempt going again.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::{OperationError, act_refused::ActRefused};
use crate::{
    domain::{
        attempt::{
            Status,
            retry::{Plan, plan},
        },
        ids::{JobId, ReceiptId},
        operator::Order,
    },
    store::{
        Connection, Db, attempts,
        events::{self, Note},
        job_acts::{self, Which},
        operator_actions::{self, Action},
    },
};

/// An attempt that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetriedAttempt {
    /// Where it stands.
    pub status: Status,
    /// The jobs that are due now.
    pub jobs: Vec<JobId>,
}

/// Sets an attempt going: its dead and scheduled jobs are due at once, and one is made where none is.
///
/// # Errors
///
/// [`ActRefused`], and nothing changed.
pub async fn retry(db: &Db, receipt: ReceiptId, order: &Order, now: DateTime<Utc>) -> Result<RetriedAttempt, ActRefused> {
    let mut tx = db.begin().await?;
    let outcome = each(&mut tx, &[receipt.0], order, now).await?.pop().ok_or(ActRefused::Unknown("attempt"))?;
    let jobs = match outcome.plan {
        Plan::Go { .. } => outcome.jobs,
        Plan::Busy => return Err(ActRefused::Busy),
        Plan::Waiting => return Err(ActRefused::Waiting),
        Plan::Finished => return Err(ActRefused::Finished(outcome.status)),
    };
    let target = receipt.to_string();
    let detail = json!({ "jobs": jobs });
    operator_actions::append(&mut tx, &Action { at: now, order, action: "attempt.retry", target: &target, detail }).await?;
    tx.commit().await?;
    Ok(RetriedAttempt { status: outcome.status, jobs })
}

/// What became of an attempt that was to be retried.
pub(super) struct Outcome {
    pub(super) receipt: ReceiptId,
    status: Status,
    plan: Plan,
    jobs: Vec<JobId>,
}

impl Outcome {
    pub(super) const fn is_retried(&self) -> bool {
        matches!(self.plan, Plan::Go { .. })
    }
}

/// Sets each attempt going that can be; those that exist, with what became of them.
///
/// The attempts are locked before anybody looks at their jobs, so that nobody brings them on meanwhile.
pub(super) async fn each(
    conn: &mut Connection,
    receipts: &[Uuid],
    order: &Order,
    now: DateTime<Utc>,
) -> Result<Vec<Outcome>, OperationError> {
    let locked = attempts::lock_all(conn, receipts).await?;
    let mut jobs = job_acts::lock_of_attempts(conn, receipts).await?;
    let mut outcomes = Vec::new();
    let (mut revived, mut made, mut told) = (Vec::new(), Vec::new(), Vec::new());
    for (receipt, status) in locked {
        let plan = plan(status, receipt, &jobs.remove(&receipt).unwrap_or_default());
        let mut due = Vec::new();
        if let Plan::Go { revive, new } = &plan {
            revived.extend(revive.iter().map(|job| job.0));
            made.extend(new.clone().map(|effect| (receipt, effect)));
            told.push(receipt.0);
            due.clone_from(revive);
        }
        outcomes.push(Outcome { receipt, status, plan, jobs: due });
    }
    job_acts::revive(conn, &revived, Which::DeadAndScheduled).await?;
    let mut ids = job_acts::insert_each(conn, &made).await?.into_iter();
    for outcome in &mut outcomes {
        if matches!(outcome.plan, Plan::Go { new: Some(_), .. }) {
            outcome.jobs.extend(ids.next());
        }
    }
    let note = Note { at: now, actor: &order.actor, kind: "retried_by_hand", to: None, detail: &order.reason };
    events::append_each(conn, &told, &note).await?;
    Ok(outcomes)
}
