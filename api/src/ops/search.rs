//! One box for whatever an operator has at hand, and attempts by what is known of them.

use chrono::SecondsFormat;
use poem::{Response, handler, http::StatusCode};
use serde_json::{Value, json};
use vouch_common::domain::{
    attempt::Status,
    effect::{Effect, Queue},
    ids::ReceiptId,
    operator::ACTIONS,
};

use super::{
    client::{Refusal, path},
    fields::Fields,
    jobs::ages,
    overview::items,
    view::Page,
    visit::Visit,
};

const FILTERS: [&str; 11] = [
    "status",
    "user_id",
    "queue",
    "kind",
    "error_class",
    "http_status",
    "vendor_code",
    "created_after",
    "created_before",
    "submitted_before",
    "cursor",
];

#[handler]
pub(super) async fn show(visit: Visit) -> Response {
    let asked = visit.query.get("q");
    match meaning(asked) {
        Meaning::Nothing => results(&visit, visit.query.only(&FILTERS), asked).await,
        Meaning::Receipt => super::redirect(&format!("/ops{}", path(&["attempts", asked]))),
        Meaning::Job(number) => super::redirect(&format!("/ops{}", path(&["jobs", number]))),
        Meaning::User(number) => results(&visit, visit.query.only(&FILTERS).with("user_id", number), asked).await,
        Meaning::Unknown => {
            let detail = "That is no receipt, no user number, and no job number (as #123).";
            refused(&visit, &Fields::default(), asked, &Refusal::new(StatusCode::BAD_REQUEST, detail))
        }
    }
}

enum Meaning<'a> {
    Nothing,
    Receipt,
    Job(&'a str),
    User(&'a str),
    Unknown,
}

fn meaning(asked: &str) -> Meaning<'_> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match asked {
        "" => Meaning::Nothing,
        text if ReceiptId::parse(text).is_some() => Meaning::Receipt,
        text if is_number(text) => Meaning::User(text),
        text => match text.strip_prefix('#').map(str::trim) {
            Some(number) if is_number(number) => Meaning::Job(number),
            _ => Meaning::Unknown,
        },
    }
}

async fn results(visit: &Visit, filter: Fields, asked: &str) -> Response {
    let age = visit.query.get("age");
    let mut query = filter.clone();
    if let Some((span, ..)) = ages().find(|(.., code)| *code == age) {
        query = query.with("created_before", (visit.console.state.now() - span).to_rfc3339_opts(SecondsFormat::Secs, true));
    }
    match visit.client().get("/attempts", &query).await {
        Ok(found) => {
            let address = filter.with("age", age);
            let facts = facts(&address, asked, &found);
            visit.show(Ok(Page::new("search.html", "search", "Search", facts)))
        }
        Err(refusal) if refusal.status == StatusCode::BAD_REQUEST => refused(visit, &filter, asked, &refusal),
        Err(refusal) => visit.show(Err(refusal)),
    }
}

fn refused(visit: &Visit, filter: &Fields, asked: &str, refusal: &Refusal) -> Response {
    let page = Page::new("search.html", "search", "Search", facts(filter, asked, &Value::Null));
    visit.show(Ok(page.refused(refusal, "search", &json!({}))))
}

fn facts(filter: &Fields, asked: &str, found: &Value) -> Value {
    json!({
        "q": asked,
        "filter": filter.shown(),
        "is_filtered": !filter.is_empty(),
        "items": items(found),
        "next": next("/ops/search", filter, found),
        "first": first("/ops/search", filter),
        "choices": choices(),
    })
}

/// Where the next page of a list is, if there is one.
pub(super) fn next(place: &str, filter: &Fields, found: &Value) -> Option<String> {
    let cursor = found.get("next_cursor").and_then(Value::as_str)?;
    Some(format!("{place}?{}", filter.clone().with("cursor", cursor).query()))
}

/// Where the first page of a list is, if this is another.
pub(super) fn first(place: &str, filter: &Fields) -> Option<String> {
    let is_later = !filter.get("cursor").is_empty();
    is_later.then(|| format!("{place}?{}", filter.clone().with("cursor", "").query()))
}

/// What a filter can be set to.
pub(super) fn choices() -> Value {
    let ages: Vec<Value> = ages().map(|(_, words, code)| json!({ "value": code, "words": words })).collect();
    json!({
        "queues": Queue::ALL.map(Queue::as_str),
        "kinds": Effect::KINDS,
        "statuses": Status::ALL.map(Status::as_str),
        "states": ["dead", "scheduled", "due", "dispatched", "running"],
        "ages": ages,
        "classes": CLASSES,
        "actions": ACTIONS,
    })
}

/// The classes of failure that jobs are known to die of, to be offered; any other may be typed.
const CLASSES: [&str; 12] = [
    "vendor_unreachable",
    "vendor_timeout",
    "vendor_busy",
    "vendor_rate_limited",
    "vendor_refused",
    "vendor_system_error",
    "vendor_system_failure",
    "network",
    "timeout",
    "panic",
    "no_outcome",
    "unknown_job",
];
