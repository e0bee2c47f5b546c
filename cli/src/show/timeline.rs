//! An attempt's timeline: what happened when, how long it waited and ran, and what came back.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Look, ages, clean, color_of, items_at, text_at, time_at, wrap};

/// Where the text below a line begins.
const TEXT_INDENT: usize = 36;
/// A wait or a gap shorter than this is not worth a word, in seconds.
const SPAN_SHOWN_MIN: f64 = 0.01;

/// The timeline of an attempt. An api that tells none is given one from its history.
#[must_use]
pub fn render(attempt: &Value, look: &Look) -> String {
    let told: Vec<Value> = match attempt["timeline"].as_array() {
        Some(told) => told.clone(),
        None => items_at(attempt, "events").map(from_event).collect(),
    };
    let mut page = String::new();
    let mut before: Option<DateTime<Utc>> = None;
    for entry in &told {
        let at = time_at(entry, "/at");
        if let Some(at) = at.filter(|at| before.is_none_or(|before| before.date_naive() != at.date_naive())) {
            page.push_str(&look.heading(&at.format("  %Y-%m-%d (UTC)").to_string()));
        }
        page.push_str(&line(entry, at, before, look));
        before = at.or(before);
    }
    page
}

/// One line of an attempt's history, as the demonstration tells it.
#[must_use]
pub fn event_line(event: &Value) -> String {
    let moved = moved(event);
    let detail = text_at(event, "/detail");
    let detail = if detail.is_empty() { String::new() } else { format!("  ({detail})") };
    let time = time_at(event, "/at").map(|at| at.format("%H:%M:%S%.3f").to_string()).unwrap_or_default();
    format!("{time}  {:<8} {}{moved}{detail}", text_at(event, "/actor"), text_at(event, "/kind"))
}

fn from_event(event: &Value) -> Value {
    json!({ "at": event["at"], "kind": "event", "title": event["kind"], "text": event["detail"], "actor": event["actor"],
            "from": event["from"], "to": event["to"] })
}

fn line(entry: &Value, at: Option<DateTime<Utc>>, before: Option<DateTime<Utc>>, look: &Look) -> String {
    let (mark, word) = mark(entry);
    let time = at.map(|at| at.format("%H:%M:%S%.3f").to_string()).unwrap_or_default();
    let gap = at.zip(before).map(|(at, before)| ages::seconds_between(before, at)).filter(|gap| *gap >= SPAN_SHOWN_MIN);
    let gap = gap.map(|gap| format!("+{}", ages::span(gap))).unwrap_or_default();
    let title = [text_at(entry, "/title"), text_at(entry, "/queue"), text_at(entry, "/kind")];
    let title = title.into_iter().find(|title| !title.is_empty()).unwrap_or_default();
    let actor = text_at(entry, "/actor");
    let spans = spans(entry);
    let mut line = format!(
        "  {} {} {} {}{}",
        look.dim(&format!("{time:<12}")),
        look.dim(&format!("{gap:>12}")),
        look.paint(&format!("{mark} {word:<6}"), color_of(word).or_else(|| color_of(&text_at(entry, "/to")))),
        title,
        moved(entry),
    );
    for more in [actor, spans] {
        if !more.is_empty() {
            line.push_str(&look.dim(&format!("  · {more}")));
        }
    }
    line.push('\n');
    for text in texts(entry) {
        for part in wrap(&text, look.width.map(|width| width.saturating_sub(TEXT_INDENT + 1))) {
            let _ = writeln!(line, "{:TEXT_INDENT$} {part}", "");
        }
    }
    line
}

/// A mark for the eye, and the word that says the same.
fn mark(entry: &Value) -> (char, &'static str) {
    match (entry["kind"].as_str(), entry["outcome"].as_str()) {
        (Some("job"), _) => ('…', "next"),
        (_, Some("done")) => ('✓', "done"),
        (_, Some("dead")) => ('✗', "dead"),
        (_, Some("retried")) => ('↻', "failed"),
        (Some("callback"), _) => ('←', "heard"),
        (Some("run"), _) => ('▸', "run"),
        _ => ('•', "event"),
    }
}

fn moved(entry: &Value) -> String {
    let (from, to) = (text_at(entry, "/from"), text_at(entry, "/to"));
    match (from.is_empty(), to.is_empty()) {
        (_, true) => String::new(),
        (true, false) => format!(" → {to}"),
        (false, false) => format!(" {from} → {to}"),
    }
}

