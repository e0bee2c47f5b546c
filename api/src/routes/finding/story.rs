//! The story of an attempt as it is answered, and what it waits for.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use vouch_common::domain::{timeline::Entry, waiting::Waiting};

/// What an attempt waits for.
#[derive(Object)]
pub(crate) struct WaitsForAnswer {
    /// `queue`, `worker`, `retry`, `operator`, `vendor` or `brake`.
    what: String,
    /// Since when (UTC).
    since: DateTime<Utc>,
    /// Until when (UTC), if that is known.
    until: Option<DateTime<Utc>>,
    /// The queue of the job.
    queue: Option<String>,
    /// The job.
    job_id: Option<i64>,
    /// The same in words.
    text: String,
}

impl From<Waiting> for WaitsForAnswer {
    fn from(found: Waiting) -> Self {
        Self {
            what: found.what.as_str().to_owned(),
            since: found.since,
            until: found.until,
            queue: found.queue,
            job_id: found.job.map(|job| job.0),
            text: found.text,
        }
    }
}

/// One entry of an attempt's story.
#[derive(Object)]
pub(crate) struct TimelineAnswer {
    /// When (UTC): a try when it was claimed, a job when it is due.
    at: DateTime<Utc>,
    /// `event`, `run`, `callback` or `job`.
    kind: String,
    /// What happened, in a few words.
    title: String,
    /// More, in words; empty: nothing.
    text: String,
    /// Who did it.
    actor: String,
    /// The queue of the job.
    queue: Option<String>,
    /// The job.
    job_id: Option<i64>,
    /// Seconds from due to claimed.
    wait_seconds: Option<f64>,
    /// Seconds from claimed to ended.
    run_seconds: Option<f64>,
    /// Of a try `done`, `retried`, `dead`; of a job its state; of a callback what became of it.
    outcome: Option<String>,
    /// The class of the failure.
    error_class: Option<String>,
    /// The far side's code.
    error_code: Option<String>,
    /// The state of the attempt before, if it changed.
    from: Option<String>,
    /// The state after, if it changed.
    to: Option<String>,
    /// The trace.
    trace_id: Option<String>,
}

impl From<Entry> for TimelineAnswer {
    fn from(entry: Entry) -> Self {
        Self {
            at: entry.at,
            kind: entry.kind.as_str().to_owned(),
            title: entry.title,
            text: entry.text,
            actor: entry.actor,
            queue: entry.queue,
            job_id: entry.job,
            wait_seconds: entry.wait_seconds,
            run_seconds: entry.run_seconds,
            outcome: entry.outcome,
            error_class: entry.error_class,
            error_code: entry.error_code,
            from: entry.from,
            to: entry.to,
            trace_id: entry.trace_id,
        }
    }
}
