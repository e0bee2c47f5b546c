//! What an attempt waits for now, and since when: one plain sentence for whoever asks.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    attempt::Status,
    ids::JobId,
    job::{JobState, OpenJob},
    timeline::step,
};

/// Who or what has to do something next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// The job's turn.
    Queue,
    /// The worker that is at it.
    Worker,
    /// The time of another try.
    Retry,
    /// An operator.
    Operator,
    /// The vendor's verdict.
    Vendor,
    /// A brake on the queue.
    Brake,
}

impl Awaited {
    /// Its name in the api.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Worker => "worker",
            Self::Retry => "retry",
            Self::Operator => "operator",
            Self::Vendor => "vendor",
            Self::Brake => "brake",
        }
    }
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Who or what has to do something next.
    pub what: Awaited,
    /// Since when (UTC).
    pub since: DateTime<Utc>,
    /// Until when (UTC), if that is known.
    pub until: Option<DateTime<Utc>>,
    /// The queue of the job.
    pub queue: Option<String>,
    /// The job.
    pub job: Option<JobId>,
    /// The same in words.
    pub text: String,
}

/// Where an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its state.
    pub status: Status,
    /// When it last changed (UTC).
    pub updated_at: DateTime<Utc>,
    /// When the vendor last accepted it (UTC).
    pub submitted_at: Option<DateTime<Utc>>,
}

/// What stops a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brake {
    /// The queue.
    pub queue: String,
    /// Why.
    pub kind: BrakeKind,
    /// Since when it holds (UTC), if that is known.
    pub since: Option<DateTime<Utc>>,
    /// When it goes by itself (UTC), if it does.
    pub until: Option<DateTime<Utc>>,
}

/// Why a queue is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrakeKind {
    /// This operator's key paused it.
    Paused(String),
    /// The far side asked for time.
    Held,
    /// The breaker of this vendor is open.
    Broken(String),
}

/// What an attempt waits for at `now`; `None`: nothing, it is finished.
///
/// What is dead comes first, since nothing but an operator helps it; then the job that moves the attempt; then
/// the vendor; then what follows a verdict, such as a mail.
#[must_use]
pub fn find(standing: Standing, jobs: &[OpenJob], brakes: &[Brake], now: DateTime<Utc>) -> Option<Waiting> {
    if let Some(job) = jobs.iter().find(|job| job.state == JobState::Dead) {
        return Some(for_operator(job));
    }
    let moving = jobs.iter().find(|job| !standing.status.is_terminal() && moves_attempt(&job.kind));
    if let Some(job) = moving {
        return Some(for_job(job, brakes, now));
    }
    if let (Status::Submitted, Some(since)) = (standing.status, standing.submitted_at) {
        let text = format!("The vendor has had it for {} and has not called back.", in_words(now - since));
        return Some(Waiting { what: Awaited::Vendor, since, until: None, queue: None, job: None, text });
    }
    if let Some(job) = jobs.first() {
        return Some(for_job(job, brakes, now));
    }
    (!standing.status.is_terminal()).then(|| Waiting {
        what: Awaited::Worker,
        since: standing.updated_at,
        until: None,
        queue: None,
        job: None,
        text: "Its job is missing; the sweep makes a new one within minutes.".to_owned(),
    })
}

fn moves_attempt(kind: &str) -> bool {
    matches!(kind, "prepare_photos" | "submit_to_vendor" | "apply_vendor_result")
}

fn for_operator(job: &OpenJob) -> Waiting {
    let class = job.error_class.as_deref().unwrap_or("unknown");
    let code = if job.error_code.is_empty() { String::new() } else { format!(" {}", job.error_code) };
    let tries = match job.failures {
        0 => String::new(),
        1 => " after 1 try".to_owned(),
        tries => format!(" after {tries} tries"),
    };
    Waiting {
        what: Awaited::Operator,
        since: job.dead_at.unwrap_or(job.due_at),
        until: None,
        queue: Some(job.queue.clone()),
        job: Some(job.id),
        text: format!("{} was given up{tries} ({class}{code}); an operator decides.", step(&job.kind)),
    }
}

