//! A job as people see it.

use std::fmt;

use chrono::{DateTime, Utc};

use super::ids::JobId;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobState {
    /// It may be handed out.
    Due,
    /// It was handed out and lies in Redis.
    Dispatched,
    /// A worker is at it.
    Running,
    /// It waits for its time.
    Scheduled,
    /// It was given up; an operator decides.
    Dead,
}

impl JobState {
    /// Every state, in the order in which a job meets them.
    pub const ALL: [Self; 5] = [Self::Due, Self::Dispatched, Self::Running, Self::Scheduled, Self::Dead];

    /// The state's name in the api.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Dispatched => "dispatched",
            Self::Running => "running",
            Self::Scheduled => "scheduled",
            Self::Dead => "dead",
        }
    }

    /// Reads a state's name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known of a job that is still to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenJob {
    /// The job.
    pub id: JobId,
    /// Its queue.
    pub queue: String,
    /// Its kind.
    pub kind: String,
    /// Where it stands.
    pub state: JobState,
    /// When it was born (UTC).
    pub created_at: DateTime<Utc>,
    /// When it may next be handed out (UTC); of a running one, when its lease ends.
    pub due_at: DateTime<Utc>,
    /// When it last became due and was handed out (UTC).
    pub ready_at: Option<DateTime<Utc>>,
    /// When the last try was claimed (UTC).
    pub claimed_at: Option<DateTime<Utc>>,
    /// When the last try failed (UTC).
    pub failed_at: Option<DateTime<Utc>>,
    /// When it was given up (UTC).
    pub dead_at: Option<DateTime<Utc>>,
    /// Failed tries so far.
    pub failures: i32,
    /// Deliveries without an outcome.
    pub deliveries: i32,
    /// The class of the last failure.
    pub error_class: Option<String>,
    /// The far side's code of the last failure; empty: none.
    pub error_code: String,
    /// The last failure, with its causes.
    pub last_error: Option<String>,
    /// The group of failures that it belongs to.
    pub fingerprint: Option<String>,
    /// The trace that it belongs to, as W3C writes it.
    pub trace: Option<String>,
}

impl OpenJob {
    /// The id of its trace.
    #[must_use]
    pub fn trace_id(&self) -> Option<String> {
        trace_id(self.trace.as_deref())
    }
}

/// The trace id in a `traceparent` (W3C Trace Context: `00-{32 hex digits}-{16}-{2}`).
#[must_use]
pub fn trace_id(traceparent: Option<&str>) -> Option<String> {
    let id = traceparent?.split('-').nth(1)?;
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id.to_owned())
}

/// Splits an error as the ledger keeps it at its causes, the outermost first.
#[must_use]
pub fn causes(error: &str) -> Vec<String> {
    error.split(": ").map(str::trim).filter(|cause| !cause.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_from_its_name() {
        for state in JobState::ALL {
            assert_eq!(JobState::parse(state.as_str()), Some(state));
        }
        assert_eq!(JobState::parse("lost"), None);
    }

    #[test]
    fn a_trace_id_is_read_from_a_traceparent_and_from_nothing_else() {
        let id = "0af7651916cd43dd8448eb211c80319c";
        assert_eq!(trace_id(Some(&format!("00-{id}-b7ad6b7169203331-01"))).as_deref(), Some(id));
        for odd in ["", "x", "00-short-b7-01", "00"] {
            assert_eq!(trace_id(Some(odd)), None, "{odd}");
        }
        assert_eq!(trace_id(None), None);
    }

    #[test]
    fn an_error_is_split_at_its_causes() {
        assert_eq!(
            causes("the vendor is away: connection refused: os error 111"),
            ["the vendor is away", "connection refused", "os error 111"]
        );
        assert!(causes("").is_empty());
    }
}
