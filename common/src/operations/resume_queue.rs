//! An operator ends the pause of a queue. What the far side asked for, and the breaker, still hold.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::OperationError;
use crate::{
    domain::{effect::Queue, operator::Order},
    store::{
        Db,
        operator_actions::{self, Action},
        queues,
    },
};

/// Resumes a queue; `false` when it was not paused, and nothing changed. Wake the relays after it.
///
/// # Errors
///
/// When the database is away.
pub async fn resume(db: &Db, queue: Queue, order: &Order, now: DateTime<Utc>) -> Result<bool, OperationError> {
    let mut tx = db.begin().await?;
    let control = queues::lock(&mut tx, queue).await?;
    let Some(paused_at) = control.paused_at else { return Ok(false) };
    queues::set_pause(&mut tx, queue, None).await?;
    let detail = json!({ "paused_at": paused_at, "paused_by": control.paused_by });
    let action = Action { at: now, order, action: "queue.resume", target: queue.as_str(), detail };
    operator_actions::append(&mut tx, &action).await?;
    tx.commit().await?;
    Ok(true)
}