fn for_job(job: &OpenJob, brakes: &[Brake], now: DateTime<Utc>) -> Waiting {
    let step = step(&job.kind);
    let waiting =
        |what, since, until, text| Waiting { what, since, until, queue: Some(job.queue.clone()), job: Some(job.id), text };
    match job.state {
        JobState::Dead => for_operator(job),
        JobState::Running => {
            let since = job.claimed_at.unwrap_or(job.created_at);
            let text = format!("{step} is running, for {}.", in_words(now - since));
            waiting(Awaited::Worker, since, Some(job.due_at), text)
        }
        JobState::Scheduled => {
            let text = if job.failures > 0 {
                format!("{step} failed {} and is tried again in {}.", times(job.failures), in_words(job.due_at - now))
            } else {
                format!("{step} follows in {}.", in_words(job.due_at - now))
            };
            waiting(Awaited::Retry, job.failed_at.unwrap_or(job.created_at), Some(job.due_at), text)
        }
        JobState::Due | JobState::Dispatched => {
            let since = if job.state == JobState::Due { job.due_at } else { job.ready_at.unwrap_or(job.created_at) };
            match brakes.iter().find(|brake| brake.queue == job.queue) {
                Some(brake) => {
                    waiting(Awaited::Brake, brake.since.unwrap_or(since).max(since), brake.until, brake_text(&step, brake))
                }
                None => {
                    waiting(Awaited::Queue, since, None, format!("{step} has waited for its turn for {}.", in_words(now - since)))
                }
            }
        }
    }
}

fn brake_text(step: &str, brake: &Brake) -> String {
    let queue = &brake.queue;
    match &brake.kind {
        BrakeKind::Paused(actor) => format!("{step} waits: {actor} has paused the queue {queue}."),
        BrakeKind::Held => format!("{step} waits: the far side has asked the queue {queue} for time."),
        BrakeKind::Broken(vendor) => format!("{step} waits: the breaker of {vendor} is open."),
    }
}

fn times(count: i32) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        count => format!("{count} times"),
    }
}

