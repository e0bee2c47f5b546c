//! An operator limits how many jobs of a queue go in a second, over all machines, or lifts the limit.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::OperationError;
use crate::{
    domain::{
        bucket::{Bucket, RATE_MAX},
        effect::Queue,
        operator::Order,
    },
    store::{
        Db, jobs,
        operator_actions::{self, Action},
        queues,
    },
};

/// A limit that makes sense, in jobs a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate(f64);

/// A limit that makes none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "`rate` must be above 0 and at most {RATE_MAX} jobs a second, or null for no limit. To stop a queue, pause it. Nothing was changed."
)]
pub struct BadRate;

impl Rate {
    /// A limit of so many jobs a second.
    ///
    /// # Errors
    ///
    /// [`BadRate`] when it is 0, negative, above [`RATE_MAX`] or no number.
    pub fn new(rate: f64) -> Result<Self, BadRate> {
        if rate > 0.0 && rate <= RATE_MAX { Ok(Self(rate)) } else { Err(BadRate) }
    }
}

/// Limits a queue, or lifts its limit (`None`); `false` when it stood so already, and nothing changed. Wake the
/// relays after it.
///
/// # Errors
///
/// When the database is away.
pub async fn limit(db: &Db, queue: Queue, rate: Option<Rate>, order: &Order, now: DateTime<Utc>) -> Result<bool, OperationError> {
    let rate = rate.map(|rate| rate.0);
    let mut tx = db.begin().await?;
    let control = queues::lock(&mut tx, queue).await?;
    if control.rate_limit == rate {
        return Ok(false);
    }
    let moment = queues::now(&mut tx).await?;
    // What the former limit has left is not given again.
    let left = control.rate_limit.map_or(Bucket::empty(moment), |former| control.bucket.filled(former, moment));
    let bucket = rate.map_or(left, |rate| left.filled(rate, moment));
    let reason = if rate.is_some() { order.reason.as_str() } else { "" };
    queues::set_limit(&mut tx, queue, rate, reason, bucket).await?;
    if rate.is_some_and(|rate| control.rate_limit.is_none_or(|former| rate < former)) {
        // What lies in Redis went at the former rate.
        jobs::recall(&mut tx, queue).await?;
    }
    let detail = json!({ "rate": rate, "former": control.rate_limit });
    let action = Action { at: now, order, action: "queue.limit", target: queue.as_str(), detail };
    operator_actions::append(&mut tx, &action).await?;
    tx.commit().await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_of_nothing_below_nothing_or_beyond_reason_is_none() {
        for bad in [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, RATE_MAX * 1.01] {
            assert_eq!(Rate::new(bad), Err(BadRate), "{bad}");
        }
        for good in [0.001, 1.0, RATE_MAX] {
            assert!(Rate::new(good).is_ok(), "{good}");
        }
    }
}
