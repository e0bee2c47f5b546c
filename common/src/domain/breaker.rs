//! The breaker of a far side: when calls stop, when one tries again, and how they come back.
//!
//! Five outages in a row, or half of at least 20 calls within a minute, open it. Then one call alone tries,
//! after 30 seconds first and after up to 5 minutes when it fails again and again. When it is answered, calls
//! come back at a rate that doubles; a minute without an outage, and all is as before.

use chrono::{DateTime, TimeDelta, Utc};

use super::{bucket::Bucket, ids::JobId};

/// Outages in a row that open a closed breaker.
pub const ROW_MAX: u32 = 5;
/// Outages in a row, of different jobs, that open it again while it recovers. One alone may be the job's fault.
pub const ROW_MAX_RECOVERING: u32 = 2;
/// The window in which the share of outages is measured, and the calls without which it says nothing.
pub const WINDOW: TimeDelta = TimeDelta::seconds(60);
/// See [`WINDOW`].
pub const WINDOW_CALLS_MIN: u32 = 20;
/// How long it stays open the first time; it doubles each time.
pub const OPEN_MIN: TimeDelta = TimeDelta::seconds(30);
/// The longest that it stays open without a probe.
pub const OPEN_MAX: TimeDelta = TimeDelta::seconds(300);
/// How long it recovers after the last outage.
pub const RECOVERY: TimeDelta = TimeDelta::seconds(60);
/// Calls a second at the start of a recovery.
pub const RECOVERY_RATE: f64 = 5.0;
/// After so long the rate doubles.
pub const RECOVERY_STEP: TimeDelta = TimeDelta::seconds(10);
/// How often the rate doubles at most: no number overflows, however long a recovery takes.
pub const RECOVERY_DOUBLINGS_MAX: u8 = 16;
/// Most tries that are remembered.
pub const SUSPECTS_MAX: usize = 100;

/// How a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// All goes.
    Closed,
    /// Nothing goes but a probe.
    Open,
    /// What goes is limited.
    Recovering,
}

/// An operator's word, which stands above what is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forced {
    /// Nothing goes, no probe either.
    Open,
    /// It never stops anything.
    Closed,
}

macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        impl $name {
            /// Its word in SQL and in the api.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// Reads its word.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

words!(State { Closed = "closed", Open = "open", Recovering = "recovering" });
words!(Forced { Open = "open", Closed = "closed" });

/// A breaker: how it stands, and what was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Breaker {
    /// How it stands.
    pub state: State,
    /// An operator's word.
    pub forced: Option<Forced>,
    /// Why it stands so.
    pub reason: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Open: when a probe may go; `None`: none may. Recovering: when it is closed if nothing fails.
    pub until: Option<DateTime<Utc>>,
    /// How often it opened without healing.
    pub openings: u32,
    /// Outages in a row.
    pub failures_in_row: u32,
    /// The window in which the share of outages is measured.
    pub window: Window,
    /// Jobs that lost a try to the outages counted here, newest last; a job that lost two stands there twice.
    pub suspects: Vec<JobId>,
    /// The job that may go while it is open.
    pub probe: Option<JobId>,
    /// Recovering: what is left of the rate.
    pub bucket: Bucket,
}

/// Calls and outages since a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Since when.
    pub from: DateTime<Utc>,
    /// Calls, the outages among them.
    pub calls: u32,
    /// Outages.
    pub failures: u32,
}

/// What came of calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The far side answered; also when it refused, for it lives.
    Answer {
        /// So many calls, this one included, that are not told yet.
        calls: u32,
        /// When this one began.
        began: DateTime<Utc>,
    },
    /// It did not answer, or is at fault.
    Outage {
        /// The job that called.
        job: JobId,
        /// When the call began.
        began: DateTime<Utc>,
        /// The class of the failure, for people.
        class: &'static str,
    },
}

/// What follows from an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The breaker from now on.
    pub breaker: Breaker,
    /// Whether a failed try counts as the job's own.
    pub is_counted: bool,
    /// Jobs that get a try back, each as often as it stands here.
    pub forgiven: Vec<JobId>,
}

impl Breaker {
    /// A breaker that has measured nothing.
    #[must_use]
    pub fn closed(since: DateTime<Utc>) -> Self {
        Self {
            state: State::Closed,
            forced: None,
            reason: String::new(),
            since,
            until: None,
            openings: 0,
            failures_in_row: 0,
            window: Window { from: since, calls: 0, failures: 0 },
            suspects: Vec::new(),
            probe: None,
            bucket: Bucket::empty(since),
        }
    }

    /// How it stands at `now`: a recovery that came through is over.
    #[must_use]
    pub fn at(self, now: DateTime<Utc>) -> Self {
        match self.until {
            Some(until) if self.state == State::Recovering && until <= now => Self { window: self.window, ..Self::closed(until) },
            _ => self,
        }
    }

    /// Judges what came of calls.
    #[must_use]
    pub fn judge(self, event: &Event, now: DateTime<Utc>) -> Judgement {
        let breaker = self.at(now);
        if let Some(forced) = breaker.forced {
            return Judgement { breaker, is_counted: forced == Forced::Closed, forgiven: Vec::new() };
        }
        match *event {
            Event::Answer { calls, began } => {
                Judgement { breaker: breaker.answered(calls, began, now), is_counted: true, forgiven: Vec::new() }
            }
            Event::Outage { job, began, class } => breaker.failed(job, began, class, now),
        }
    }

    fn answered(mut self, calls: u32, began: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        if self.state == State::Open {
            // A call that began before it opened says nothing of now.
            return if began < self.since { self } else { self.recovering(now) };
        }
        self.failures_in_row = 0;
        self.roll(now);
        self.window.calls = self.window.calls.saturating_add(calls);
        self
    }

