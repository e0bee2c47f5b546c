//! Jobs, and the groups of dead ones.

use serde_json::Value;

use super::{
    Look, ages, color_of, items_at,
    table::{self, Column, Shape},
    text_at, time_at,
};

/// Jobs in any state.
pub const LIST: [Column; 9] = [
    Column("JOB", "/id", Shape::Name),
    Column("QUEUE", "/queue", Shape::Name),
    Column("KIND", "/kind", Shape::Name),
    Column("STATE", "/state", Shape::State),
    Column("AGE", "/created_at", Shape::Age),
    Column("DUE", "/due_at", Shape::Age),
    Column("TRIES", "/failures", Shape::Number),
    Column("RECEIPT", "/receipt_id", Shape::Name),
    Column("ERROR", "/last_error", Shape::Text),
];

/// Dead jobs.
pub const DEAD: [Column; 7] = [
    Column("JOB", "/id", Shape::Name),
    Column("QUEUE", "/queue", Shape::Name),
    Column("DEAD FOR", "/dead_at", Shape::Age),
    Column("CLASS", "/error_class", Shape::Name),
    Column("CODE", "/error_code", Shape::Name),
    Column("RECEIPT", "/receipt_id", Shape::Name),
    Column("ERROR", "/last_error", Shape::Text),
];

/// The jobs of one attempt.
pub const OF_ATTEMPT: [Column; 8] = [
    Column("JOB", "/id", Shape::Name),
    Column("QUEUE", "/queue", Shape::Name),
    Column("KIND", "/kind", Shape::Name),
    Column("STATE", "/state", Shape::State),
    Column("DUE", "/due_at", Shape::Age),
    Column("TRIES", "/failures", Shape::Number),
    Column("CLASS", "/error_class", Shape::Name),
    Column("ERROR", "/last_error", Shape::Text),
];

/// Groups of dead jobs that failed alike.
pub const GROUPS: [Column; 8] = [
    Column("DEAD", "/dead", Shape::Number),
    Column("GROUP", "/fingerprint", Shape::Name),
    Column("KIND", "/kind", Shape::Name),
    Column("CLASS", "/error_class", Shape::Name),
    Column("CODE", "/error_code", Shape::Name),
    Column("FIRST", "/first_seen", Shape::Age),
    Column("LAST", "/last_seen", Shape::Age),
    Column("MESSAGE", "/message", Shape::Text),
];

/// The tries of a job.
const RUNS: [Column; 5] = [
    Column("ENDED", "/ended_at", Shape::Age),
    Column("OUTCOME", "/outcome", Shape::State),
    Column("CLASS", "/error_class", Shape::Name),
    Column("CODE", "/error_code", Shape::Name),
    Column("ERROR", "/error", Shape::Text),
];

/// Who did what, when and why.
pub const AUDIT: [Column; 6] = [
    Column("AGO", "/at", Shape::Age),
    Column("WHO", "/actor", Shape::Name),
    Column("DID", "/action", Shape::Name),
    Column("TO", "/target", Shape::Name),
    Column("WHY", "/reason", Shape::Text),
    Column("MORE", "", Shape::Made(detail)),
];

fn detail(action: &Value) -> String {
    let Some(detail) = action["detail"].as_object() else { return String::new() };
    detail
        .iter()
        .map(|(name, value)| format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A job with its causes and its tries.
#[must_use]
pub fn show(job: &Value, look: &Look) -> String {
    let state = text_at(job, "/state");
    let mut page =
        format!("{} {}   {}\n", look.bold("Job"), look.bold(&text_at(job, "/id")), look.paint(&state, color_of(&state)));
    let moment = |at: &str| time_at(job, at).map(|at| ages::moment(at, look)).unwrap_or_default();
    let facts = [
        ("kind", format!("{} (queue {})", text_at(job, "/kind"), text_at(job, "/queue"))),
        ("receipt", text_at(job, "/receipt_id")),
        ("born", moment("/created_at")),
        ("due", if state == "dead" { String::new() } else { moment("/due_at") }),
        ("failed", moment("/failed_at")),
        ("dead", moment("/dead_at")),
        ("tries", format!("{} failed, {} without an outcome", text_at(job, "/failures"), text_at(job, "/deliveries"))),
        ("class", format!("{} {}", text_at(job, "/error_class"), text_at(job, "/error_code")).trim().to_owned()),
        ("group", text_at(job, "/fingerprint")),
        ("trace", text_at(job, "/trace_id")),
        ("arguments", text_at(job, "/args")),
    ];
    page.extend(facts.iter().map(|(name, text)| look.fact(name, text)));
    let causes = causes(job, look);
    if !causes.is_empty() {
        page.push_str(&look.heading("What went wrong"));
        page.push_str(&causes);
    }
    let runs = table::render(&RUNS, items_at(job, "runs"), look);
    if !runs.is_empty() {
        page.push_str(&look.heading("Tries"));
        page.push_str(&runs);
    }
    page
}

/// The error with its causes, each below the one that it caused.
#[must_use]
pub fn causes(job: &Value, look: &Look) -> String {
    let told: Vec<String> = items_at(job, "causes").filter_map(Value::as_str).map(super::clean).collect();
    let last = text_at(job, "/last_error");
    let causes =
        if told.is_empty() { last.split(": ").filter(|part| !part.is_empty()).map(str::to_owned).collect() } else { told };
    let line = |(depth, cause): (usize, &String)| match depth {
        0 => format!("  {cause}\n"),
        _ => format!("  {}{} {cause}\n", "  ".repeat(depth - 1), look.dim("└")),
    };
    causes.iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::show::tests::look;

    #[test]
    fn a_dead_job_shows_its_causes_one_below_the_other() {
        let job = json!({ "id": 5, "queue": "vendor", "kind": "submit_to_vendor", "state": "dead", "dead_at": "2026-11-25T03:20:00Z",
                          "failures": 12, "deliveries": 0, "error_class": "vendor_unreachable", "error_code": "",
                          "last_error": "the vendor gave no answer: connection refused: os error 111",
                          "runs": [{ "ended_at": "2026-11-25T03:20:00Z", "outcome": "dead", "error": "x", "error_class": "vendor_unreachable" }] });
        let text = show(&job, &look(Some(80)));
        let expected = "  the vendor gave no answer\n  └ connection refused\n    └ os error 111\n";
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("  dead        2026-11-25 03:20:00 UTC, 10 min ago\n"), "{text}");
        assert!(text.contains("12 failed, 0 without an outcome"), "{text}");
        assert!(text.contains("10 min  dead     vendor_unreachable"), "{text}");
    }

    #[test]
    fn an_action_shows_what_more_is_known_of_it() {
        let action = json!({ "detail": { "rate": 50, "filter": { "state": "dead" }, "queue": "vendor" } });
        assert_eq!(detail(&action), r#"filter={"state":"dead"} queue=vendor rate=50"#);
        assert_eq!(detail(&json!({})), "");
    }
}
