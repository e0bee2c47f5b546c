//! Whether work goes on: what is due and could be handed out should not lie there for long.

use super::OperationError;
use crate::{
    domain::effect::Queue,
    store::{Db, queues, repeat},
};

/// For how many seconds the oldest job has been due that no brake holds back; 0 when there is none. Cheap: a probe of an
/// index for each queue.
///
/// # Errors
///
/// When the ledger can't be read; nothing can be submitted then either.
pub async fn oldest_due_seconds(db: &Db) -> Result<f64, OperationError> {
    let due = repeat!(db, conn => queues::list_with_due(conn, &Queue::ALL).await)?;
    Ok(if due.is_empty() { 0.0 } else { repeat!(db, conn => queues::oldest_due_seconds(conn, &due).await)? })
}
