//! The story of an attempt: what happened to it, every try of every job, what the vendor said, what comes next.

use chrono::{DateTime, TimeDelta, Utc};

use super::job::{JobState, OpenJob, trace_id};

/// What an entry of a timeline is about; at the same moment, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// Something happened to the attempt.
    Event,
    /// A try of a job.
    Run,
    /// The vendor called back.
    Callback,
    /// A job that is still to be done.
    Job,
}

impl EntryKind {
    /// Its name in the api.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Run => "run",
            Self::Callback => "callback",
            Self::Job => "job",
        }
    }
}

/// One line of an attempt's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptEvent {
    /// When (UTC).
    pub at: DateTime<Utc>,
    /// Who: `learner`, `worker`, `vendor`, `sweep`, or an operator's key.
    pub actor: String,
    /// What.
    pub kind: String,
    /// The state before, if it changed.
    pub from: Option<String>,
    /// The state after, if it changed.
    pub to: Option<String>,
    /// More, nothing personal.
    pub detail: String,
}

/// One try of a job, from when it was wanted to what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The job.
    pub job: i64,
    /// Its queue.
    pub queue: String,
    /// Its kind.
    pub kind: String,
    /// When the job was born (UTC).
    pub queued_at: DateTime<Utc>,
    /// When this try became due (UTC).
    pub ready_at: Option<DateTime<Utc>>,
    /// When it was claimed (UTC).
    pub claimed_at: Option<DateTime<Utc>>,
    /// When it ended (UTC).
    pub ended_at: DateTime<Utc>,
    /// `done`, `retried` or `dead`.
    pub outcome: String,
    /// The class of its failure.
    pub error_class: Option<String>,
    /// The far side's code; empty: none.
    pub error_code: String,
    /// What went wrong, with its causes.
    pub error: Option<String>,
    /// The trace that it belongs to, as W3C writes it.
    pub trace: Option<String>,
}

impl Run {
    /// How long it waited from due to claimed, in seconds.
    #[must_use]
    pub fn wait_seconds(&self) -> Option<f64> {
        Some(seconds(self.claimed_at? - self.ready_at.unwrap_or(self.queued_at)))
    }

    /// How long it took, in seconds.
    #[must_use]
    pub fn run_seconds(&self) -> Option<f64> {
        Some(seconds(self.ended_at - self.claimed_at?))
    }
}

/// A call of the vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// When it came (UTC).
    pub received_at: DateTime<Utc>,
    /// What it said.
    pub verdict: String,
    /// What became of it.
    pub outcome: String,
    /// Whether its signature fitted.
    pub is_signature_valid: bool,
}

/// One entry of a timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When (UTC): a try when it was claimed, a job when it is due.
    pub at: DateTime<Utc>,
    /// What it is about.
    pub kind: EntryKind,
    /// What happened, in a few words.
    pub title: String,
    /// More, in words; empty: nothing.
    pub text: String,
    /// Who did it.
    pub actor: String,
    /// The queue of the job.
    pub queue: Option<String>,
    /// The job.
    pub job: Option<i64>,
    /// From due to claimed.
    pub wait_seconds: Option<f64>,
    /// From claimed to ended.
    pub run_seconds: Option<f64>,
    /// What became of it.
    pub outcome: Option<String>,
    /// The class of its failure.
    pub error_class: Option<String>,
    /// The far side's code.
    pub error_code: Option<String>,
    /// The state of the attempt before, if it changed.
    pub from: Option<String>,
    /// The state after, if it changed.
    pub to: Option<String>,
    /// The trace.
    pub trace_id: Option<String>,
}

/// The whole story, oldest first. Two things of one moment stand in the order of [`EntryKind`], then as given.
#[must_use]
pub fn tell(events: &[AttemptEvent], runs: &[Run], calls: &[Call], jobs: &[OpenJob]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = events.iter().map(of_event).collect();
    entries.extend(runs.iter().map(of_run));
    entries.extend(calls.iter().map(of_call));
    entries.extend(jobs.iter().map(of_job));
    entries.sort_by_key(|entry| (entry.at, entry.kind));
    entries
}

/// The trace of an attempt: that of its jobs, or of their tries.
#[must_use]
pub fn trace_of(runs: &[Run], jobs: &[OpenJob]) -> Option<String> {
    let of_runs = runs.iter().filter_map(|run| trace_id(run.trace.as_deref()));
    of_runs.chain(jobs.iter().filter_map(OpenJob::trace_id)).next()
}

