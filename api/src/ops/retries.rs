//! Bulk retries: looked at before they start, started once, watched, and stopped.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use poem::{
    Response, handler,
    http::{Method, StatusCode},
    web::Path,
};
use serde_json::{Map, Value, json};
use vouch_common::ids;

use super::{
    client::{Refusal, path},
    fields::Fields,
    overview::{items, number, text},
    search::{choices, first, next},
    view::Page,
    visit::{Submitted, Visit},
};

/// Items a second unless somebody says otherwise.
const RATE: &str = "50";
const TEXTS: [&str; 13] = [
    "state",
    "queue",
    "kind",
    "error_class",
    "fingerprint",
    "vendor_code",
    "status",
    "created_after",
    "created_before",
    "failed_after",
    "failed_before",
    "submitted_after",
    "submitted_before",
];
const NUMBERS: [&str; 2] = ["http_status", "user_id"];

#[handler]
pub(super) async fn list(visit: Visit) -> Response {
    visit.show(now(&visit).await.map(|now| Page::new("retries.html", "retries", "Bulk retries", json!({ "now": now }))))
}

/// The list as it is now.
pub(super) async fn now(visit: &Visit) -> Result<Value, Refusal> {
    let query = visit.query.only(&["cursor", "limit"]);
    let found = visit.client().get("/retries", &query).await?;
    Ok(json!({
        "items": items(&found).iter().map(with_words).collect::<Vec<_>>(),
        "next": next("/ops/retries", &query, &found),
        "first": first("/ops/retries", &query),
    }))
}

/// What would be retried, and the form that starts it.
#[handler]
pub(super) async fn prepare(visit: Visit) -> Response {
    if !visit.me.may_act() {
        let detail = "A bulk retry needs a key with the scope attempts:operate.";
        return visit.show(Err(Refusal::new(StatusCode::FORBIDDEN, detail)));
    }
    let page = prepared(&visit, &visit.query, &once()).await;
    visit.show(Ok(page))
}

/// Draws what makes pressing twice count once.
fn once() -> String {
    URL_SAFE_NO_PAD.encode(ids::random_bytes::<18>())
}

async fn prepared(visit: &Visit, fields: &Fields, once: &str) -> Page {
    let filter = filter(fields);
    let rate = fields.only(&["rate"]);
    let rate = if rate.is_empty() { RATE } else { rate.get("rate") };
    let mut facts = json!({
        "filter": fields.shown(),
        "job_ids": fields.all("job_id").collect::<Vec<_>>(),
        "words": words(&filter),
        "body": filter.to_string(),
        "rate": rate,
        "once": once,
        "choices": choices(),
    });
    if filter.as_object().is_none_or(Map::is_empty) {
        return Page::new("retry-new.html", "retries", "New bulk retry", facts);
    }
    let body = json!({ "filter": filter, "dry_run": true, "rate": number_of(rate) });
    match visit.client().send(Method::POST, "/retries", &body).await {
        Ok(found) => {
            if let Some(facts) = facts.as_object_mut() {
                facts.insert("found".to_owned(), found);
            }
            Page::new("retry-new.html", "retries", "New bulk retry", facts)
        }
        Err(refusal) => Page::new("retry-new.html", "retries", "New bulk retry", facts).refused(&refusal, "filter", &json!({})),
    }
}

/// The api's filter of what was filled in.
fn filter(fields: &Fields) -> Value {
    let mut filter = Map::new();
    let filled = fields.only(&TEXTS);
    filter.extend(filled.filled().map(|(name, value)| (name.to_owned(), value.into())));
    let numbers = fields.only(&NUMBERS);
    filter.extend(numbers.filled().map(|(name, value)| (name.to_owned(), number_of(value))));
    let receipts: Vec<&str> =
        fields.all("receipts").flat_map(|text| text.split([' ', ',', '\n', '\r', '\t'])).filter(|one| !one.is_empty()).collect();
    if !receipts.is_empty() {
        filter.insert("receipts".to_owned(), receipts.into());
    }
    let jobs: Vec<Value> = fields.all("job_id").map(number_of).collect();
    if !jobs.is_empty() {
        filter.insert("job_ids".to_owned(), jobs.into());
    }
    Value::Object(filter)
}

/// A number if it is one; else the text, for the api to say what is wrong with it.
fn number_of(text: &str) -> Value {
    text.parse::<i64>().map_or_else(|_| text.into(), Value::from)
}