fn spans(entry: &Value) -> String {
    let span = |name: &str, word: &str| {
        entry[name].as_f64().filter(|seconds| *seconds >= SPAN_SHOWN_MIN).map(|seconds| format!("{word} {}", ages::span(seconds)))
    };
    [span("wait_seconds", "waited"), span("run_seconds", "ran")].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What came back: the class with its code, and the text. What a job last met stands at its try already.
fn texts(entry: &Value) -> Vec<String> {
    if entry["kind"] == "job" && entry["outcome"] == "dead" {
        return Vec::new();
    }
    let class = [text_at(entry, "/error_class"), text_at(entry, "/error_code")];
    let class: Vec<_> = class.into_iter().filter(|part| !part.is_empty()).collect();
    let text = clean(entry["text"].as_str().unwrap_or_default());
    [class.join(" "), text].into_iter().filter(|text| !text.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::look;

    fn attempt() -> Value {
        json!({ "timeline": [
            { "at": "2026-11-24T23:59:58.5Z", "kind": "event", "title": "Received", "actor": "learner", "from": null, "to": "created", "text": "" },
            { "at": "2026-11-24T23:59:59.75Z", "kind": "run", "title": "Photos prepared", "queue": "photos", "job_id": 1,
              "wait_seconds": 0.05, "run_seconds": 1.2, "outcome": "done" },
            { "at": "2026-11-25T00:00:03Z", "kind": "run", "title": "Sending to the vendor", "queue": "vendor", "outcome": "retried",
              "error_class": "vendor_busy", "error_code": "503", "text": "the vendor answered 503 Service Unavailable", "wait_seconds": 0.001 },
            { "at": "2026-11-25T00:10:03Z", "kind": "run", "title": "Sending to the vendor", "queue": "vendor", "outcome": "dead",
              "error_class": "vendor_refused", "error_code": "400", "text": "the vendor refused with 400 Bad Request\nname" },
            { "at": "2026-11-25T03:35:00Z", "kind": "job", "title": "Mail", "unknown": [1], "outcome": "dead", "text": "again" },
            { "kind": "what" }
        ] })
    }

    #[test]
    fn it_reads_from_top_to_bottom_with_days_gaps_marks_and_what_came_back() {
        let expected = "
  2026-11-24 (UTC)
  23:59:58.500              • event  Received → created  · learner
  23:59:59.750       +1.2 s ✓ done   Photos prepared  · waited 50 ms, ran 1.2 s

  2026-11-25 (UTC)
  00:00:03.000       +3.2 s ↻ failed Sending to the vendor
                                     vendor_busy 503
                                     the vendor answered 503 Service Unavailable
  00:10:03.000      +10 min ✗ dead   Sending to the vendor
                                     vendor_refused 400
                                     the vendor refused with 400 Bad Request name
  03:35:00.000  +3 h 24 min … next   Mail
                            • event  what
";
        assert_eq!(render(&attempt(), &look(None)), expected);
    }

    #[test]
    fn a_long_text_stays_below_its_line_in_a_narrow_terminal() {
        let text = render(&attempt(), &look(Some(60)));
        assert!(text.contains("\n                                     the vendor answered 503\n"), "{text}");
        assert!(text.contains("\n                                     Service Unavailable\n"), "{text}");
    }

    #[test]
    fn without_a_timeline_the_history_is_shown() {
        let attempt = json!({ "events": [
            { "at": "2026-11-25T00:00:00Z", "actor": "vendor", "kind": "approved", "from": "submitted", "to": "approved", "detail": "PASS" }
        ] });
        let text = render(&attempt, &look(None));
        assert!(text.contains("• event  approved submitted → approved  · vendor\n"), "{text}");
        assert!(text.contains("PASS"), "{text}");
    }

    #[test]
    fn colour_is_there_only_when_it_is_wanted() {
        assert!(!render(&attempt(), &look(Some(100))).contains('\u{1b}'));
        let coloured = render(&attempt(), &Look { has_colour: true, ..look(Some(100)) });
        assert!(coloured.contains("\u{1b}[31m✗ dead"), "{coloured:?}");
    }

    #[test]
    fn the_demonstration_tells_an_event_on_one_line() {
        let event =
            json!({ "at": "2026-11-25T00:00:00.5Z", "actor": "worker", "kind": "prepared", "to": "ready", "detail": "x" });
        assert_eq!(event_line(&event), "00:00:00.500  worker   prepared → ready  (x)");
    }
}
