//! Runs one claimed job and records its outcome in the ledger, where outcomes are kept.
//!
//! A job that ends well has ended its own row, in the transaction of its effect. What is left to do here
//! is the rest: failures, timeouts, panics, and jobs of another release.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use tracing::{Instrument, field::Empty};
use vouch_common::{
    domain::{backoff::clamp_retry_after, effect::Effect},
    ids::random_fraction,
    operations::{
        OperationError,
        put_off_unknown::{self, PATIENCE, PutOff, UNKNOWN_JOB},
        settle_job::{self, Outage, Settled},
    },
    store::jobs::{ClaimedJob, Failure},
    telemetry::{chain, trace},
};

use super::{
    far_side,
    job::{Delivery, FarSide, JobFailure, Policy, Verdict},
};
use crate::{jobs, services::Services};

/// Tries after which a job that panics is dead, whatever its policy says.
const PANIC_TRIES_MAX: u32 = 3;
/// So long at least a queue is held whose far side asks for time.
const HOLD_MIN: Duration = Duration::from_secs(5);
/// Pause between tries to record an outcome while the database is away.
const SETTLE_PAUSE: Duration = Duration::from_millis(500);

/// Runs a claimed job to its end. It never fails: the outcome is in the ledger, or the lease runs out.
pub async fn run(services: &Services, job: &ClaimedJob) {
    let span = tracing::info_span!(
        parent: None,
        "job.run",
        otel.name = format!("job.{}", job.kind),
        otel.kind = "consumer",
        otel.status_code = Empty,
        job.id = %job.lease.job,
        job.kind = job.kind,
        job.queue = Empty,
        job.tries = job.failures + 1,
        job.deliveries = job.deliveries,
        job.waited_seconds = job.waited_seconds,
        job.outcome = Empty,
        error.class = Empty,
        error.code = Empty,
        attempt.receipt = job.subject.map(tracing::field::display),
    );
    trace::continue_from(&span, job.trace.as_deref());
    run_in_span(services, job).instrument(span).await;
}

async fn run_in_span(services: &Services, job: &ClaimedJob) {
    let delivery = Delivery::from(job);
    let Ok(effect) = Effect::from_parts(&job.kind, &job.args) else {
        return Box::pin(put_off_unknown(services, job)).await;
    };
    let policy = jobs::policy(&effect, services.settings());
    let kind = effect.kind();
    tracing::Span::current().record("job.queue", policy.queue.as_str());
    metrics::histogram!("vouch_job_wait_seconds", "kind" => kind).record(job.waited_seconds);
    let started = Instant::now();
    let attempt = AssertUnwindSafe(tokio::time::timeout(policy.timeout, jobs::run(services, delivery, effect))).catch_unwind();
    let result = match attempt.await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(timed_out(policy.timeout)),
        Err(_) => Err(panicked()),
    };
    metrics::histogram!("vouch_job_seconds", "kind" => kind).record(started.elapsed().as_secs_f64());
    let outcome = match result {
        Ok(()) => "done",
        Err(failure) => Box::pin(settle_failure(services, (delivery, kind), &policy, failure, started)).await,
    };
    metrics::counter!("vouch_jobs_total", "kind" => kind, "outcome" => outcome).increment(1);
    tracing::Span::current().record("job.outcome", outcome);
}

fn timed_out(after: Duration) -> JobFailure {
    ours("timeout", format!("no end after {after:?}"))
}

fn panicked() -> JobFailure {
    // What a panic says may hold anything, so it is not repeated; the backtrace is on standard error.
    ours("panic", "the job panicked".to_owned())
}

const fn ours(class: &'static str, error: String) -> JobFailure {
    JobFailure { class, code: String::new(), error, far_side: FarSide::NotAsked, verdict: Verdict::Retry }
}

/// Leaves a job to a release that knows it.
async fn put_off_unknown(services: &Services, job: &ClaimedJob) {
    let outcome = match put_off_unknown::put_off(services.db(), job).await {
        Ok(PutOff::Waits) => {
            tracing::warn!(job.id = %job.lease.job, "a job's kind or version is not known here; it waits for a release that knows it");
            "put_back"
        }
        Ok(PutOff::Dead) => {
            tracing::error!(job.id = %job.lease.job, error.class = UNKNOWN_JOB, "no release knew a job's kind or version for {PATIENCE:?}; it is dead");
            "dead"
        }
        Err(OperationError::Fenced) => "fenced",
        Err(error) => {
            tracing::warn!(error = %chain(&error), "a job that is not known here was not put off; it falls due when its lease ends");
            return;
        }
    };
    metrics::counter!("vouch_jobs_total", "kind" => "unknown", "outcome" => outcome).increment(1);
}

