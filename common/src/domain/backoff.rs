//! How long a failed try waits for the next: exponential, with full jitter.

use std::time::Duration;

/// The delay doubles with each failure from `base` up to `cap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Longest wait after the first failure.
    pub base: Duration,
    /// Longest wait after any failure.
    pub cap: Duration,
}

/// Shortest and longest wait that a far side may ask for with `Retry-After`.
pub const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);
/// See [`RETRY_AFTER_MIN`].
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

impl Backoff {
    /// The wait after the `failures`-th failure in a row (1 is the first).
    ///
    /// `fraction` of `0.0..1.0` is the jitter: the wait is spread evenly from nothing to the full delay,
    /// so that many jobs that failed together do not come back together.
    #[must_use]
    pub fn delay(&self, failures: u32, fraction: f64) -> Duration {
        self.ceiling(failures).mul_f64(fraction.clamp(0.0, 1.0))
    }

    /// The longest wait after the `failures`-th failure.
    #[must_use]
    pub fn ceiling(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.base.saturating_mul(1 << doublings).min(self.cap)
    }
}

/// A wait that the far side asked for, within reason.
#[must_use]
pub fn clamp_retry_after(asked: Duration) -> Duration {
    asked.clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff { base: Duration::from_secs(5), cap: Duration::from_hours(1) };

    #[test]
    fn the_ceiling_doubles_until_the_cap() {
        let seconds: Vec<u64> = (1..=12).map(|n| BACKOFF.ceiling(n).as_secs()).collect();
        assert_eq!(seconds, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]);
        assert_eq!(BACKOFF.ceiling(u32::MAX), BACKOFF.cap);
        assert_eq!(BACKOFF.ceiling(0), BACKOFF.base);
    }

    #[test]
    fn jitter_spreads_from_nothing_to_the_ceiling() {
        assert_eq!(BACKOFF.delay(3, 0.0), Duration::ZERO);
        assert_eq!(BACKOFF.delay(3, 0.5), Duration::from_secs(10));
        assert_eq!(BACKOFF.delay(3, 7.0), BACKOFF.ceiling(3));
    }

    #[test]
    fn a_far_side_cannot_ask_for_an_unreasonable_wait() {
        assert_eq!(clamp_retry_after(Duration::ZERO), RETRY_AFTER_MIN);
        assert_eq!(clamp_retry_after(Duration::from_secs(30)), Duration::from_secs(30));
        assert_eq!(clamp_retry_after(Duration::from_secs(999_999)), RETRY_AFTER_MAX);
    }
}