fn entry(at: DateTime<Utc>, kind: EntryKind, title: String, actor: &str) -> Entry {
    Entry {
        at,
        kind,
        title,
        text: String::new(),
        actor: actor.to_owned(),
        queue: None,
        job: None,
        wait_seconds: None,
        run_seconds: None,
        outcome: None,
        error_class: None,
        error_code: None,
        from: None,
        to: None,
        trace_id: None,
    }
}

fn of_event(event: &AttemptEvent) -> Entry {
    Entry {
        text: event.detail.clone(),
        from: event.from.clone(),
        to: event.to.clone(),
        ..entry(event.at, EntryKind::Event, event_title(&event.kind), &event.actor)
    }
}

fn event_title(kind: &str) -> String {
    match kind {
        "received" => "Received".to_owned(),
        "prepared" => "Photos checked and encrypted".to_owned(),
        "rejected_at_intake" => "Photos refused by our own checks".to_owned(),
        "submitted" => "The vendor accepted it".to_owned(),
        "submission_failed" => "The vendor could not be given it".to_owned(),
        "approved" => "Approved by the vendor".to_owned(),
        "denied" => "Denied by the vendor".to_owned(),
        "vendor_system_error" => "The vendor had a fault of its own".to_owned(),
        "approved_by_hand" => "Approved by hand".to_owned(),
        "denied_by_hand" => "Denied by hand".to_owned(),
        "ended_by_erasure" => "Ended: the learner was erased".to_owned(),
        "verdict_ignored" => "A verdict changed nothing".to_owned(),
        "retried_by_hand" => "Set going again by hand".to_owned(),
        "job_dropped" => "A job was dropped by hand".to_owned(),
        "job_restored" => "The sweep made a missing job again".to_owned(),
        other => sentence(other),
    }
}

