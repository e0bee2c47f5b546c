//! Attempts: a list, and one with all that is known of it.

use serde_json::Value;

use super::{
    Look, ages, color_of, items_at,
    job::{self, causes},
    table::{Column, Shape},
    text_at, time_at, timeline,
};

/// The list of attempts.
pub const LIST: [Column; 7] = [
    Column("RECEIPT", "/receipt_id", Shape::Name),
    Column("USER", "/user_id", Shape::Name),
    Column("STATUS", "/status", Shape::State),
    Column("AGE", "/created_at", Shape::Age),
    Column("CHANGED", "/updated_at", Shape::Age),
    Column("CODE", "/error_code", Shape::Name),
    Column("WAITS FOR", "", Shape::Made(waits_for)),
];

fn waits_for(attempt: &Value) -> String {
    text_at(attempt, "/waits_for/text")
}

/// An attempt: how it stands, what it waits for, its timeline, and why its dead jobs died.
#[must_use]
pub fn show(attempt: &Value, dead: &[Value], look: &Look) -> String {
    let status = text_at(attempt, "/status");
    let mut page = format!(
        "{} {}   {}\n",
        look.bold("Attempt"),
        look.bold(&text_at(attempt, "/receipt_id")),
        look.paint(&status, color_of(&status))
    );
    let moment = |at: &str| time_at(attempt, at).map(|at| ages::moment(at, look)).unwrap_or_default();
    let reviewer = [text_at(attempt, "/reviewing_service"), text_at(attempt, "/reviewing_user")];
    let reviewer = reviewer.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    page.push_str(&look.fact("learner", &text_at(attempt, "/user_id")));
    page.push_str(&look.fact("received", &moment("/created_at")));
    page.push_str(&look.fact("sent", &moment("/submitted_at")));
    page.push_str(&look.fact("reviewed by", &reviewer));
    page.push_str(&look.fact("code", &text_at(attempt, "/error_code")));
    for reason in items_at(attempt, "reasons") {
        page.push_str(&look.fact("reason", reason.as_str().unwrap_or_default()));
    }
    for place in items_at(attempt, "checkpoints") {
        page.push_str(&look.fact("checkpoint", &format!("{} in {}", text_at(place, "/usage"), text_at(place, "/course"))));
    }
    page.push_str(&look.fact("trace", &text_at(attempt, "/trace_id")));
    page.push_str(&look.fact("waits for", &waiting(attempt, look)));
    page.push_str(&timeline::render(attempt, look));
    page.push_str(&jobs(attempt, look));
    for job in dead {
        page.push_str(&look.heading(&format!("Why job {} is dead", text_at(job, "/id"))));
        page.push_str(&causes(job, look));
    }
    page
}

fn waiting(attempt: &Value, look: &Look) -> String {
    let waits = &attempt["waits_for"];
    if !waits.is_object() {
        return String::new();
    }
    let since = time_at(waits, "/since").map(|since| format!(" Since {}.", ages::moment(since, look))).unwrap_or_default();
    let until = time_at(waits, "/until").map(|until| format!(" Until {}.", ages::moment(until, look))).unwrap_or_default();
    format!("{}{since}{until}", text_at(waits, "/text"))
}

fn jobs(attempt: &Value, look: &Look) -> String {
    let open: Vec<&Value> = items_at(attempt, "jobs").collect();
    if open.is_empty() {
        return "\n  No job is left to do.\n".to_owned();
    }
    format!("{}{}", look.heading("Jobs left to do"), super::table::render(&job::OF_ATTEMPT, open, look))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::show::tests::look;

    #[test]
    fn an_attempt_says_what_it_waits_for_and_why_its_job_is_dead() {
        let attempt = json!({
            "receipt_id": "r-1", "user_id": 7, "status": "must_retry", "created_at": "2026-11-25T03:00:00Z", "submitted_at": null,
            "reasons": [], "checkpoints": [{ "usage": "u", "course": "c" }], "trace_id": "4bf9", "events": [], "timeline": [],
            "waits_for": { "what": "operator", "since": "2026-11-25T03:10:00Z", "until": null, "text": "Its job is dead." },
            "jobs": [{ "id": 9, "queue": "vendor", "kind": "submit_to_vendor", "state": "dead", "failures": 1, "last_error": "a: b" }],
        });
        let dead = [json!({ "id": 9, "causes": ["a", "b"] })];
        let expected = "\
Attempt r-1   must_retry
  learner     7
  received    2026-11-25 03:00:00 UTC, 30 min ago
  checkpoint  u in c
  trace       4bf9
  waits for   Its job is dead. Since 2026-11-25 03:10:00 UTC, 20 min ago.

Jobs left to do
9\tvendor\tsubmit_to_vendor\tdead\t\t1\t\ta: b

Why job 9 is dead
  a
  └ b
";
        assert_eq!(show(&attempt, &dead, &look(None)), expected);
    }

    #[test]
    fn what_an_older_api_does_not_tell_is_left_out() {
        let text = show(&json!({ "receipt_id": "r", "status": "approved" }), &[], &look(Some(80)));
        assert_eq!(text, "Attempt r   approved\n\n  No job is left to do.\n");
    }
}
