//! Jobs by their state and failure, and one job with what it died of.

use chrono::TimeDelta;
use poem::{
    Response, handler,
    http::{Method, StatusCode},
    web::Path,
};
use serde_json::{Value, json};

use super::{
    client::{Refusal, path},
    fields::Fields,
    overview::{items, text},
    search::{choices, first, next},
    view::Page,
    visit::{Submitted, Visit},
};

const FILTERS: [&str; 11] = [
    "state",
    "queue",
    "kind",
    "error_class",
    "http_status",
    "fingerprint",
    "receipt",
    "user_id",
    "older_than",
    "cursor",
    "limit",
];
/// Those that a bulk retry understands as well.
const RETRIED_BY: [&str; 6] = ["queue", "kind", "error_class", "http_status", "fingerprint", "user_id"];

/// How old something can be asked to be, in words and as the api takes it.
pub(super) fn ages() -> impl Iterator<Item = (TimeDelta, &'static str, &'static str)> {
    [
        (TimeDelta::minutes(10), "10 minutes", "10m"),
        (TimeDelta::hours(1), "1 hour", "1h"),
        (TimeDelta::hours(6), "6 hours", "6h"),
        (TimeDelta::days(1), "1 day", "1d"),
        (TimeDelta::days(7), "7 days", "7d"),
    ]
    .into_iter()
}

#[handler]
pub(super) async fn list(visit: Visit) -> Response {
    let mut filter = visit.query.only(&FILTERS);
    if !visit.query.all("state").any(|_| true) {
        filter = filter.with("state", "dead");
    }
    match visit.client().get("/jobs", &filter).await {
        Ok(found) => visit.show(Ok(list_page(&filter, &found))),
        Err(refusal) if refusal.status == StatusCode::BAD_REQUEST => {
            visit.show(Ok(list_page(&filter, &Value::Null).refused(&refusal, "filter", &json!({}))))
        }
        Err(refusal) => visit.show(Err(refusal)),
    }
}

fn list_page(filter: &Fields, found: &Value) -> Page {
    let is_dead = filter.get("state") == "dead";
    let retry_all = filter.only(&RETRIED_BY).with("state", "dead").with("receipts", filter.get("receipt"));
    let facts = json!({
        "filter": filter.shown(),
        "is_dead": is_dead,
        "items": items(found),
        "next": next("/ops/jobs", filter, found),
        "first": first("/ops/jobs", filter),
        "retry_all": (is_dead && filter.get("older_than").is_empty()).then(|| retry_all.query()),
        "choices": choices(),
    });
    Page::new("jobs.html", "jobs", if is_dead { "Dead jobs" } else { "Jobs" }, facts)
}

#[handler]
pub(super) async fn show(visit: Visit, Path(id): Path<String>) -> Response {
    visit.show(page(&visit, &id, "job.html").await)
}

/// The page before a job is dropped.
#[handler]
pub(super) async fn confirm(visit: Visit, Path((id, action)): Path<(String, String)>) -> Response {
    let page = if action == "drop" { page(&visit, &id, "job-drop.html").await } else { Err(no_action()) };
    visit.show(page)
}

async fn page(visit: &Visit, id: &str, template: &'static str) -> Result<Page, Refusal> {
    let job = visit.get(&path(&["jobs", id])).await?;
    let title = if template == "job-drop.html" { format!("Drop job {id}") } else { format!("Job {id}") };
    let arguments = job.get("args").filter(|args| !args.is_null()).map(Value::to_string);
    Ok(Page::new(template, "jobs", title, json!({ "arguments": arguments, "job": job })))
}

#[handler]
pub(super) async fn act(form: Submitted, Path((id, action)): Path<(String, String)>) -> Response {
    let visit = &form.visit;
    let reason = form.fields.get("reason");
    let place = format!("/ops{}", path(&["jobs", &id]));
    let done = match action.as_str() {
        "retry" => visit.client().send(Method::POST, &path(&["jobs", &id, "retry"]), &json!({ "reason": reason })).await,
        "drop" => visit.client().delete(&path(&["jobs", &id]), reason).await,
        _ => Err(no_action()),
    };
    match done {
        Ok(_) if action == "drop" => visit.done(
            "/ops/jobs",
            format!("Job {id} is dropped."),
            "What it was about is not done. The audit keeps who dropped it and why.",
        ),
        Ok(job) => {
            let state = text(&job, "state");
            visit.done(
                &place,
                format!("Job {id} is {state} again."),
                "It runs as soon as a worker is free; reload to see what came of it.",
            )
        }
        Err(refusal) if matches!(refusal.status, StatusCode::BAD_REQUEST | StatusCode::CONFLICT) => {
            let template = if action == "drop" { "job-drop.html" } else { "job.html" };
            let page = page(visit, &id, template).await;
            visit.show(page.map(|page| page.refused(&refusal, &action, &form.fields.shown())))
        }
        Err(refusal) => visit.show(Err(refusal)),
    }
}

/// There is no such action.
pub(super) fn no_action() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "There is no such page.")
}
