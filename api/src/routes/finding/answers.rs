//! What a search answers.

use chrono::{DateTime, Utc};
use poem_openapi::{Object, types::Any};
use serde_json::Value;
use vouch_common::{
    domain::{
        effect::Queue,
        job::{OpenJob, causes},
        page::{Key, Paged},
        timeline::Run,
    },
    operations::search_attempts::FoundAttempt,
    store::{audit::AuditEntry, error_groups::ErrorGroup, job_rows::JobRow},
    vendor::software_secure::VENDOR,
};

use super::story::WaitsForAnswer;
use crate::extract::api_key::{Caller, Role};

/// Whose a key is.
#[derive(Object)]
pub(crate) struct MeAnswer {
    /// The key's name, as the audit has it.
    name: String,
    /// What it may do.
    scopes: Vec<String>,
    /// `admin`, `operator`, `viewer`, or `service`: it may read nothing here.
    role: String,
}

impl From<Caller> for MeAnswer {
    fn from(caller: Caller) -> Self {
        Self { role: Role::of(&caller.scopes).as_str().to_owned(), name: caller.name, scopes: caller.scopes }
    }
}

/// An attempt in a list; it names nobody.
#[derive(Object)]
pub(crate) struct AttemptItem {
    /// Its public name.
    receipt_id: String,
    /// The learner.
    user_id: i64,
    /// `created`, `ready`, `submitted`, `must_retry`, `approved` or `denied`.
    status: String,
    /// When it arrived (UTC).
    created_at: DateTime<Utc>,
    /// When it last changed (UTC).
    updated_at: DateTime<Utc>,
    /// When the vendor last accepted it (UTC).
    submitted_at: Option<DateTime<Utc>>,
    /// The vendor's `MessageType`.
    error_code: String,
    /// Who reviewed: empty for the vendor, `intake` for our own checks.
    reviewing_service: String,
    /// What it waits for; null: it is finished.
    waits_for: Option<WaitsForAnswer>,
}

impl From<FoundAttempt> for AttemptItem {
    fn from(found: FoundAttempt) -> Self {
        let attempt = found.attempt;
        Self {
            receipt_id: attempt.receipt.to_string(),
            user_id: attempt.user.0,
            status: attempt.status.to_string(),
            created_at: attempt.created_at,
            updated_at: attempt.updated_at,
            submitted_at: attempt.submitted_at,
            error_code: attempt.error_code,
            reviewing_service: attempt.reviewing_service,
            waits_for: found.waits_for.map(WaitsForAnswer::from),
        }
    }
}

/// A job of the ledger.
#[derive(Object)]
pub(crate) struct JobAnswer {
    /// Its number.
    id: i64,
    /// Its queue.
    queue: String,
    /// Its kind.
    kind: String,
    /// `due`, `dispatched`, `running`, `scheduled` or `dead`.
    state: String,
    /// The attempt that it serves.
    receipt_id: Option<String>,
    /// When it was born (UTC).
    created_at: DateTime<Utc>,
    /// When it may next be handed out (UTC).
    due_at: DateTime<Utc>,
    /// When its last try began (UTC).
    claimed_at: Option<DateTime<Utc>>,
    /// When its last try failed (UTC).
    failed_at: Option<DateTime<Utc>>,
    /// When it was given up (UTC).
    dead_at: Option<DateTime<Utc>>,
    /// Failed tries so far.
    failures: i32,
    /// Deliveries without an outcome.
    deliveries: i32,
    /// The class of the last failure.
    error_class: Option<String>,
    /// The far side's code of the last failure; empty: none.
    error_code: String,
    /// The last failure.
    last_error: Option<String>,
    /// The group of failures that it belongs to.
    fingerprint: Option<String>,
    /// Its trace.
    trace_id: Option<String>,
}

impl JobAnswer {
    /// A job of the attempt of that receipt.
    pub(crate) fn new(job: OpenJob, receipt_id: Option<String>) -> Self {
        Self {
            trace_id: job.trace_id(),
            id: job.id.0,
            queue: job.queue,
            kind: job.kind,
            state: job.state.to_string(),
            receipt_id,
            created_at: job.created_at,
            due_at: job.due_at,
            claimed_at: job.claimed_at,
            failed_at: job.failed_at,
            dead_at: job.dead_at,
            failures: job.failures,
            deliveries: job.deliveries,
            error_class: job.error_class,
            error_code: job.error_code,
            last_error: job.last_error,
            fingerprint: job.fingerprint,
        }
    }
}

impl From<JobRow> for JobAnswer {
    fn from(row: JobRow) -> Self {
        Self::new(row.job, row.subject.map(|subject| subject.to_string()))
    }
}

