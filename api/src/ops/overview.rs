//! What needs somebody, how the queues stand, and how they stood over the last hours.

use chrono::{SecondsFormat, TimeDelta};
use poem::{Response, handler};
use serde_json::{Value, json};

use super::{charts, client::Refusal, fields::Fields, view::Page, visit::Visit};

/// A due job that waited for longer than this needs somebody, in seconds.
const OLDEST_DUE_SECONDS_MAX: f64 = 300.0;
/// How many groups of dead jobs and attempts are shown.
const SHOWN: &str = "5";
/// What counts as waiting long for the vendor: the longest that has any is shown.
const LONG_WAITS: [(TimeDelta, &str); 3] =
    [(TimeDelta::days(7), "a week"), (TimeDelta::days(1), "a day"), (TimeDelta::hours(1), "an hour")];

#[handler]
pub(super) async fn show(visit: Visit) -> Response {
    let page = async {
        let now = now(&visit).await?;
        let history = history(&visit, "").await?;
        Ok(Page::new("overview.html", "overview", "Overview", json!({ "now": now, "history": history })))
    };
    visit.show(page.await)
}

/// What changes from second to second.
pub(super) async fn now(visit: &Visit) -> Result<Value, Refusal> {
    let client = visit.client();
    let few = Fields::default().with("limit", SHOWN);
    let none = Fields::default();
    let (queues, errors, retries) =
        tokio::join!(client.get("/queues", &none), client.get("/errors", &few), client.get("/retries", &few));
    let (queues, errors, retries) = (queues?, errors?, retries?);
    let running: Vec<&Value> = items(&retries).iter().filter(|retry| text(retry, "status") == "running").collect();
    let waiting = waiting_longest(visit).await?;
    let dead: i64 = items(&queues).iter().map(|queue| number(queue, "dead")).sum();
    Ok(json!({
        "needs": needs(&queues, dead, &running, &waiting),
        "queues": queues.get("items"),
        "breakers": queues.get("breakers"),
        "errors": errors.get("items"),
        "dead": dead,
        "waiting": waiting,
    }))
}

/// The pictures of the last hours; `queue` narrows them to one.
pub(super) async fn history(visit: &Visit, queue: &str) -> Result<Value, Refusal> {
    let hours = match visit.query.get("hours") {
        known @ ("1" | "24" | "48") => known,
        _ => "6",
    };
    let history = visit.client().get("/queues/history", &Fields::default().with("hours", hours)).await?;
    let samples = charts::Samples::of(items(&history), queue);
    Ok(
        json!({ "hours": hours, "charts": samples.charts(), "table": samples.table(), "place": if queue.is_empty() { "/ops".to_owned() } else { format!("/ops/queues/{queue}") } }),
    )
}

/// Attempts that have been with the vendor the longest.
async fn waiting_longest(visit: &Visit) -> Result<Value, Refusal> {
    for (wait, words) in LONG_WAITS {
        let before = (visit.console.state.now() - wait).to_rfc3339_opts(SecondsFormat::Secs, true);
        let query = Fields::default().with("status", "submitted").with("submitted_before", before.as_str()).with("limit", SHOWN);
        let found = visit.client().get("/attempts", &query).await?;
        if !items(&found).is_empty() {
            let has_more = found.get("next_cursor").is_some_and(|cursor| !cursor.is_null());
            let query = Fields::default().with("status", "submitted").with("submitted_before", before).query();
            return Ok(
                json!({ "items": items(&found), "longer_than": words, "has_more": has_more, "link": format!("/ops/search?{query}") }),
            );
        }
    }
    Ok(Value::Null)
}

fn needs(queues: &Value, dead: i64, running: &[&Value], waiting: &Value) -> Vec<Value> {
    let need = |level: &str, kind: &str, facts: Value| json!({ "level": level, "kind": kind, "facts": facts });
    let mut needs = Vec::new();
    for breaker in list(queues, "breakers") {
        let is_forced = breaker.get("forced").is_some_and(|forced| !forced.is_null());
        if text(breaker, "state") != "closed" || is_forced {
            let level = if text(breaker, "state") == "open" { "bad" } else { "warn" };
            needs.push(need(level, "breaker", breaker.clone()));
        }
    }
    if dead > 0 {
        needs.push(need("bad", "dead", json!({ "dead": dead })));
    }
    for queue in items(queues) {
        match text(queue, "state") {
            "paused" | "held" => needs.push(need("warn", "queue", queue.clone())),
            _ => {}
        }
        if queue.get("oldest_due_seconds").and_then(Value::as_f64).is_some_and(|seconds| seconds > OLDEST_DUE_SECONDS_MAX) {
            needs.push(need("warn", "old", queue.clone()));
        }
    }
    if !waiting.is_null() {
        needs.push(need("warn", "waiting", waiting.clone()));
    }
    needs.extend(running.iter().map(|retry| need("info", "retry", (*retry).clone())));
    needs
}

/// The items of a list.
pub(super) fn items(list_answer: &Value) -> &[Value] {
    list(list_answer, "items")
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A text of an object; empty when there is none.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A whole number of an object; 0 when there is none.
pub(super) fn number(value: &Value, name: &str) -> i64 {
    value.get(name).and_then(Value::as_i64).unwrap_or_default()
}