/// The name of something as the beginning of a sentence.
fn sentence(name: &str) -> String {
    let spaced = name.replace('_', " ");
    let mut letters = spaced.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn of_run(run: &Run) -> Entry {
    let step = step(&run.kind);
    let title = match run.outcome.as_str() {
        "done" => format!("{step}: done"),
        "retried" => format!("{step}: failed, another try follows"),
        _ => format!("{step}: given up"),
    };
    Entry {
        text: run.error.clone().unwrap_or_default(),
        queue: Some(run.queue.clone()),
        job: Some(run.job),
        wait_seconds: run.wait_seconds(),
        run_seconds: run.run_seconds(),
        outcome: Some(run.outcome.clone()),
        error_class: run.error_class.clone(),
        error_code: given(&run.error_code),
        trace_id: trace_id(run.trace.as_deref()),
        ..entry(run.claimed_at.unwrap_or(run.ended_at), EntryKind::Run, title, "worker")
    }
}

fn of_call(call: &Call) -> Entry {
    let text = match (call.outcome.as_str(), call.is_signature_valid) {
        (_, false) => "Its signature was in doubt; it was let through by the settings.",
        ("received", true) => "It is kept and will be applied.",
        ("applied", true) => "It was applied.",
        ("duplicate", true) => "It says what already held, and changed nothing.",
        ("late", true) => "It is older than what was applied, and changed nothing.",
        ("contradiction", true) => "It contradicts the verdict that holds, and changed nothing.",
        (_, true) => "",
    };
    Entry {
        text: text.to_owned(),
        outcome: Some(call.outcome.clone()),
        ..entry(call.received_at, EntryKind::Callback, format!("The vendor called back: {}", call.verdict), "vendor")
    }
}

fn of_job(job: &OpenJob) -> Entry {
    let (at, says) = match job.state {
        JobState::Due => (job.due_at, "waits for its turn"),
        JobState::Dispatched => (job.ready_at.unwrap_or(job.due_at), "is handed out"),
        JobState::Running => (job.claimed_at.unwrap_or(job.due_at), "is running"),
        JobState::Scheduled => (job.due_at, "is next"),
        JobState::Dead => (job.dead_at.unwrap_or(job.due_at), "waits for an operator"),
    };
    Entry {
        text: job.last_error.clone().unwrap_or_default(),
        queue: Some(job.queue.clone()),
        job: Some(job.id.0),
        outcome: Some(job.state.as_str().to_owned()),
        error_class: job.error_class.clone(),
        error_code: given(&job.error_code),
        trace_id: job.trace_id(),
        ..entry(at, EntryKind::Job, format!("{} {says}", step(&job.kind)), "")
    }
}

/// What a kind of job does, as the subject of a sentence.
#[must_use]
pub fn step(kind: &str) -> String {
    match kind {
        "prepare_photos" => "Checking the photos".to_owned(),
        "submit_to_vendor" => "Sending it to the vendor".to_owned(),
        "apply_vendor_result" => "Applying the verdict".to_owned(),
        "update_credit_requirement" => "Updating the credit".to_owned(),
        "send_email" => "Writing to the learner".to_owned(),
        "track_event" => "Telling analytics".to_owned(),
        "retry_batch" => "A bulk retry".to_owned(),
        other => format!("The job {other}"),
    }
}

fn given(code: &str) -> Option<String> {
    (!code.is_empty()).then(|| code.to_owned())
}

#[expect(clippy::cast_precision_loss, reason = "times of jobs are far below 2^52 milliseconds")]
fn seconds(time: TimeDelta) -> f64 {
    time.num_milliseconds().max(0) as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::JobId;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_764_072_000 + second, 0).unwrap()
    }

    fn event(second: i64, kind: &str) -> AttemptEvent {
        AttemptEvent {
            at: at(second),
            actor: "worker".to_owned(),
            kind: kind.to_owned(),
            from: None,
            to: None,
            detail: String::new(),
        }
    }

    fn run(second: i64, kind: &str, outcome: &str) -> Run {
        Run {
            job: 1,
            queue: "vendor".to_owned(),
            kind: kind.to_owned(),
            queued_at: at(0),
            ready_at: Some(at(second - 2)),
            claimed_at: Some(at(second)),
            ended_at: at(second + 1),
            outcome: outcome.to_owned(),
            error_class: None,
            error_code: String::new(),
            error: None,
            trace: None,
        }
    }

    #[test]
    fn a_story_is_told_in_its_order_and_a_cause_before_its_effect() {
        let events = [event(0, "received"), event(4, "prepared"), event(9, "submitted"), event(12, "approved")];
        let runs = [run(4, "prepare_photos", "done"), run(6, "submit_to_vendor", "retried"), run(8, "submit_to_vendor", "done")];
        let call =
            Call { received_at: at(10), verdict: "PASS".to_owned(), outcome: "applied".to_owned(), is_signature_valid: true };
        let titles: Vec<_> = tell(&events, &runs, &[call], &[]).into_iter().map(|entry| entry.title).collect();
        assert_eq!(
            titles,
            [
                "Received",
                "Photos checked and encrypted",
                "Checking the photos: done",
                "Sending it to the vendor: failed, another try follows",
                "Sending it to the vendor: done",
                "The vendor accepted it",
                "The vendor called back: PASS",
                "Approved by the vendor"
            ]
        );
    }

    #[test]
    fn a_try_tells_how_long_it_waited_and_ran_and_what_came_back() {
        let mut failed = run(6, "submit_to_vendor", "dead");
        (failed.error_class, failed.error_code) = (Some("vendor_refused".to_owned()), "400".to_owned());
        failed.error = Some("the vendor refused: 400".to_owned());
        let entry = tell(&[], &[failed], &[], &[]).remove(0);
        assert_eq!((entry.wait_seconds, entry.run_seconds), (Some(2.0), Some(1.0)));
        assert_eq!((entry.outcome.as_deref(), entry.error_code.as_deref()), (Some("dead"), Some("400")));
        assert_eq!(entry.text, "the vendor refused: 400");
    }

    #[test]
    fn what_is_due_next_stands_last() {
        let job = OpenJob {
            id: JobId(3),
            queue: "mail".to_owned(),
            kind: "send_email".to_owned(),
            state: JobState::Scheduled,
            created_at: at(0),
            due_at: at(60),
            ready_at: None,
            claimed_at: None,
            failed_at: None,
            dead_at: None,
            failures: 1,
            deliveries: 0,
            error_class: Some("smtp".to_owned()),
            error_code: "451".to_owned(),
            last_error: None,
            fingerprint: None,
            trace: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        };
        let story = tell(&[event(0, "a_new_kind")], &[], &[], std::slice::from_ref(&job));
        assert_eq!(story[0].title, "A new kind");
        assert_eq!((story[1].title.as_str(), story[1].at), ("Writing to the learner is next", at(60)));
        assert_eq!(trace_of(&[], &[job]).as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
    }
}