/// Records a failed try; returns the outcome's name.
async fn settle_failure(
    services: &Services,
    (delivery, kind): (Delivery, &'static str),
    policy: &Policy,
    failure: JobFailure,
    started: Instant,
) -> &'static str {
    let next = match failure.verdict {
        Verdict::NotOurs => {
            tracing::warn!(job.id = %delivery.lease.job, job.kind = kind, "the lease passed to another worker; nothing was changed");
            return "fenced";
        }
        Verdict::Obsolete | Verdict::GiveUp => NextTry::default(),
        Verdict::Retry | Verdict::RetryAfter { .. } => next_try(policy, &delivery, &failure),
    };
    let span = tracing::Span::current();
    span.record("error.class", failure.class).record("error.code", failure.code.as_str());
    if failure.verdict != Verdict::Obsolete {
        span.record("otel.status_code", "ERROR");
    }
    let deadline = policy.run_window();
    let settled = loop {
        match record(services, (delivery, kind), policy, &failure, &next).await {
            Ok(settled) => break settled,
            Err(OperationError::Fenced) => return "fenced",
            Err(error) if started.elapsed() < deadline => {
                tracing::warn!(error = %chain(&error), job.id = %delivery.lease.job, "an outcome can't be recorded yet");
                tokio::time::sleep(SETTLE_PAUSE).await;
            }
            Err(error) => {
                tracing::error!(error = %chain(&error), job.id = %delivery.lease.job, job.kind = kind, error.class = failure.class, "an outcome was not recorded; the job is done again");
                return "unsettled";
            }
        }
    };
    services.wake();
    if failure.far_side == FarSide::Answered {
        far_side::answered(services, policy.queue, delivery.claimed_at).await;
    }
    tell(&delivery, kind, &failure, settled.as_ref())
}

