//! A limit of jobs a second: a bucket that fills at the rate and holds what one second brings.

use chrono::{DateTime, TimeDelta, Utc};

/// Highest limit, in jobs a second.
pub const RATE_MAX: f64 = 100_000.0;

/// What is left, and when it was last filled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Jobs that may go at once.
    pub tokens: f64,
    /// When `tokens` was right.
    pub filled_at: DateTime<Utc>,
}

impl Bucket {
    /// An empty bucket: the rate holds from now on.
    #[must_use]
    pub const fn empty(now: DateTime<Utc>) -> Self {
        Self { tokens: 0.0, filled_at: now }
    }

    /// The bucket as it is at `now`. A clock that went back takes nothing away.
    #[must_use]
    pub fn filled(self, rate: f64, now: DateTime<Utc>) -> Self {
        let seconds = (now - self.filled_at).max(TimeDelta::zero()).as_seconds_f64();
        Self { tokens: (self.tokens.max(0.0) + seconds * rate).min(rate.max(1.0)), filled_at: now.max(self.filled_at) }
    }

    /// How many jobs may go.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a bucket holds RATE_MAX at most, or what a recovery brings")]
    pub fn whole(self) -> i64 {
        self.tokens.floor() as i64
    }

    /// The bucket after `jobs` went.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
    pub fn taken(self, jobs: i64) -> Self {
        Self { tokens: self.tokens - jobs as f64, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::milliseconds(millis)
    }

    #[test]
    fn it_fills_at_the_rate_and_holds_one_second() {
        let bucket = Bucket::empty(at(0));
        assert_eq!(bucket.filled(20.0, at(0)).whole(), 0);
        assert_eq!(bucket.filled(20.0, at(500)).whole(), 10);
        assert_eq!(bucket.filled(20.0, at(3_600_000)).whole(), 20);
    }

    #[test]
    fn a_rate_below_one_lets_one_go_at_its_time() {
        let bucket = Bucket::empty(at(0));
        assert_eq!(bucket.filled(0.1, at(9_999)).whole(), 0);
        assert_eq!(bucket.filled(0.1, at(10_000)).whole(), 1);
        assert_eq!(bucket.filled(0.1, at(1_000_000)).whole(), 1, "never two at once");
    }

    #[test]
    fn however_often_it_is_asked_no_more_go_than_the_rate_brings() {
        for seed in 1..300 {
            let mut chance = crate::domain::breaker::tests::Chance(seed);
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let rate = chance.up_to(5000) as f64 / 10.0 + 0.05;
            let (mut bucket, mut now, mut latest, mut gone) = (Bucket::empty(at(0)), 0, 0, 0);
            for _ in 0..200 {
                // Now and then the clock goes back a little.
                now += chance.up_to(450) - 50;
                latest = latest.max(now);
                let filled = bucket.filled(rate, at(now));
                let taken = filled.whole().min(chance.up_to(600));
                bucket = filled.taken(taken);
                gone += taken;
                assert!(bucket.tokens >= 0.0, "seed {seed}");
            }
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let (gone, most) = (gone as f64, latest as f64 / 1000.0 * rate + 1e-6);
            assert!(gone <= most, "seed {seed}: {gone} of {most}");
        }
    }
}
