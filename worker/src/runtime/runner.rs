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
    operations::{OperationError, settle_job},
    store::jobs::{ClaimedJob, Failure},
    telemetry::{chain, trace},
};

use super::job::{Delivery, JobFailure, Policy, Verdict};
use crate::{jobs, services::Services};

/// How long a job that this release does not know waits for another.
const UNKNOWN_WAIT: Duration = Duration::from_secs(5);
/// Tries after which a job that panics is dead, whatever its policy says.
const PANIC_TRIES_MAX: u32 = 3;
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
        put_back_unknown(services, job).await;
        return;
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
        Err(failure) => settle_failure(services, (delivery, kind), &policy, failure, started).await,
    };
    metrics::counter!("vouch_jobs_total", "kind" => kind, "outcome" => outcome).increment(1);
    tracing::Span::current().record("job.outcome", outcome);
}

fn timed_out(after: Duration) -> JobFailure {
    JobFailure { class: "timeout", code: String::new(), error: format!("no end after {after:?}"), verdict: Verdict::Retry }
}

fn panicked() -> JobFailure {
    // What a panic says may hold anything, so it is not repeated; the backtrace is on standard error.
    JobFailure { class: "panic", code: String::new(), error: "the job panicked".to_owned(), verdict: Verdict::Retry }
}

async fn put_back_unknown(services: &Services, job: &ClaimedJob) {
    tracing::warn!(job.id = %job.lease.job, job.deliveries = job.deliveries, "a job's kind or version is not known here; put back for others");
    metrics::counter!("vouch_jobs_total", "kind" => "unknown", "outcome" => "put_back").increment(1);
    if let Err(error) = settle_job::put_back_unknown(services.db(), job.lease, UNKNOWN_WAIT).await {
        tracing::warn!(error = %chain(&error), "it was not put back; it falls due when its lease ends");
    }
}

/// Records a failed try; returns the outcome's name.
async fn settle_failure(
    services: &Services,
    (delivery, kind): (Delivery, &'static str),
    policy: &Policy,
    failure: JobFailure,
    started: Instant,
) -> &'static str {
    let (outcome, retry_after, hold) = match failure.verdict {
        Verdict::NotOurs => {
            tracing::warn!(job.id = %delivery.lease.job, job.kind = kind, "the lease passed to another worker; nothing was changed");
            return "fenced";
        }
        Verdict::Obsolete => ("obsolete", None, None),
        Verdict::GiveUp => ("dead", None, None),
        Verdict::Retry | Verdict::RetryAfter { .. } => {
            let (wait, hold) = next_try(policy, &delivery, &failure);
            (if wait.is_some() { "retried" } else { "dead" }, wait, hold)
        }
    };
    tell(&delivery, kind, &failure, retry_after, outcome);
    let span = tracing::Span::current();
    span.record("error.class", failure.class).record("error.code", failure.code.as_str());
    if matches!(outcome, "dead" | "retried") {
        span.record("otel.status_code", "ERROR");
    }
    let record = Failure { kind, class: failure.class, code: failure.code, error: failure.error, retry_after };
    let deadline = policy.run_window();
    loop {
        let settled = if outcome == "obsolete" {
            settle_job::finish(services.db(), delivery.lease).await
        } else {
            settle_job::fail(services.db(), delivery.lease, &record, hold.map(|wait| (policy.queue, wait))).await
        };
        match settled {
            Ok(()) => {
                services.wake();
                return outcome;
            }
            Err(OperationError::Fenced) => return "fenced",
            Err(error) if started.elapsed() < deadline => {
                tracing::warn!(error = %chain(&error), job.id = %delivery.lease.job, "an outcome can't be recorded yet");
                tokio::time::sleep(SETTLE_PAUSE).await;
            }
            Err(error) => {
                tracing::error!(error = %chain(&error), job.id = %delivery.lease.job, "an outcome was not recorded; the job is done again");
                return "unsettled";
            }
        }
    }
}

/// When the next try is, if there is one, and for how long all others of the queue wait too.
fn next_try(policy: &Policy, delivery: &Delivery, failure: &JobFailure) -> (Option<Duration>, Option<Duration>) {
    let failures = delivery.failures + 1;
    let tries_max = if failure.class == "panic" { policy.tries_max.min(PANIC_TRIES_MAX) } else { policy.tries_max };
    let (wait, hold) = match failure.verdict {
        Verdict::RetryAfter { wait, is_for_all } => {
            let wait = clamp_retry_after(wait);
            (wait, is_for_all.then_some(wait))
        }
        _ => (policy.backoff.delay(failures, random_fraction()), None),
    };
    ((failures < tries_max).then_some(wait), hold)
}

fn tell(delivery: &Delivery, kind: &str, failure: &JobFailure, retry_after: Option<Duration>, outcome: &str) {
    let (id, tries, class) = (delivery.lease.job, delivery.failures + 1, failure.class);
    let subject = delivery.subject.map(|subject| subject.to_string());
    match outcome {
        "dead" => {
            tracing::error!(job.id = %id, job.kind = kind, attempt.receipt = subject, job.tries = tries, error.class = class, error = failure.error, "a job is dead; an operator decides");
        }
        "obsolete" => {
            tracing::info!(job.id = %id, job.kind = kind, attempt.receipt = subject, error = failure.error, "a job is not wanted any more");
        }
        _ => {
            let wait_ms = retry_after.map_or(0, |wait| wait.as_millis());
            tracing::warn!(job.id = %id, job.kind = kind, attempt.receipt = subject, job.tries = tries, error.class = class, error = failure.error, wait_ms, "a try failed; another follows");
        }
    }
}

#[cfg(test)]
mod tests {
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
        Delivery { lease: Lease { job: JobId(1), generation: 1 }, failures, subject: None }
    }

    fn failure(class: &'static str, verdict: Verdict) -> JobFailure {
        JobFailure { class, code: String::new(), error: String::new(), verdict }
    }

    #[test]
    fn the_last_try_is_followed_by_none() {
        let retry = failure("network", Verdict::Retry);
        assert!(next_try(&POLICY, &delivery(10), &retry).0.is_some());
        assert_eq!(next_try(&POLICY, &delivery(11), &retry).0, None);
    }

    #[test]
    fn a_far_side_that_asks_for_time_gets_it_for_all_within_reason() {
        let asked = |wait| failure("rate_limited", Verdict::RetryAfter { wait, is_for_all: true });
        let half_a_minute = Duration::from_secs(30);
        assert_eq!(next_try(&POLICY, &delivery(0), &asked(half_a_minute)), (Some(half_a_minute), Some(half_a_minute)));
        let hour = Duration::from_hours(1);
        assert_eq!(next_try(&POLICY, &delivery(0), &asked(hour * 300)), (Some(hour), Some(hour)));
    }

    #[test]
    fn a_job_that_panics_is_dead_after_three_tries() {
        let panic = failure("panic", Verdict::Retry);
        assert!(next_try(&POLICY, &delivery(1), &panic).0.is_some());
        assert_eq!(next_try(&POLICY, &delivery(2), &panic).0, None);
    }
}