/// Writes how a try ended; `None`: its work is not wanted any more, and the job is gone.
async fn record(
    services: &Services,
    (delivery, kind): (Delivery, &'static str),
    policy: &Policy,
    failure: &JobFailure,
    next: &NextTry,
) -> Result<Option<Settled>, OperationError> {
    if failure.verdict == Verdict::Obsolete {
        services.finish(delivery.lease).await?;
        return Ok(None);
    }
    let (class, code, error) = (failure.class, failure.code.clone(), failure.error.clone());
    let record = Failure { kind: kind.to_owned(), class, code, error, retry_after: next.wait.filter(|_| !next.is_last) };
    let hold = next.hold.map(|wait| (policy.queue, wait));
    let outage = (failure.far_side == FarSide::Out).then(|| Outage {
        queue: policy.queue,
        began: delivery.claimed_at,
        wait: next.wait.unwrap_or_default(),
    });
    settle_job::fail(services.db(), delivery.lease, &record, hold, outage.as_ref()).await.map(Some)
}

/// What follows a failed try.
#[derive(Debug, Default, PartialEq, Eq)]
struct NextTry {
    /// When the next try is; `None`: no try can help.
    wait: Option<Duration>,
    /// Whether the tries are used up, if this one counts.
    is_last: bool,
    /// For how long all others of the queue wait too.
    hold: Option<Duration>,
}

fn next_try(policy: &Policy, delivery: &Delivery, failure: &JobFailure) -> NextTry {
    let failures = delivery.failures + 1;
    let tries_max = if failure.class == "panic" { policy.tries_max.min(PANIC_TRIES_MAX) } else { policy.tries_max };
    let backoff = policy.backoff.delay(failures, random_fraction());
    let (wait, hold) = match failure.verdict {
        // It costs no try at first, so only the hold bounds how often the far side is asked.
        Verdict::RetryAfter { wait, is_for_all: true } => {
            let hold = clamp_retry_after(wait).max(HOLD_MIN);
            (hold.max(backoff), Some(hold))
        }
        // A wish for less than the backoff would use up the tries within seconds.
        Verdict::RetryAfter { wait, is_for_all: false } => (clamp_retry_after(wait).max(backoff), None),
        _ => (backoff, None),
    };
    NextTry { wait: Some(wait), is_last: failures >= tries_max, hold }
}

/// Tells of a failed try; returns the outcome's name.
fn tell(delivery: &Delivery, kind: &str, failure: &JobFailure, settled: Option<&Settled>) -> &'static str {
    let (id, class) = (delivery.lease.job, failure.class);
    let subject = delivery.subject.map(|subject| subject.to_string());
    let Some(settled) = settled else {
        tracing::info!(job.id = %id, job.kind = kind, attempt.receipt = subject, error = failure.error, "a job is not wanted any more");
        return "obsolete";
    };
    if let Some(reason) = &settled.opened {
        tracing::error!(reason, "the breaker is open: calls wait, and cost no tries, until a probe is answered");
    }
    let tries = delivery.failures + u32::from(settled.is_counted);
    if let Some(wait) = settled.retry_after {
        let wait_ms = wait.as_millis();
        tracing::warn!(job.id = %id, job.kind = kind, attempt.receipt = subject, job.tries = tries, error.class = class, error = failure.error, wait_ms, "a try failed; another follows");
        "retried"
    } else {
        tracing::error!(job.id = %id, job.kind = kind, attempt.receipt = subject, job.tries = tries, error.class = class, error = failure.error, "a job is dead; an operator decides");
        "dead"
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use vouch_common::{
        domain::{backoff::Backoff, effect::Queue, ids::JobId},
        store::jobs::Lease,
    };

    use super::*;

    const POLICY: Policy = Policy {
        queue: Queue::Vendor,
        tries_max: 12,
        timeout: Duration::from_secs(10),
        backoff: Backoff { base: Duration::from_secs(5), cap: Duration::from_hours(1) },
    };

    fn delivery(failures: u32) -> Delivery {
        Delivery { lease: Lease { job: JobId(1), generation: 1 }, claimed_at: DateTime::UNIX_EPOCH, failures, subject: None }
    }

    fn failure(class: &'static str, verdict: Verdict) -> JobFailure {
        JobFailure { verdict, ..ours(class, String::new()) }
    }

    #[test]
    fn the_last_try_is_followed_by_none() {
        let retry = failure("network", Verdict::Retry);
        assert!(!next_try(&POLICY, &delivery(10), &retry).is_last);
        assert!(next_try(&POLICY, &delivery(11), &retry).is_last);
    }

    #[test]
    fn a_far_side_that_asks_for_time_gets_it_for_all_within_reason() {
        let asked = |wait| failure("rate_limited", Verdict::RetryAfter { wait, is_for_all: true });
        let both = |wait| NextTry { wait: Some(wait), is_last: false, hold: Some(wait) };
        let half_a_minute = Duration::from_secs(30);
        assert_eq!(next_try(&POLICY, &delivery(0), &asked(half_a_minute)), both(half_a_minute));
        let hour = Duration::from_hours(1);
        assert_eq!(next_try(&POLICY, &delivery(0), &asked(hour * 300)), both(hour));
    }

    #[test]
    fn a_far_side_that_asks_all_for_time_is_left_alone_for_seconds() {
        let asked = failure("rate_limited", Verdict::RetryAfter { wait: Duration::ZERO, is_for_all: true });
        let next = next_try(&POLICY, &delivery(11), &asked);
        assert_eq!(next.hold, Some(HOLD_MIN));
        assert!(next.wait >= next.hold);
    }

    #[test]
    fn a_far_side_that_asks_one_for_less_than_the_backoff_gets_the_backoff() {
        let slow = Policy { backoff: Backoff { base: Duration::from_hours(1000), cap: Duration::from_hours(1000) }, ..POLICY };
        let asked = failure("busy", Verdict::RetryAfter { wait: Duration::ZERO, is_for_all: false });
        let waits = (0..20).filter_map(|_| next_try(&slow, &delivery(0), &asked).wait);
        assert!(waits.max() > Some(Duration::from_mins(1)));
    }

    #[test]
    fn a_job_that_panics_is_dead_after_three_tries() {
        let panic = failure("panic", Verdict::Retry);
        assert!(!next_try(&POLICY, &delivery(1), &panic).is_last);
        assert!(next_try(&POLICY, &delivery(2), &panic).is_last);
    }
}