/// A job with all that is known of it.
#[derive(Object)]
pub(crate) struct JobDetail {
    #[oai(flatten)]
    job: JobAnswer,
    /// The last failure and its causes, the outermost first.
    causes: Vec<String>,
    /// Its arguments: ids only.
    args: Any<Value>,
    /// Its tries, oldest first; kept for jobs that serve an attempt.
    runs: Vec<RunAnswer>,
}

/// One try of a job.
#[derive(Object)]
struct RunAnswer {
    /// When it became due (UTC).
    at: DateTime<Utc>,
    /// When it was claimed (UTC).
    claimed_at: Option<DateTime<Utc>>,
    /// When it ended (UTC).
    ended_at: DateTime<Utc>,
    /// `done`, `retried` or `dead`.
    outcome: String,
    /// The class of its failure.
    error_class: Option<String>,
    /// The far side's code; empty: none.
    error_code: String,
    /// What went wrong.
    error: Option<String>,
}

impl JobDetail {
    pub(crate) fn new(row: JobRow, runs: Vec<Run>) -> Self {
        let runs = runs.into_iter().map(|run| RunAnswer {
            at: run.ready_at.unwrap_or(run.queued_at),
            claimed_at: run.claimed_at,
            ended_at: run.ended_at,
            outcome: run.outcome,
            error_class: run.error_class,
            error_code: run.error_code,
            error: run.error,
        });
        Self {
            causes: row.job.last_error.as_deref().map(causes).unwrap_or_default(),
            args: Any(row.args.clone()),
            runs: runs.collect(),
            job: row.into(),
        }
    }
}

/// Dead jobs that failed alike.
#[derive(Object)]
struct ErrorItem {
    /// Names the group.
    fingerprint: String,
    /// The queue.
    queue: String,
    /// The kind of job.
    kind: String,
    /// The vendor, of jobs that speak with one.
    vendor: Option<String>,
    /// The class of the failures.
    error_class: String,
    /// The far side's code; empty: none.
    error_code: String,
    /// What was said; what differs from case to case is `#`.
    message: String,
    /// How many jobs are dead of it.
    dead: i64,
    /// When the first of them died (UTC).
    first_seen: DateTime<Utc>,
    /// When the last of them died (UTC).
    last_seen: DateTime<Utc>,
    /// The one that died last; null when it is gone just now.
    sample: Option<ErrorSample>,
}

/// One of them.
#[derive(Object)]
struct ErrorSample {
    /// The job.
    job_id: i64,
    /// Its attempt.
    receipt_id: Option<String>,
    /// What it died of.
    last_error: Option<String>,
}

impl From<ErrorGroup> for ErrorItem {
    fn from(group: ErrorGroup) -> Self {
        let sample = group.sample_job.map(|job_id| ErrorSample {
            job_id,
            receipt_id: group.sample_receipt.map(|receipt| receipt.to_string()),
            last_error: group.sample_error,
        });
        Self {
            vendor: (group.queue == Queue::Vendor.as_str()).then(|| VENDOR.to_owned()),
            fingerprint: group.fingerprint,
            queue: group.queue,
            kind: group.kind,
            error_class: group.error_class,
            error_code: group.error_code,
            message: group.message,
            dead: group.dead,
            first_seen: group.first_seen,
            last_seen: group.last_seen,
            sample,
        }
    }
}

/// What an operator did.
#[derive(Object)]
struct AuditItem {
    /// Its number.
    id: i64,
    /// When (UTC).
    at: DateTime<Utc>,
    /// The name of the key.
    actor: String,
    /// What was done.
    action: String,
    /// What it was done to.
    target: String,
    /// Why.
    reason: String,
    /// More.
    detail: Any<Value>,
}

impl From<AuditEntry> for AuditItem {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id,
            at: entry.at,
            actor: entry.actor,
            action: entry.action,
            target: entry.target,
            reason: entry.reason,
            detail: Any(entry.detail),
        }
    }
}

macro_rules! pages {
    ($($(#[$doc:meta])* $name:ident of $item:ident from $found:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Object)]
            pub(crate) struct $name {
                /// The entries.
                items: Vec<$item>,
                /// Asks for the next page; null: there is none.
                next_cursor: Option<String>,
            }

            impl From<Paged<$found>> for $name {
                fn from(page: Paged<$found>) -> Self {
                    Self { items: page.items.into_iter().map($item::from).collect(), next_cursor: page.next.map(Key::to_cursor) }
                }
            }
        )*
    };
}

pages! {
    /// A page of attempts.
    AttemptsPage of AttemptItem from FoundAttempt;
    /// A page of jobs.
    JobsPage of JobAnswer from JobRow;
    /// A page of groups of failures.
    ErrorsPage of ErrorItem from ErrorGroup;
    /// A page of what operators did.
    AuditPage of AuditItem from AuditEntry;
}
