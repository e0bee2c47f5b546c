//! Who did what, when and why: appended to, never changed.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Connection, StoreError};
use crate::domain::operator::Order;

/// Something that an operator did; written in the transaction of the doing.
#[expect(clippy::struct_field_names, reason = "the column has that name")]
pub(crate) struct Action<'a> {
    pub(crate) at: DateTime<Utc>,
    pub(crate) order: &'a Order,
    /// What was done, as `attempt.approve`.
    pub(crate) action: &'a str,
    /// What it was done to: a receipt, a job's number, a queue, a bulk retry.
    pub(crate) target: &'a str,
    /// More, nothing personal.
    pub(crate) detail: Value,
}

/// Keeps an action.
pub(crate) async fn append(conn: &mut Connection, action: &Action<'_>) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO operator_actions (at, actor, action, target, reason, detail) VALUES ($1, $2, $3, $4, $5, $6)",
        action.at,
        action.order.actor,
        action.action,
        action.target,
        action.order.reason,
        action.detail,
    )
    .execute(conn)
    .await?;
    Ok(())
}
