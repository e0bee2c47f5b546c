//! Wake-ups: who wrote jobs sets a flag, and a side task tells the relays, at most once per 10 ms.
//!
//! A wake-up only saves time. The relays look by themselves every 200 ms, so a lost one costs
//! milliseconds and never a job. The database's own NOTIFY is not used: inside a transaction it costs two
//! thirds of the inserts a second.

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;

use super::redis::{Redis, WAKE_CHANNEL};

/// Least time between two wake-ups of one process.
const INTERVAL: Duration = Duration::from_millis(10);

/// Tells the relays that there is work.
#[derive(Clone)]
pub struct Waker(Arc<Notify>);

impl Waker {
    /// Starts the side task, which ends with the runtime.
    #[must_use]
    pub fn start(redis: Arc<Redis>) -> Self {
        let flag = Arc::new(Notify::new());
        let waker = Self(Arc::clone(&flag));
        tokio::spawn(async move {
            loop {
                flag.notified().await;
                publish(&redis).await;
                tokio::time::sleep(INTERVAL).await;
            }
        });
        waker
    }

    /// Sets the flag; costs nothing and never fails.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

async fn publish(redis: &Redis) {
    let Ok(mut connection) = redis.shared().await else { return };
    let told = ::redis::cmd("PUBLISH").arg(WAKE_CHANNEL).arg("1").query_async::<()>(&mut connection).await;
    if let Err(error) = told {
        tracing::debug!(error = %error, "a wake-up was not published; the relays look by themselves");
        redis.forget().await;
    }
}