/// A length of time as people say it: its largest unit, rounded down.
#[must_use]
pub fn in_words(time: TimeDelta) -> String {
    let seconds = time.num_seconds().max(0);
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: DateTime<Utc> = DateTime::from_timestamp(1_764_072_000, 0).unwrap();

    fn ago(minutes: i64) -> DateTime<Utc> {
        NOON - TimeDelta::minutes(minutes)
    }

    fn job(kind: &str, state: JobState) -> OpenJob {
        OpenJob {
            id: JobId(5),
            queue: if kind == "submit_to_vendor" { "vendor" } else { "mail" }.to_owned(),
            kind: kind.to_owned(),
            state,
            created_at: ago(90),
            due_at: if matches!(state, JobState::Due | JobState::Dead) { ago(7) } else { NOON + TimeDelta::minutes(3) },
            ready_at: Some(ago(8)),
            claimed_at: Some(ago(2)),
            failed_at: None,
            dead_at: (state == JobState::Dead).then(|| ago(6)),
            failures: 0,
            deliveries: 0,
            error_class: None,
            error_code: String::new(),
            last_error: None,
            fingerprint: None,
            trace: None,
        }
    }

    fn in_state(status: Status, jobs: &[OpenJob]) -> Option<Waiting> {
        braked(status, jobs, &[])
    }

    fn braked(status: Status, jobs: &[OpenJob], brakes: &[Brake]) -> Option<Waiting> {
        let submitted_at = (status == Status::Submitted).then(|| ago(125));
        find(Standing { status, updated_at: ago(30), submitted_at }, jobs, brakes, NOON)
    }

    fn brake(kind: BrakeKind) -> Brake {
        Brake { queue: "vendor".to_owned(), kind, since: Some(ago(5)), until: None }
    }

    #[test]
    fn a_dead_job_waits_for_an_operator_whatever_else_there_is() {
        let mut dead = job("submit_to_vendor", JobState::Dead);
        (dead.error_class, dead.error_code, dead.failures) = (Some("vendor_refused".to_owned()), "400".to_owned(), 1);
        let found = in_state(Status::MustRetry, &[job("send_email", JobState::Running), dead]).unwrap();
        assert_eq!((found.what, found.since, found.job), (Awaited::Operator, ago(6), Some(JobId(5))));
        assert_eq!(found.text, "Sending it to the vendor was given up after 1 try (vendor_refused 400); an operator decides.");
    }

    #[test]
    fn a_running_job_waits_for_its_worker() {
        let found = in_state(Status::Ready, &[job("submit_to_vendor", JobState::Running)]).unwrap();
        assert_eq!((found.what, found.since), (Awaited::Worker, ago(2)));
        assert_eq!(found.text, "Sending it to the vendor is running, for 2 minutes.");
    }

    #[test]
    fn a_due_job_waits_for_its_turn_or_for_the_brake_on_its_queue() {
        let due = [job("submit_to_vendor", JobState::Due)];
        let found = in_state(Status::Ready, &due).unwrap();
        assert_eq!((found.what, found.since), (Awaited::Queue, ago(7)));
        for (kind, text) in [
            (BrakeKind::Paused("night".to_owned()), "Sending it to the vendor waits: night has paused the queue vendor."),
            (BrakeKind::Held, "Sending it to the vendor waits: the far side has asked the queue vendor for time."),
            (BrakeKind::Broken("acme".to_owned()), "Sending it to the vendor waits: the breaker of acme is open."),
        ] {
            let found = braked(Status::Ready, &due, &[brake(kind)]).unwrap();
            assert_eq!((found.what, found.since, found.queue.as_deref()), (Awaited::Brake, ago(5), Some("vendor")));
            assert_eq!(found.text, text);
        }
        let other = Brake { queue: "mail".to_owned(), ..brake(BrakeKind::Held) };
        assert_eq!(braked(Status::Ready, &due, &[other]).unwrap().what, Awaited::Queue);
    }

    #[test]
    fn what_was_handed_out_and_meets_a_brake_waits_for_the_brake() {
        let dispatched = [job("submit_to_vendor", JobState::Dispatched)];
        assert_eq!(in_state(Status::Ready, &dispatched).map(|found| (found.what, found.since)), Some((Awaited::Queue, ago(8))));
        assert_eq!(braked(Status::Ready, &dispatched, &[brake(BrakeKind::Held)]).unwrap().what, Awaited::Brake);
    }

    #[test]
    fn a_failed_job_waits_until_its_next_try() {
        let mut failed = job("submit_to_vendor", JobState::Scheduled);
        (failed.failures, failed.failed_at) = (2, Some(ago(1)));
        let found = in_state(Status::MustRetry, &[failed]).unwrap();
        assert_eq!((found.what, found.since, found.until), (Awaited::Retry, ago(1), Some(NOON + TimeDelta::minutes(3))));
        assert_eq!(found.text, "Sending it to the vendor failed twice and is tried again in 3 minutes.");
        let fresh = in_state(Status::MustRetry, &[job("submit_to_vendor", JobState::Scheduled)]).unwrap();
        assert_eq!(fresh.text, "Sending it to the vendor follows in 3 minutes.");
    }

    #[test]
    fn what_was_submitted_and_has_no_callback_waits_for_the_vendor() {
        let found = in_state(Status::Submitted, &[job("send_email", JobState::Scheduled)]).unwrap();
        assert_eq!((found.what, found.since), (Awaited::Vendor, ago(125)));
        assert_eq!(found.text, "The vendor has had it for 2 hours and has not called back.");
        let applied = in_state(Status::Submitted, &[job("apply_vendor_result", JobState::Due)]).unwrap();
        assert_eq!(applied.what, Awaited::Queue, "it has called back");
    }

    #[test]
    fn what_is_finished_waits_for_nothing_but_its_mails() {
        assert_eq!(in_state(Status::Approved, &[]), None);
        assert_eq!(in_state(Status::Denied, &[]), None);
        let mail = in_state(Status::Approved, &[job("send_email", JobState::Due)]).unwrap();
        assert_eq!(mail.text, "Writing to the learner has waited for its turn for 7 minutes.");
    }

    #[test]
    fn an_open_attempt_without_a_job_waits_for_the_sweep() {
        for status in [Status::Created, Status::Ready, Status::MustRetry] {
            assert_eq!(in_state(status, &[]).map(|found| (found.what, found.since)), Some((Awaited::Worker, ago(30))));
        }
    }

    #[test]
    fn a_time_is_told_in_its_largest_unit_and_is_never_negative() {
        let told = |seconds| in_words(TimeDelta::seconds(seconds));
        assert_eq!(
            [-5, 1, 59, 60, 7_199, 86_400, 172_800].map(told),
            ["0 seconds", "1 second", "59 seconds", "1 minute", "1 hour", "24 hours", "2 days"]
        );
    }
}
