//! Times as people say them: "3 min", "2 h 05 min", "in 40 s".

use chrono::{DateTime, Utc};

use super::Look;

const MINUTE: f64 = 60.0;
const HOUR: f64 = 3600.0;
const DAY: f64 = 86400.0;

/// A span of time, in seconds.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "a span in whole units fits")]
pub fn span(seconds: f64) -> String {
    let seconds = seconds.abs();
    let whole = |value: f64| value.floor() as i64;
    if seconds == 0.0 {
        "0 s".to_owned()
    } else if seconds < 0.9995 {
        format!("{:.0} ms", seconds * 1000.0)
    } else if seconds < 9.95 {
        format!("{seconds:.1} s")
    } else if seconds < MINUTE {
        format!("{} s", whole(seconds))
    } else if seconds < HOUR {
        format!("{} min", whole(seconds / MINUTE))
    } else if seconds < DAY {
        let minutes = whole((seconds % HOUR) / MINUTE);
        let hours = whole(seconds / HOUR);
        if hours < 10 && minutes > 0 { format!("{hours} h {minutes:02} min") } else { format!("{hours} h") }
    } else {
        let days = whole(seconds / DAY);
        format!("{days} day{}", if days == 1 { "" } else { "s" })
    }
}

/// How old it is: "3 min"; younger than a second: "now"; still to come: "in 3 min".
#[must_use]
pub fn age(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = seconds_between(at, now);
    if seconds.abs() < 1.0 {
        "now".to_owned()
    } else if seconds < 0.0 {
        format!("in {}", span(seconds))
    } else {
        span(seconds)
    }
}

/// A moment and how far away it is: "2026-11-25 03:12:04 UTC, 18 min ago".
#[must_use]
pub fn moment(at: DateTime<Utc>, look: &Look) -> String {
    let away = age(at, look.now);
    let away = if away == "now" || away.starts_with("in ") { away } else { format!("{away} ago") };
    format!("{} UTC, {away}", at.format("%Y-%m-%d %H:%M:%S"))
}

/// A moment for programs.
#[must_use]
pub fn exact(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// Seconds from one moment to another.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "milliseconds of any span that is shown are exact in a float")]
pub fn seconds_between(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).num_milliseconds() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::show::tests::look;

    #[test]
    fn a_span_has_the_unit_in_which_people_think() {
        let spans = [0.0, 0.42, 0.9999, 1.26, 9.99, 42.7, 60.0, 3599.0, 3600.0, 7500.0, 36_000.0, 86_400.0, 200_000.0];
        let shown: Vec<_> = spans.map(span).into();
        let expected =
            ["0 s", "420 ms", "1.0 s", "1.3 s", "9 s", "42 s", "1 min", "59 min", "1 h", "2 h 05 min", "10 h", "1 day", "2 days"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn an_age_says_past_present_and_future() {
        let look = look(None);
        let shown = [180, 0, -40].map(|seconds| age(look.now - TimeDelta::seconds(seconds), look.now));
        assert_eq!(shown, ["3 min", "now", "in 40 s"]);
        assert_eq!(moment(look.now - TimeDelta::hours(2), &look), "2026-11-25 01:30:00 UTC, 2 h ago");
        assert_eq!(moment(look.now + TimeDelta::hours(2), &look), "2026-11-25 05:30:00 UTC, in 2 h");
    }
}
