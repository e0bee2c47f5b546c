//! How everything stands, for the gauges.

use super::OperationError;
use crate::{
    domain::attempt::Status,
    store::{
        Db,
        gauges::{self, Brakes, BreakerState},
        job_views::{self, QueueDepth},
    },
};

/// How everything stands.
#[derive(Debug)]
pub struct Gauges {
    /// Each queue.
    pub depths: Vec<QueueDepth>,
    /// Each queue's brakes.
    pub brakes: Vec<Brakes>,
    /// Each vendor's breaker.
    pub breakers: Vec<BreakerState>,
    /// Attempts of each open state.
    pub attempts: Vec<(Status, i64)>,
    /// Items that the running bulk retries have before them.
    pub retries_left: i64,
    /// How old the oldest transaction is that keeps dead rows; 0 without one.
    pub oldest_transaction_seconds: f64,
}

/// Reads how everything stands; it costs milliseconds, however much there is.
///
/// # Errors
///
/// When the database is away.
pub async fn read(db: &Db) -> Result<Gauges, OperationError> {
    let mut conn = db.acquire().await?;
    Ok(Gauges {
        depths: job_views::depths(&mut conn).await?,
        brakes: gauges::brakes(&mut conn).await?,
        breakers: gauges::breakers(&mut conn).await?,
        attempts: gauges::open_attempts(&mut conn).await?,
        retries_left: gauges::retries_left(&mut conn).await?,
        oldest_transaction_seconds: gauges::oldest_transaction_seconds(&mut conn).await?,
    })
}
