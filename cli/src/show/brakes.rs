//! Queues and breakers.

use serde_json::Value;

use super::{
    Look, ages, items_at, number,
    table::{self, Column, Shape},
    text_at,
};

/// Queues, with what is in them and what holds them.
pub const QUEUES: [Column; 9] = [
    Column("QUEUE", "/name", Shape::Name),
    Column("STATE", "/state", Shape::State),
    Column("WAITING", "/waiting", Shape::Number),
    Column("DUE", "/due", Shape::Number),
    Column("RUNNING", "/running", Shape::Number),
    Column("LATER", "/scheduled", Shape::Number),
    Column("DEAD", "/dead", Shape::Number),
    Column("OLDEST", "/oldest_due_seconds", Shape::Span),
    Column("NOTE", "", Shape::Made(note)),
];

/// The breakers of the far sides.
pub const BREAKERS: [Column; 8] = [
    Column("VENDOR", "/vendor", Shape::Name),
    Column("QUEUE", "/queue", Shape::Name),
    Column("BREAKER", "/state", Shape::State),
    Column("FORCED", "/forced", Shape::Name),
    Column("FAILURES", "/failures_in_row", Shape::Number),
    Column("SINCE", "/since", Shape::Age),
    Column("UNTIL", "/until", Shape::Age),
    Column("REASON", "/reason", Shape::Text),
];

/// What holds a queue, in words.
fn note(queue: &Value) -> String {
    let text = |at: &str| text_at(queue, at);
    let mut notes = Vec::new();
    if queue["is_waiting_about"].as_bool() == Some(true) {
        notes.push("counts are about".to_owned());
    }
    if let Some(limit) = queue["limit"].as_f64() {
        notes.push(format!("at most {limit} a second"));
    }
    if !text("/paused_by").is_empty() && text("/state") == "paused" {
        notes.push(format!("paused by {}", text("/paused_by")));
    }
    if !text("/held_until").is_empty() {
        notes.push(format!("held until {}", text("/held_until")));
    }
    notes.push(text("/reason"));
    notes.retain(|note| !note.is_empty());
    notes.join(", ")
}

/// The queues; on a terminal the breakers too, and one line that sums all up.
#[must_use]
pub fn overview(document: &Value, look: &Look) -> String {
    let queues = table::render(&QUEUES, items_at(document, "items"), look);
    if look.width.is_none() {
        return queues;
    }
    let breakers = breakers(document, look);
    let sum = |name: &str| items_at(document, "items").filter_map(|queue| queue[name].as_i64()).sum::<i64>();
    let oldest = items_at(document, "items").filter_map(|queue| queue["oldest_due_seconds"].as_f64()).fold(0.0, f64::max);
    let sums =
        format!("{} wait, {} dead, the oldest due for {}\n\n", number(sum("waiting")), number(sum("dead")), ages::span(oldest));
    let gap = if breakers.is_empty() { "" } else { "\n" };
    format!("{}{queues}{gap}{breakers}", look.bold(&sums))
}

/// The breakers.
#[must_use]
pub fn breakers(document: &Value, look: &Look) -> String {
    table::render(&BREAKERS, items_at(document, "breakers"), look)
}

/// One queue.
#[must_use]
pub fn queue(document: &Value, look: &Look) -> String {
    table::render(&QUEUES, [document], look)
}

/// One breaker.
#[must_use]
pub fn breaker(document: &Value, look: &Look) -> String {
    table::render(&BREAKERS, [document], look)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::show::tests::look;

    fn document() -> Value {
        json!({
            "items": [
                { "name": "vendor", "state": "broken", "waiting": 40213, "is_waiting_about": true, "due": 10000, "dispatched": 0, "running": 0,
                  "scheduled": 30000, "dead": 12, "oldest_due_seconds": 3725.0, "limit": 20.0, "reason": "vendor is away" },
                { "name": "mail", "state": "running", "waiting": 0, "due": 0, "running": 0, "scheduled": 0, "dead": 0, "oldest_due_seconds": 0 },
            ],
            "breakers": [{ "vendor": "software-secure", "queue": "vendor", "state": "open", "forced": null, "failures_in_row": 7,
                           "since": "2026-11-25T03:00:00Z", "until": "2026-11-25T03:31:00Z", "reason": "" }],
        })
    }

    #[test]
    fn on_a_terminal_the_first_line_sums_up() {
        let expected = "\
40,213 wait, 12 dead, the oldest due for 1 h 02 min

QUEUE   STATE    WAITING     DUE  RUNNING   LATER  DEAD      OLDEST  NOTE
vendor  broken    40,213  10,000        0  30,000    12  1 h 02 min  counts are about, at most 20
                                                                     a second, vendor is away
mail    running        0       0        0       0     0         0 s

VENDOR           QUEUE   BREAKER  FORCED  FAILURES   SINCE     UNTIL  REASON
software-secure  vendor  open                    7  30 min  in 1 min
";
        assert_eq!(overview(&document(), &look(Some(100))), expected);
    }

    #[test]
    fn in_a_pipe_there_are_only_lines_of_queues() {
        let text = overview(&document(), &look(None));
        assert_eq!(text.lines().count(), 2);
        assert_eq!(breakers(&document(), &look(None)).lines().count(), 1);
        assert!(text.starts_with("vendor\tbroken\t40213\t10000\t0\t30000\t12\t3725.0\t"), "{text}");
    }
}
