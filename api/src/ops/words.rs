//! How times, spans and numbers read on a page.

use chrono::{DateTime, TimeDelta, Utc};
use minijinja::{Environment, State, Value};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Teaches the templates these words.
pub(super) fn add_to(environment: &mut Environment<'static>) {
    environment.add_filter("when", when);
    environment.add_filter("ago", ago);
    environment.add_filter("span", |seconds: Value| number(&seconds).map_or_else(|| "–".to_owned(), span));
    environment.add_filter("num", |value: Value| number(&value).map_or_else(|| "–".to_owned(), grouped));
    environment.add_filter("plain", |text: String| text.replace('_', " "));
    environment.add_filter("urlencode", |text: String| utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string());
    environment.add_filter("brief", |text: String, length: usize| brief(&text, length));
}

/// A moment as `2026-11-25 03:14:07`, in UTC.
fn when(value: &Value) -> String {
    moment(value).map_or_else(|| "–".to_owned(), |at| at.format("%Y-%m-%d %H:%M:%S").to_string())
}

/// How far a moment is from the page's own.
fn ago(state: &State<'_, '_>, value: &Value) -> String {
    let now = state.lookup("now").and_then(|now| moment(&now));
    let (Some(at), Some(now)) = (moment(value), now) else { return "–".to_owned() };
    distance(now - at)
}

fn distance(passed: TimeDelta) -> String {
    let seconds = passed.num_seconds();
    match seconds {
        -1..=1 => "now".to_owned(),
        2.. => format!("{} ago", coarse(seconds)),
        _ => format!("in {}", coarse(-seconds)),
    }
}

fn moment(value: &Value) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(value.as_str()?).ok().map(|at| at.to_utc())
}

fn number(value: &Value) -> Option<f64> {
    f64::try_from(value.clone()).ok()
}

/// One unit is enough for how long ago something was.
fn coarse(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A span as people say it: `850 ms`, `4.2 s`, `3 min 20 s`, `2 h 5 min`, `3 days 4 h`.
#[expect(clippy::cast_possible_truncation, reason = "a span of more seconds than an i64 has is none")]
pub(super) fn span(seconds: f64) -> String {
    let whole = seconds.round() as i64;
    match whole {
        _ if seconds < 0.9995 => format!("{:.0} ms", seconds.max(0.0) * 1000.0),
        _ if seconds < 10.0 => format!("{seconds:.1} s"),
        ..60 => format!("{whole} s"),
        60..3600 => two(whole, (60, "min"), (1, "s")),
        3600..172_800 => two(whole, (3600, "h"), (60, "min")),
        _ => two(whole, (86_400, "days"), (3600, "h")),
    }
}

fn two(seconds: i64, (large, large_name): (i64, &str), (small, small_name): (i64, &str)) -> String {
    let rest = seconds % large / small;
    let first = format!("{} {large_name}", seconds / large);
    if rest == 0 { first } else { format!("{first} {rest} {small_name}") }
}

/// `40,000`; with one digit after the point when there is more than whole ones.
#[expect(clippy::cast_possible_truncation, reason = "counts are far below the largest i64")]
fn grouped(value: f64) -> String {
    let digits = (value.abs().trunc() as i64).to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    let sign = if value < 0.0 { "−" } else { "" };
    let tenths = (value.abs().fract() * 10.0).round() as i64;
    if (1..10).contains(&tenths) { format!("{sign}{text}.{tenths}") } else { format!("{sign}{text}") }
}

fn brief(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    let start: String = text.chars().take(length).collect();
    format!("{}…", start.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_reads_as_people_say_it() {
        for (seconds, text) in [
            (0.0123, "12 ms"),
            (4.25, "4.2 s"),
            (59.6, "1 min"),
            (200.0, "3 min 20 s"),
            (7500.0, "2 h 5 min"),
            (273_600.0, "3 days 4 h"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn a_number_has_its_thousands_apart() {
        for (value, text) in [(0.0, "0"), (999.0, "999"), (40_000.0, "40,000"), (1_234_567.0, "1,234,567"), (2.5, "2.5")] {
            assert_eq!(grouped(value), text);
        }
    }

    #[test]
    fn a_moment_is_past_or_to_come() {
        assert_eq!(distance(TimeDelta::seconds(90)), "1 min ago");
        assert_eq!(distance(TimeDelta::seconds(-7200)), "in 2 h");
        assert_eq!(distance(TimeDelta::zero()), "now");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(brief("üüüü", 2), "üü…");
        assert_eq!(brief("üü", 2), "üü");
    }
}