/// A filter in words: a line a condition.
fn words(filter: &Value) -> Vec<Value> {
    let conditions = filter.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    conditions
        .map(|(name, value)| {
            let value = match value {
                Value::String(text) => text.clone(),
                Value::Array(many) if many.len() > 3 => format!("{} of them", many.len()),
                Value::Array(many) => many
                    .iter()
                    .map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned))
                    .collect::<Vec<_>>()
                    .join(", "),
                other => other.to_string(),
            };
            json!({ "name": name, "value": value })
        })
        .collect()
}

fn with_words(retry: &Value) -> Value {
    let mut retry = retry.clone();
    let words = words(retry.get("filter").unwrap_or(&Value::Null));
    if let Some(retry) = retry.as_object_mut() {
        retry.insert("words".to_owned(), words.into());
    }
    retry
}

#[handler]
pub(super) async fn start(form: Submitted) -> Response {
    let visit = &form.visit;
    let filter: Value = serde_json::from_str(form.fields.get("body")).unwrap_or_default();
    let body = json!({ "filter": filter, "dry_run": false, "rate": number_of(form.fields.get("rate")), "reason": form.fields.get("reason") });
    match visit.client().send_once("/retries", &body, form.fields.get("once")).await {
        Ok(retry) => {
            let total = number(&retry, "total");
            let said = if total == 1 { "1 job is being retried.".to_owned() } else { format!("{total} jobs are being retried.") };
            let place = format!("/ops{}", path(&["retries", text(&retry, "id")]));
            visit.done(
                &place,
                said,
                "The set is frozen: what fails from now on is not in it. You may leave this page; it goes on.",
            )
        }
        Err(refusal) if refusal.status.is_client_error() && refusal.status != StatusCode::FORBIDDEN => {
            let again = fields_of(&filter);
            let page = prepared(visit, &again, &once()).await;
            visit.show(Ok(page.refused(&refusal, "start", &form.fields.shown())))
        }
        Err(refusal) => visit.show(Err(refusal)),
    }
}

/// The form's fields of an api's filter.
fn fields_of(filter: &Value) -> Fields {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in filter.as_object().into_iter().flatten() {
        let name = if name == "job_ids" { "job_id" } else { name.as_str() };
        match value {
            Value::Array(many) => {
                for one in many {
                    query.append_pair(name, &one.as_str().map_or_else(|| one.to_string(), str::to_owned));
                }
            }
            Value::String(text) => {
                query.append_pair(name, text);
            }
            other => {
                query.append_pair(name, &other.to_string());
            }
        }
    }
    Fields::parse(query.finish().as_bytes())
}

#[handler]
pub(super) async fn show(visit: Visit, Path(id): Path<String>) -> Response {
    visit.show(page(&visit, &id).await)
}

async fn page(visit: &Visit, id: &str) -> Result<Page, Refusal> {
    Ok(Page::new("retry.html", "retries", "Bulk retry", json!({ "retry": one(visit, id).await? })))
}

/// A bulk retry as it is now.
pub(super) async fn one(visit: &Visit, id: &str) -> Result<Value, Refusal> {
    Ok(with_words(&visit.get(&path(&["retries", id])).await?))
}

#[handler]
pub(super) async fn cancel(form: Submitted, Path(id): Path<String>) -> Response {
    let visit = &form.visit;
    match visit.client().delete(&path(&["retries", &id]), form.fields.get("reason")).await {
        Ok(retry) => {
            let said = format!("The bulk retry is cancelled with {} left.", number(&retry, "left"));
            visit.done(
                &format!("/ops{}", path(&["retries", &id])),
                said,
                "What was retried stays retried; what was left stays dead.",
            )
        }
        Err(refusal) if matches!(refusal.status.as_u16(), 400 | 409) => {
            let page = page(visit, &id).await;
            visit.show(page.map(|page| page.refused(&refusal, "cancel", &form.fields.shown())))
        }
        Err(refusal) => visit.show(Err(refusal)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_survives_the_way_through_the_form() {
        let fields =
            Fields::parse(b"state=dead&queue=vendor&http_status=503&job_id=7&job_id=8&receipts=a+b%0Ac&rate=20&reason=x&kind=");
        let filter = filter(&fields);
        assert_eq!(
            filter,
            json!({ "state": "dead", "queue": "vendor", "http_status": 503, "job_ids": [7, 8], "receipts": ["a", "b", "c"] })
        );
        assert_eq!(super::filter(&fields_of(&filter)), filter);
    }
}
