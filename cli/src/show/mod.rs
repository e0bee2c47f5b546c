//! What people see: documents of the api as text. Pure: width, colour and the time are given.

pub mod ages;
pub mod attempt;
pub mod brakes;
pub mod bulk;
pub mod job;
pub mod table;
pub mod timeline;

use std::fmt::Write;

use chrono::{DateTime, Utc};
use owo_colors::{AnsiColors, OwoColorize};
use serde_json::Value;

/// How a text is to look.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Columns of the terminal; none: a pipe, which gets plain, tab-separated text.
    pub width: Option<usize>,
    /// Whether there is colour.
    pub has_colour: bool,
    /// Now (UTC), from which ages are counted.
    pub now: DateTime<Utc>,
}

impl Look {
    /// A text in a colour, if there is colour.
    #[must_use]
    pub fn paint(&self, text: &str, color: Option<AnsiColors>) -> String {
        match color {
            Some(color) if self.has_colour && !text.is_empty() => text.color(color).to_string(),
            _ => text.to_owned(),
        }
    }

    /// A text that matters less.
    #[must_use]
    pub fn dim(&self, text: &str) -> String {
        if self.has_colour && !text.is_empty() { text.dimmed().to_string() } else { text.to_owned() }
    }

    /// A text that stands out.
    #[must_use]
    pub fn bold(&self, text: &str) -> String {
        if self.has_colour { text.bold().to_string() } else { text.to_owned() }
    }

    /// A heading with an empty line before it.
    #[must_use]
    pub fn heading(&self, text: &str) -> String {
        format!("\n{}\n", self.bold(text))
    }

    /// A line of a card: a name and what it is; nothing when it is empty.
    #[must_use]
    pub fn fact(&self, name: &str, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        let mut lines = wrap(text, self.width.map(|width| width.saturating_sub(FACT_INDENT))).into_iter();
        let mut fact = format!("  {} {}\n", self.dim(&format!("{name:<11}")), lines.next().unwrap_or_default());
        for line in lines {
            let _ = writeln!(fact, "{:FACT_INDENT$}{line}", "");
        }
        fact
    }
}

/// Where the text of a fact begins.
const FACT_INDENT: usize = 14;
/// A text is not broken into lines shorter than this.
const WRAP_MIN: usize = 20;

/// The colour of a state, an outcome or a status.
#[must_use]
pub fn color_of(word: &str) -> Option<AnsiColors> {
    match word {
        "approved" | "done" | "running" | "closed" => Some(AnsiColors::Green),
        "dead" | "denied" | "open" | "broken" | "failed" => Some(AnsiColors::Red),
        "must_retry" | "retried" | "scheduled" | "paused" | "held" | "recovering" | "limited" | "cancelled" => {
            Some(AnsiColors::Yellow)
        }
        "submitted" | "dispatched" | "due" | "callback" => Some(AnsiColors::Cyan),
        _ => None,
    }
}

/// A text without what would move the cursor, break a line or a column: texts of far sides are shown too.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

/// The text at a place of a document; numbers and others as JSON, absent and null as nothing.
#[must_use]
pub fn text_at(document: &Value, pointer: &str) -> String {
    match document.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => clean(text),
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).map(clean).collect::<Vec<_>>().join(",")
        }
        Some(other) => clean(&other.to_string()),
    }
}

/// The time at a place of a document.
#[must_use]
pub fn time_at(document: &Value, pointer: &str) -> Option<DateTime<Utc>> {
    let text = document.pointer(pointer)?.as_str()?;
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc))
}

/// The items of a list; none when there is no list.
#[must_use]
pub fn items_at<'a>(document: &'a Value, name: &str) -> impl DoubleEndedIterator<Item = &'a Value> {
    document[name].as_array().into_iter().flatten()
}

/// A number with its thousands apart.
#[must_use]
pub fn number(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut out = String::from(if value < 0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A text in lines of at most `width` characters, broken between words; one line when there is no width.
#[must_use]
pub fn wrap(text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else { return vec![text.to_owned()] };
    let width = width.max(WRAP_MIN);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
pub(crate) mod tests {
    use chrono::TimeZone;
    use serde_json::json;

    use super::*;

    pub(crate) fn look(width: Option<usize>) -> Look {
        let now = Utc.with_ymd_and_hms(2026, 11, 25, 3, 30, 0).single().unwrap_or_default();
        Look { width, has_colour: false, now }
    }

    #[test]
    fn a_text_of_a_far_side_moves_no_cursor_and_breaks_no_line() {
        assert_eq!(clean(" a\tb\nc\u{1b}[2Jd\u{9b}e "), "a b c [2Jd e");
    }

    #[test]
    fn what_is_absent_is_nothing_and_what_is_unknown_is_shown_as_it_is() {
        let document = json!({ "a": null, "b": 5, "c": ["x", "y"], "d": { "e": "f" } });
        let texts: Vec<_> = ["/a", "/b", "/c", "/d/e", "/z"].iter().map(|at| text_at(&document, at)).collect();
        assert_eq!(texts, ["", "5", "x,y", "f", ""]);
    }

    #[test]
    fn numbers_have_their_thousands_apart() {
        let shown: Vec<_> = [0, 999, 1000, 1_234_567, -1000].map(number).into();
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567", "-1,000"]);
    }

    #[test]
    fn lines_break_between_words_and_a_long_word_stays_whole() {
        assert_eq!(wrap("the vendor has not called back", Some(20)), ["the vendor has not", "called back"]);
        assert_eq!(wrap(&"x".repeat(30), Some(20)), ["x".repeat(30)]);
        assert_eq!(wrap("a b", None), ["a b"]);
    }
}
