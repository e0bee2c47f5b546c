//! How long things wait: backoff, `Retry-After`, the breaker, buckets.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use vouch_common::domain::{
    backoff::{Backoff, RETRY_AFTER_MAX, RETRY_AFTER_MIN, clamp_retry_after},
    breaker::{Breaker, Event, OPEN_MAX, SUSPECTS_MAX, State},
    bucket::Bucket,
    ids::JobId,
};

fn start() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

prop_compose! {
    fn any_backoff()(base in 1_u64..100_000, cap in 1_u64..100_000_000) -> Backoff {
        Backoff { base: Duration::from_millis(base), cap: Duration::from_millis(cap) }
    }
}

/// What may come to a breaker: an answer or an outage of one of a few jobs, so long after the last.
#[derive(Debug, Clone, Copy)]
enum Heard {
    Answer { calls: u32 },
    Outage { job: i64 },
    HandedOut { job: i64 },
}

fn any_heard() -> impl Strategy<Value = (Heard, u32, u32)> {
    let heard = prop_oneof![
        1 => (1_u32..30).prop_map(|calls| Heard::Answer { calls }),
        3 => (1_i64..20).prop_map(|job| Heard::Outage { job }),
        1 => (1_i64..20).prop_map(|job| Heard::HandedOut { job }),
    ];
    (heard, 0_u32..40, 0_u32..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_wait_grows_with_each_failure_and_stays_within_its_bounds(backoff in any_backoff(), failures in 0_u32..100, fraction in 0.0..1.0) {
        let (now, next) = (backoff.ceiling(failures), backoff.ceiling(failures + 1));
        prop_assert!(now <= next, "it shrank");
        prop_assert!(next <= backoff.cap);
        prop_assert!(now >= backoff.base.min(backoff.cap));
        prop_assert!(backoff.delay(failures, fraction) <= now);
        prop_assert!(backoff.delay(u32::MAX, 1.0) == backoff.cap || backoff.base < Duration::from_millis(1));
    }

    #[test]
    fn no_far_side_asks_for_less_than_a_second_or_more_than_an_hour(seconds: u64, nanos in 0_u32..1_000_000_000) {
        let wait = clamp_retry_after(Duration::new(seconds, nanos));
        prop_assert!((RETRY_AFTER_MIN..=RETRY_AFTER_MAX).contains(&wait));
    }

    #[test]
    fn a_bucket_lets_no_more_go_than_its_rate_brings(
        rate in 0.1_f64..1000.0,
        asked in prop::collection::vec((0_i64..2_000, 0_i64..500), 1..40),
    ) {
        let mut bucket = Bucket::empty(start());
        let (mut now, mut gone) = (start(), 0);
        for (millis, wanted) in asked {
            now += TimeDelta::milliseconds(millis);
            bucket = bucket.filled(rate, now);
            let taken = wanted.min(bucket.whole());
            bucket = bucket.taken(taken);
            gone += taken;
        }
        #[expect(clippy::cast_precision_loss, reason = "few jobs")]
        let gone = gone as f64;
        prop_assert!(gone <= (now - start()).as_seconds_f64() * rate + 1e-6, "{gone} went");
    }

    #[test]
    fn a_breaker_stays_within_its_bounds_and_gives_no_try_back_that_it_did_not_take(
        events in prop::collection::vec(any_heard(), 1..120),
    ) {
        let mut breaker = Breaker::closed(start());
        let mut now = start();
        let mut taken = std::collections::HashMap::<JobId, usize>::new();
        for (heard, seconds, age) in events {
            now += TimeDelta::seconds(i64::from(seconds));
            let began = now - TimeDelta::seconds(i64::from(age));
            let event = match heard {
                Heard::Answer { calls } => Event::Answer { calls, began },
                Heard::Outage { job } => Event::Outage { job: JobId(job), began, class: "network" },
                Heard::HandedOut { job } => {
                    breaker = breaker.at(now);
                    if breaker.allowance(now).is_none_or(|jobs| jobs > 0) {
                        breaker = breaker.handed_out(&[JobId(job)], TimeDelta::seconds(110), now);
                    }
                    continue;
                }
            };
            let judgement = breaker.judge(&event, now);
            if let (Heard::Outage { job }, true) = (heard, judgement.is_counted) {
                *taken.entry(JobId(job)).or_default() += 1;
            }
            for job in &judgement.forgiven {
                let left = taken.get_mut(job).filter(|left| **left > 0);
                prop_assert!(left.is_some(), "{job} got a try back that it had not lost");
                *left.unwrap() -= 1;
            }
            breaker = judgement.breaker;
            prop_assert!(breaker.suspects.len() <= SUSPECTS_MAX);
            if breaker.state == State::Open {
                let until = breaker.until.unwrap();
                prop_assert!(until <= now + OPEN_MAX.max(TimeDelta::seconds(110)), "it is shut for longer than it may");
            }
            prop_assert!(breaker.state != State::Closed || breaker.allowance(now).is_none(), "a closed breaker stops something");
        }
        // It heals once it is answered: one call, and a minute.
        let later = now + TimeDelta::hours(1);
        let answered = breaker.judge(&Event::Answer { calls: 1, began: later }, later).breaker;
        prop_assert_eq!(answered.at(later + TimeDelta::minutes(2)).state, State::Closed);
    }
}
