//! An operator pauses a queue: nothing of it is handed out or begun, on any machine, until it is resumed.

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

/// Pauses a queue; `false` when it was paused already, and nothing changed.
///
/// # Errors
///
/// When the database is away.
pub async fn pause(db: &Db, queue: Queue, order: &Order, now: DateTime<Utc>) -> Result<bool, OperationError> {
    let mut tx = db.begin().await?;
    if queues::lock(&mut tx, queue).await?.paused_at.is_some() {
        return Ok(false);
    }
    queues::set_pause(&mut tx, queue, Some(order)).await?;
    let action = Action { at: now, order, action: "queue.pause", target: queue.as_str(), detail: json!({}) };
    operator_actions::append(&mut tx, &action).await?;
    tx.commit().await?;
    Ok(true)
}
