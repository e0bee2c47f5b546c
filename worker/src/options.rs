//! What one worker process runs.

use std::{collections::BTreeMap, net::SocketAddr, sync::LazyLock, time::Duration};

use vouch_common::domain::effect::Queue;

/// Most jobs that lie ready in Redis for one queue.
const HIGH_WATER_MAX: u64 = 4000;
/// How many jobs lie ready per job that runs.
const HIGH_WATER_FACTOR: u64 = 20;

/// How long running jobs may go on after the signal to stop, unless told otherwise: less than the half minute that
/// supervisors give a process before they kill it.
pub const GRACE_DEFAULT: Duration = Duration::from_secs(25);

/// What one worker process runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// The queues whose jobs it takes.
    pub queues: Vec<Queue>,
    /// Whether it carries a relay.
    pub has_relay: bool,
    /// How many jobs of a queue run at once, where it differs from [`default_concurrency`].
    pub concurrency: BTreeMap<Queue, usize>,
    /// How long running jobs may go on after the signal to stop.
    pub grace: Duration,
    /// Where readiness and numbers are served, if anywhere.
    pub metrics_listen: Option<SocketAddr>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queues: Queue::ALL.to_vec(),
            has_relay: true,
            concurrency: BTreeMap::new(),
            grace: GRACE_DEFAULT,
            metrics_listen: None,
        }
    }
}

impl Options {
    /// How many jobs of a queue run at once.
    #[must_use]
    pub fn concurrency(&self, queue: Queue) -> usize {
        self.concurrency.get(&queue).copied().unwrap_or_else(|| default_concurrency(queue)).max(1)
    }

    /// How many jobs of a queue may lie ready in Redis before the relay waits.
    #[must_use]
    pub fn high_water(&self, queue: Queue) -> u64 {
        (u64::try_from(self.concurrency(queue)).unwrap_or(HIGH_WATER_MAX) * HIGH_WATER_FACTOR).min(HIGH_WATER_MAX)
    }
}

/// Cores that this process may use. Asking reads half a dozen files, so it is asked once.
pub static CORES: LazyLock<usize> = LazyLock::new(|| std::thread::available_parallelism().map_or(2, std::num::NonZero::get));

/// How many jobs of a queue run at once by default: photos are bound by CPU, the others by waiting.
#[must_use]
pub fn default_concurrency(queue: Queue) -> usize {
    match queue {
        Queue::Photos => *CORES,
        Queue::Vendor | Queue::Results | Queue::Events => 20,
        Queue::Credit | Queue::Mail => 10,
        Queue::Upkeep => 1,
    }
}

/// Reads `photos,vendor,…`.
///
/// # Errors
///
/// When a name is no queue.
pub fn parse_queues(text: &str) -> Result<Vec<Queue>, String> {
    let mut queues = Vec::new();
    for name in text.split(',').map(str::trim) {
        let queue = parse_queue(name)?;
        if !queues.contains(&queue) {
            queues.push(queue);
        }
    }
    Ok(queues)
}

/// Reads `vendor=50`.
///
/// # Errors
///
/// When the name is no queue or the number is not from 1 to 1,000.
pub fn parse_concurrency(text: &str) -> Result<(Queue, usize), String> {
    let (name, number) = text.split_once('=').ok_or("it must be queue=number, such as vendor=50")?;
    let number = number.trim().parse().ok().filter(|number| (1..=1000).contains(number));
    Ok((parse_queue(name.trim())?, number.ok_or("the number must be from 1 to 1000")?))
}

fn parse_queue(name: &str) -> Result<Queue, String> {
    Queue::parse(name).ok_or_else(|| format!("`{name}` is no queue; the queues are {}", Queue::ALL.map(Queue::as_str).join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_and_their_concurrency_are_read_by_name() {
        assert_eq!(parse_queues("photos, vendor,photos"), Ok(vec![Queue::Photos, Queue::Vendor]));
        assert!(parse_queues("photos,videos").is_err_and(|why| why.contains("upkeep")));
        assert_eq!(parse_concurrency("vendor=50"), Ok((Queue::Vendor, 50)));
        for bad in ["vendor", "vendor=0", "vendor=x", "video=5", "vendor=1001"] {
            assert!(parse_concurrency(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_list_in_redis_stays_short_however_many_jobs_run() {
        let mut options = Options::default();
        options.concurrency.insert(Queue::Vendor, 50);
        options.concurrency.insert(Queue::Mail, 1000);
        assert_eq!(options.high_water(Queue::Vendor), 1000);
        assert_eq!(options.high_water(Queue::Mail), HIGH_WATER_MAX);
    }
}
