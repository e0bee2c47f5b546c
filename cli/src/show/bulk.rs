//! Bulk retries: what one would do, and how one goes.

use serde_json::Value;

use super::{
    Look, ages, color_of, items_at, number,
    table::{self, Column, Shape},
    text_at, time_at,
};

/// The list of bulk retries.
pub const LIST: [Column; 9] = [
    Column("RETRY", "/id", Shape::Name),
    Column("STATUS", "/status", Shape::State),
    Column("AGE", "/created_at", Shape::Age),
    Column("BY", "/created_by", Shape::Name),
    Column("TOTAL", "/total", Shape::Number),
    Column("RETRIED", "/retried", Shape::Number),
    Column("SKIPPED", "/skipped", Shape::Number),
    Column("LEFT", "/left", Shape::Number),
    Column("FILTER", "", Shape::Made(filter)),
];

const GROUPS: [Column; 6] = [
    Column("COUNT", "/count", Shape::Number),
    Column("GROUP", "/fingerprint", Shape::Name),
    Column("KIND", "/kind", Shape::Name),
    Column("CLASS", "/error_class", Shape::Name),
    Column("CODE", "/error_code", Shape::Name),
    Column("MESSAGE", "/message", Shape::Text),
];

const SAMPLES: [Column; 5] = [
    Column("JOB", "/job_id", Shape::Name),
    Column("RECEIPT", "/receipt_id", Shape::Name),
    Column("KIND", "/kind", Shape::Name),
    Column("CLASS", "/error_class", Shape::Name),
    Column("ERROR", "/last_error", Shape::Text),
];

/// A longer value of a filter is counted instead of told.
const FILTER_LIST_MAX: usize = 3;

/// A filter as people read it: `state=dead http_status=503`.
#[must_use]
pub fn filter(retry: &Value) -> String {
    let Some(filter) = retry["filter"].as_object() else { return String::new() };
    let told = filter.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| match value {
        Value::Array(items) if items.len() > FILTER_LIST_MAX => format!("{name}=({} of them)", items.len()),
        Value::Array(_) => format!("{name}={}", text_at(value, "").replace(['[', ']', '"'], "")),
        _ => format!("{name}={}", text_at(value, "")),
    });
    told.collect::<Vec<_>>().join(" ")
}

/// What a retry would do.
#[must_use]
pub fn dry_run(answer: &Value, look: &Look) -> String {
    let total = answer["total"].as_i64().unwrap_or_default();
    let minutes =
        answer["minutes"].as_f64().map(|minutes| format!(", in about {}", ages::span(minutes * 60.0))).unwrap_or_default();
    let rate = answer["rate"].as_i64().map(|rate| format!(" at {} a second{minutes}", number(rate))).unwrap_or_default();
    let mut page = format!("{} would be retried{rate}. Nothing was done yet.\n", look.bold(&number(total)));
    let groups = table::render(&GROUPS, items_at(answer, "groups"), look);
    if !groups.is_empty() {
        page.push_str(&look.heading("By error"));
        page.push_str(&groups);
    }
    let samples = table::render(&SAMPLES, items_at(answer, "samples"), look);
    if !samples.is_empty() {
        page.push_str(&look.heading("Samples"));
        page.push_str(&samples);
    }
    page
}

/// How a retry stands.
#[must_use]
pub fn show(retry: &Value, look: &Look) -> String {
    let status = text_at(retry, "/status");
    let mut page =
        format!("{} {}   {}\n", look.bold("Retry"), look.bold(&text_at(retry, "/id")), look.paint(&status, color_of(&status)));
    let started = time_at(retry, "/created_at").map(|at| ages::moment(at, look)).unwrap_or_default();
    let by = format!("{}, {started}", text_at(retry, "/created_by"));
    page.push_str(&look.fact("filter", &filter(retry)));
    page.push_str(&look.fact("reason", &text_at(retry, "/reason")));
    page.push_str(&look.fact("started by", &by));
    let finished = time_at(retry, "/finished_at").map(|at| ages::moment(at, look)).unwrap_or_default();
    page.push_str(&look.fact("finished", &finished));
    page.push_str(&look.fact("progress", &progress(retry)));
    page
}

/// How far it is, on one line.
#[must_use]
pub fn progress(retry: &Value) -> String {
    let count = |name: &str| retry[name].as_i64().unwrap_or_default();
    let (total, retried, skipped) = (count("total"), count("retried"), count("skipped"));
    let done = retried + skipped;
    let percent = if total > 0 { done * 100 / total } else { 100 };
    let left = match (text_at(retry, "/status").as_str(), retry["minutes_left"].as_f64()) {
        ("running", Some(minutes)) => format!(", about {} left at {} a second", ages::span(minutes * 60.0), count("rate")),
        _ => String::new(),
    };
    format!(
        "{} of {} ({percent} %), {} retried, {} needed it no more{left}",
        number(done),
        number(total),
        number(retried),
        number(skipped)
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::show::tests::look;

    #[test]
    fn a_dry_run_says_how_many_by_which_error_and_how_long() {
        let answer = json!({ "dry_run": true, "total": 40213, "rate": 50, "minutes": 13.4,
            "groups": [{ "fingerprint": "f1", "queue": "vendor", "kind": "submit_to_vendor", "error_class": "vendor_busy",
                         "error_code": "503", "message": "the vendor answered #", "count": 40213 }],
            "samples": [{ "job_id": 1, "receipt_id": "r", "queue": "vendor", "kind": "submit_to_vendor", "error_class": "vendor_busy", "last_error": "x" }] });
        let expected = "\
40,213 would be retried at 50 a second, in about 13 min. Nothing was done yet.

By error
40213\tf1\tsubmit_to_vendor\tvendor_busy\t503\tthe vendor answered #

Samples
1\tr\tsubmit_to_vendor\tvendor_busy\tx
";
        assert_eq!(dry_run(&answer, &look(None)), expected);
    }

    #[test]
    fn progress_is_told_on_one_line() {
        let retry = json!({ "status": "running", "total": 40000, "retried": 11950, "skipped": 50, "left": 28000, "minutes_left": 9.3, "rate": 50 });
        assert_eq!(
            progress(&retry),
            "12,000 of 40,000 (30 %), 11,950 retried, 50 needed it no more, about 9 min left at 50 a second"
        );
        assert_eq!(progress(&json!({})), "0 of 0 (100 %), 0 retried, 0 needed it no more");
    }

    #[test]
    fn a_filter_is_short_whatever_is_in_it() {
        let retry = json!({ "filter": { "state": "dead", "queue": null, "http_status": 503, "receipts": ["a", "b"], "job_ids": [1, 2, 3, 4] } });
        assert_eq!(filter(&retry), "http_status=503 job_ids=(4 of them) receipts=a,b state=dead");
    }
}
