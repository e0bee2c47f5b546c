//! An operator forces a breaker open or closed, or lets it measure again.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::OperationError;
use crate::{
    domain::{breaker::Forced, operator::Order},
    store::{
        Db, breakers,
        operator_actions::{self, Action},
        queues,
    },
};

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It stands as it was told.
    Done,
    /// It stood so already; nothing changed.
    Unchanged,
    /// There is no such breaker.
    Unknown,
}

/// Forces the breaker of a far side, or lets it measure again (`None`). Wake the relays after it.
///
/// # Errors
///
/// When the database is away.
pub async fn force(
    db: &Db,
    vendor: &str,
    forced: Option<Forced>,
    order: &Order,
    now: DateTime<Utc>,
) -> Result<Outcome, OperationError> {
    let mut tx = db.begin().await?;
    let Some(mut named) = breakers::find_and_lock(&mut tx, vendor).await? else { return Ok(Outcome::Unknown) };
    if named.breaker.forced == forced {
        return Ok(Outcome::Unchanged);
    }
    let former = named.breaker.forced.map(Forced::as_str);
    let moment = queues::now(&mut tx).await?;
    named.breaker = named.breaker.force(forced, &order.reason, moment);
    breakers::save(&mut tx, &named).await?;
    let detail = json!({ "force": forced.map(Forced::as_str), "former": former });
    operator_actions::append(&mut tx, &Action { at: now, order, action: "breaker.force", target: vendor, detail }).await?;
    tx.commit().await?;
    Ok(Outcome::Done)
}
