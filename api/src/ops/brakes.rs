//! One queue and one vendor's breaker: how they stand, and what slows or stops them.

use poem::{
    Response, handler,
    http::{Method, StatusCode},
    web::Path,
};
use serde_json::{Value, json};

use super::{
    client::{Refusal, path},
    jobs::no_action,
    overview::{history, items, text},
    view::Page,
    visit::{Submitted, Visit},
};

#[handler]
pub(super) async fn show_queue(visit: Visit, Path(name): Path<String>) -> Response {
    visit.show(queue_page(&visit, &name).await)
}

async fn queue_page(visit: &Visit, name: &str) -> Result<Page, Refusal> {
    let all = visit.get("/queues").await?;
    let found = items(&all).iter().find(|queue| text(queue, "name") == name);
    let queue = found.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "There is no queue of that name."))?;
    let facts = json!({ "queue": queue, "history": history(visit, name).await? });
    Ok(Page::new("queue.html", "overview", format!("Queue {name}"), facts))
}

#[handler]
pub(super) async fn act_on_queue(form: Submitted, Path(name): Path<String>) -> Response {
    let visit = &form.visit;
    let action = form.fields.get("action");
    let reason = form.fields.get("reason");
    let client = visit.client();
    let simple = json!({ "reason": reason });
    let done = match action {
        "pause" => client.send(Method::POST, &path(&["queues", &name, "pause"]), &simple).await,
        "resume" => client.send(Method::POST, &path(&["queues", &name, "resume"]), &simple).await,
        "limit" => match rate(form.fields.get("rate")) {
            Ok(rate) => {
                let body = json!({ "rate": rate, "reason": reason });
                client.send(Method::PUT, &path(&["queues", &name, "limit"]), &body).await
            }
            Err(refusal) => Err(refusal),
        },
        _ => Err(no_action()),
    };
    match done {
        Ok(_) => {
            let (said, next) = match action {
                "pause" => ("is paused", "What runs is finished; nothing more is handed out until somebody resumes it."),
                "resume" => ("runs again", "What waited is handed out within a second."),
                _ => ("has another limit", "It holds over all workers within a second."),
            };
            visit.done(&format!("/ops{}", path(&["queues", &name])), format!("The queue {name} {said}."), next)
        }
        Err(refusal) if matches!(refusal.status, StatusCode::BAD_REQUEST | StatusCode::CONFLICT) => {
            let page = queue_page(visit, &name).await;
            visit.show(page.map(|page| page.refused(&refusal, action, &form.fields.shown())))
        }
        Err(refusal) => visit.show(Err(refusal)),
    }
}

/// A number, or none to lift the limit.
fn rate(text: &str) -> Result<Value, Refusal> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let rate = text.parse::<f64>().ok().filter(|rate| rate.is_finite()).map(Value::from);
    rate.ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, "The limit must be a number of jobs a second, such as 5 or 0.5."))
}

#[handler]
pub(super) async fn show_breaker(visit: Visit, Path(vendor): Path<String>) -> Response {
    visit.show(breaker_page(&visit, &vendor).await)
}

async fn breaker_page(visit: &Visit, vendor: &str) -> Result<Page, Refusal> {
    let all = visit.get("/queues").await?;
    let breakers = all.get("breakers").and_then(Value::as_array);
    let found = breakers.into_iter().flatten().find(|breaker| text(breaker, "vendor") == vendor);
    let breaker = found.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "There is no vendor of that name."))?;
    Ok(Page::new("breaker.html", "overview", format!("Breaker of {vendor}"), json!({ "breaker": breaker })))
}

#[handler]
pub(super) async fn force(form: Submitted, Path(vendor): Path<String>) -> Response {
    let visit = &form.visit;
    let force = match form.fields.get("force") {
        "" => Value::Null,
        word => Value::from(word),
    };
    let said = match force.as_str() {
        Some("open") => "The breaker is held open: nothing goes to the vendor.",
        Some(_) => "The breaker is held closed: the vendor is asked whatever it answers.",
        None => "The breaker follows what is measured again.",
    };
    let body = json!({ "force": force, "reason": form.fields.get("reason") });
    match visit.client().send(Method::PUT, &path(&["breakers", &vendor]), &body).await {
        Ok(_) => visit.done(&format!("/ops{}", path(&["breakers", &vendor])), said, "It holds over all workers within a second."),
        Err(refusal) if matches!(refusal.status, StatusCode::BAD_REQUEST | StatusCode::CONFLICT) => {
            let page = breaker_page(visit, &vendor).await;
            visit.show(page.map(|page| page.refused(&refusal, "force", &form.fields.shown())))
        }
        Err(refusal) => visit.show(Err(refusal)),
    }
}
