//! Tells the breaker of a queue that its far side answered. Outages are told where failures are recorded.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use vouch_common::{
    domain::effect::Queue,
    operations::record_answer::{self, Answers, Recorded},
    telemetry::chain,
};

use crate::services::Services;

/// So often a process tells of answers while the breaker is at rest.
const INTERVAL: Duration = Duration::from_secs(1);

/// The answers of a process that the breaker was not told of yet.
#[derive(Debug, Default)]
pub struct Untold {
    calls: AtomicU32,
    told: Mutex<Option<Instant>>,
}

impl Untold {
    /// Takes what is there with one more, and says whether it is time to tell.
    fn take(&self) -> (u32, bool) {
        let calls = self.calls.swap(0, Ordering::Relaxed).saturating_add(1);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = told.is_none_or(|told| told.elapsed() >= INTERVAL);
        if is_time {
            *told = Some(Instant::now());
        }
        (calls, is_time)
    }

    fn put_back(&self, calls: u32) {
        self.calls.fetch_add(calls, Ordering::Relaxed);
    }
}

/// The far side of a queue answered a call that began so. What can't be told now is told with the next answer.
pub async fn answered(services: &Services, queue: Queue, began: DateTime<Utc>) {
    let untold = services.untold_answers();
    let (calls, must_be_told) = untold.take();
    match record_answer::record(services.db(), queue, Answers { calls, began, must_be_told }).await {
        Ok(Recorded::Told) => {}
        Ok(Recorded::Healing) => {
            tracing::info!(queue = %queue, "the probe was answered; calls come back little by little");
            services.wake();
        }
        Ok(Recorded::Later) => untold.put_back(calls),
        Err(error) => {
            untold.put_back(calls);
            tracing::debug!(queue = %queue, error = %chain(&error), "the breaker was not told of an answer");
        }
    }
}