    fn failed(mut self, job: JobId, began: DateTime<Utc>, class: &str, now: DateTime<Utc>) -> Judgement {
        let uncounted = |breaker| Judgement { breaker, is_counted: false, forgiven: Vec::new() };
        match self.state {
            State::Open | State::Recovering if began < self.since => return uncounted(self),
            // It was claimed while others opened the breaker, and is no probe.
            State::Open if self.probe != Some(job) => return uncounted(self),
            State::Open => {
                self.failures_in_row = self.failures_in_row.saturating_add(1);
                let since = self.since;
                return uncounted(Self { since, ..self.opened(format!("the probe failed: {class}"), now) });
            }
            State::Closed | State::Recovering => {}
        }
        self.roll(now);
        self.window.calls = self.window.calls.saturating_add(1);
        self.window.failures = self.window.failures.saturating_add(1);
        let is_recovering = self.state == State::Recovering;
        let row_max = if is_recovering { ROW_MAX_RECOVERING } else { ROW_MAX };
        // While it recovers, a job that fails again and again is no second witness.
        if !(is_recovering && self.row().contains(&job)) {
            self.failures_in_row = self.failures_in_row.saturating_add(1);
        }
        let Window { calls, failures, .. } = self.window;
        if self.failures_in_row < row_max && (calls < WINDOW_CALLS_MIN || failures * 2 < calls) {
            self.suspects.push(job);
            let surplus = self.suspects.len().saturating_sub(SUSPECTS_MAX);
            self.suspects.drain(..surplus);
            if is_recovering {
                self.until = Some(now + RECOVERY);
            }
            return Judgement { breaker: self, is_counted: true, forgiven: Vec::new() };
        }
        let reason = if self.failures_in_row >= row_max {
            format!("{} outages in a row, the last: {class}", self.failures_in_row)
        } else {
            format!("{failures} of {calls} calls within a minute failed, the last: {class}")
        };
        let forgiven = std::mem::take(&mut self.suspects);
        Judgement { breaker: self.opened(reason, now), is_counted: false, forgiven }
    }

    /// The jobs of the row of outages.
    fn row(&self) -> &[JobId] {
        let others = self.suspects.len().saturating_sub(self.failures_in_row as usize);
        self.suspects.get(others..).unwrap_or_default()
    }

    /// Begins a new window when the present one is over.
    fn roll(&mut self, now: DateTime<Utc>) {
        if now - self.window.from >= WINDOW {
            self.window = Window { from: now, calls: 0, failures: 0 };
            self.suspects = self.row().to_vec();
        }
    }

    fn opened(self, reason: String, now: DateTime<Utc>) -> Self {
        let doublings = self.openings.min(16);
        let wait = (OPEN_MIN * (1 << doublings)).min(OPEN_MAX);
        Self {
            state: State::Open,
            reason,
            until: Some(now + wait),
            openings: self.openings.saturating_add(1),
            failures_in_row: self.failures_in_row,
            ..Self::closed(now)
        }
    }

    fn recovering(self, now: DateTime<Utc>) -> Self {
        Self {
            state: State::Recovering,
            reason: "the probe was answered; calls come back little by little".to_owned(),
            until: Some(now + RECOVERY),
            openings: self.openings,
            ..Self::closed(now)
        }
    }

    /// Forces it, or lets it measure again. What was forced open tries one call first.
    #[must_use]
    pub fn force(self, forced: Option<Forced>, reason: &str, now: DateTime<Utc>) -> Self {
        let fresh = Self { forced, reason: reason.to_owned(), ..Self::closed(now) };
        match (forced, self.forced) {
            (Some(Forced::Open), _) => Self { state: State::Open, ..fresh },
            (None, Some(Forced::Open)) => Self { state: State::Open, until: Some(now), openings: 1, ..fresh },
            (Some(Forced::Closed), _) | (None, Some(Forced::Closed)) => fresh,
            (None, None) => self,
        }
    }

    /// Calls a second that a recovery allows at `now`; `None`: it is not limited.
    #[must_use]
    pub fn rate(&self, now: DateTime<Utc>) -> Option<f64> {
        (self.state == State::Recovering).then(|| {
            let steps = (now - self.since).max(TimeDelta::zero()).num_seconds() / RECOVERY_STEP.num_seconds();
            RECOVERY_RATE * f64::from(1_u32 << steps.min(RECOVERY_DOUBLINGS_MAX.into()))
        })
    }

    /// How many jobs may go at `now`; `None`: as many as there are.
    #[must_use]
    pub fn allowance(&self, now: DateTime<Utc>) -> Option<i64> {
        match self.state {
            State::Closed => None,
            State::Open => Some(i64::from(self.until.is_some_and(|until| until <= now))),
            State::Recovering => self.rate(now).map(|rate| self.bucket.filled(rate, now).whole()),
        }
    }

    /// Notes that jobs went. A probe has until `probe_window` from now; then another may try.
    #[must_use]
    pub fn handed_out(mut self, jobs: &[JobId], probe_window: TimeDelta, now: DateTime<Utc>) -> Self {
        match (self.state, self.rate(now), jobs.first()) {
            (State::Open, _, Some(job)) => {
                self.probe = Some(*job);
                self.until = Some(now + probe_window);
            }
            (State::Recovering, Some(rate), _) => {
                self.bucket = self.bucket.filled(rate, now).taken(i64::try_from(jobs.len()).unwrap_or(i64::MAX));
            }
            _ => {}
        }
        self
    }
}

#[cfg(test)]
#[path = "breaker_tests.rs"]
pub(super) mod tests;
