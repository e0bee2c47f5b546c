//! An operator stops a bulk retry. What was set going goes on; the rest stays as it is.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::act_refused::ActRefused;
use crate::{
    domain::{ids::RetryId, operator::Order},
    store::{
        Db,
        operator_actions::{self, Action},
        retries::{self, Retry},
    },
};

/// Cancels a bulk retry before its next run.
///
/// # Errors
///
/// [`ActRefused`], and nothing changed.
pub async fn cancel(db: &Db, id: RetryId, order: &Order, now: DateTime<Utc>) -> Result<Retry, ActRefused> {
    let mut tx = db.begin().await?;
    let mut retry = retries::find_and_lock(&mut tx, id).await?.ok_or(ActRefused::Unknown("bulk retry"))?;
    if !retry.is_running() {
        return Err(ActRefused::Over(retry.status));
    }
    retries::end(&mut tx, id, "cancelled", now).await?;
    let detail = json!({ "retried": retry.retried, "skipped": retry.skipped, "left": retry.left() });
    let target = id.to_string();
    operator_actions::append(&mut tx, &Action { at: now, order, action: "retries.cancel", target: &target, detail }).await?;
    tx.commit().await?;
    "cancelled".clone_into(&mut retry.status);
    retry.finished_at = Some(now);
    Ok(retry)
}
