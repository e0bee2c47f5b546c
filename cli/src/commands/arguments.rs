//! Words of the command line that several commands take.

use chrono::{DateTime, NaiveDate, Utc};
use clap::builder::PossibleValuesParser;
use vouch_common::{
    clock::{Clock, SystemClock},
    domain::{attempt::Status, effect::Effect, effect::Queue, operator::Order},
};

use crate::{
    api::{PAGE_MAX, Query},
    show::ages,
};

/// The states of a job.
const JOB_STATES: [&str; 5] = ["due", "dispatched", "running", "scheduled", "dead"];

/// A queue's name.
pub(super) fn queues() -> PossibleValuesParser {
    Queue::ALL.map(Queue::as_str).into()
}

/// A job's kind.
pub(super) fn kinds() -> PossibleValuesParser {
    Effect::KINDS.into()
}

/// An attempt's status.
pub(super) fn statuses() -> PossibleValuesParser {
    Status::ALL.map(Status::as_str).into()
}

/// A job's state.
pub(super) fn job_states() -> PossibleValuesParser {
    JOB_STATES.into()
}

/// A reason: a line of text.
pub(super) fn reason(text: &str) -> Result<String, String> {
    Order::new("", text).map(|order| order.reason).map_err(|_| "say why, in one line of 1 to 500 characters".to_owned())
}

/// A name that can stand in a path.
pub(super) fn name(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().any(char::is_control) || text.chars().all(|c| c == '.') {
        return Err("it must have a name".to_owned());
    }
    Ok(text.to_owned())
}

/// A moment: RFC 3339, a day (its start, UTC), or a span before now such as 2h.
pub(super) fn moment(text: &str) -> Result<String, String> {
    moment_at(text, SystemClock.now())
}

fn moment_at(text: &str, now: DateTime<Utc>) -> Result<String, String> {
    let day = |text: &str| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0).map(|day| day.and_utc());
    let time = |text: &str| DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc));
    let ago = |text: &str| now.checked_sub_signed(chrono::TimeDelta::from_std(humantime::parse_duration(text).ok()?).ok()?);
    time(text)
        .or_else(|| day(text))
        .or_else(|| ago(text))
        .map(ages::exact)
        .ok_or_else(|| "it must be a time (2026-11-25T03:00:00Z), a day (2026-11-25), or how long ago (2h)".to_owned())
}

/// A span such as 1h.
pub(super) fn span(text: &str) -> Result<String, String> {
    humantime::parse_duration(text).map(|_| text.replace(' ', "")).map_err(|error| format!("{error}; write it as 1h or 30m"))
}

/// Which part of a list.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Page {
    /// All of it, page by page, instead of one page
    #[arg(long, conflicts_with = "cursor")]
    pub(super) all: bool,
    /// Items of a page, 1 to 200
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(PAGE_MAX)))]
    pub(super) limit: Option<u16>,
    /// Go on where the page before ended, as it said
    #[arg(long, value_name = "CURSOR")]
    pub(super) cursor: Option<String>,
}

impl Page {
    /// The query of the first page.
    pub(super) fn first(&self, query: Query) -> Query {
        let limit = self.limit.or(self.all.then_some(PAGE_MAX));
        query.with("limit", limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_a_day_or_how_long_ago() {
        let now = DateTime::parse_from_rfc3339("2026-11-25T03:30:00Z").unwrap().with_timezone(&Utc);
        let parse = |text| moment_at(text, now);
        assert_eq!(parse("2026-11-25T04:00:00+01:00").unwrap(), "2026-11-25T03:00:00.000Z");
        assert_eq!(parse("2026-11-24").unwrap(), "2026-11-24T00:00:00.000Z");
        assert_eq!(parse("2h").unwrap(), "2026-11-25T01:30:00.000Z");
        for bad in ["", "yesterday", "25.11.2026", "9999999999 years"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_is_never_another_path() {
        for bad in ["", " ", ".", "..", "a\nb"] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
        assert_eq!(name(" a/b "), Ok("a/b".to_owned()));
    }

    #[test]
    fn a_reason_says_something() {
        assert!(reason(" ").is_err() && reason("a\nb").is_err() && reason(&"x".repeat(501)).is_err());
        assert_eq!(reason(" vendor is back "), Ok("vendor is back".to_owned()));
    }
}
