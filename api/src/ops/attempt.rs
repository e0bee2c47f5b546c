//! One attempt: what it is, what it waits for, everything that happened, and what can be done.

use poem::{
    Response, handler,
    http::{Method, StatusCode},
    web::Path,
};
use serde_json::{Map, Value, json};
use vouch_common::domain::attempt::reasons;

use super::{
    client::{Refusal, path},
    fields::Fields,
    jobs::no_action,
    overview::{number, text},
    view::Page,
    visit::{Submitted, Visit},
};

/// How many of an attempt's jobs are shown with the chain of their causes.
const CAUSES_MAX: usize = 10;

#[handler]
pub(super) async fn show(visit: Visit, Path(receipt): Path<String>) -> Response {
    visit.show(page(&visit, &receipt).await)
}

async fn page(visit: &Visit, receipt: &str) -> Result<Page, Refusal> {
    let attempt = now(visit, receipt).await?;
    let query = Fields::default().with("target", receipt).with("limit", "20");
    let audit = visit.client().get("/audit", &query).await?;
    Ok(Page::new("attempt.html", "search", "Attempt", json!({ "attempt": attempt, "audit": audit.get("items") })))
}

/// The attempt as it is now, each failed job with its causes.
pub(super) async fn now(visit: &Visit, receipt: &str) -> Result<Value, Refusal> {
    let mut attempt = visit.get(&path(&["attempts", receipt])).await?;
    let jobs = attempt.get_mut("jobs").and_then(Value::as_array_mut);
    for job in jobs.into_iter().flatten().filter(|job| !text(job, "last_error").is_empty()).take(CAUSES_MAX) {
        // A job that ended meanwhile has no page any more.
        if let Ok(whole) = visit.get(&path(&["jobs", &number(job, "id").to_string()])).await
            && let (Some(job), Some(causes)) = (job.as_object_mut(), whole.get("causes"))
        {
            job.insert("causes".to_owned(), causes.clone());
        }
    }
    Ok(attempt)
}

/// The page before somebody decides by hand.
#[handler]
pub(super) async fn confirm(visit: Visit, Path((receipt, action)): Path<(String, String)>) -> Response {
    visit.show(confirm_page(&visit, &receipt, &action, &Fields::default()).await)
}

async fn confirm_page(visit: &Visit, receipt: &str, action: &str, fields: &Fields) -> Result<Page, Refusal> {
    let title = match action {
        "approve" => "Approve by hand",
        "deny" => "Deny by hand",
        _ => return Err(no_action()),
    };
    let attempt = visit.get(&path(&["attempts", receipt])).await?;
    let chosen: Vec<&str> = fields.all("learner_reason").collect();
    let choices: Vec<Value> = reasons::choices()
        .map(|(category, reason, words)| {
            let value = format!("{category}:{reason}");
            json!({ "is_chosen": chosen.contains(&value.as_str()), "value": value, "words": words })
        })
        .collect();
    let facts = json!({ "attempt": attempt, "action": action, "reasons": choices });
    Ok(Page::new("attempt-confirm.html", "search", title, facts))
}

#[handler]
pub(super) async fn act(form: Submitted, Path((receipt, action)): Path<(String, String)>) -> Response {
    let visit = &form.visit;
    if !matches!(action.as_str(), "retry" | "approve" | "deny") {
        return visit.show(Err(no_action()));
    }
    let mut body = json!({ "reason": form.fields.get("reason") });
    if let (Some(body), Some(told), "deny") = (body.as_object_mut(), learner_reasons(&form.fields), action.as_str()) {
        body.insert("learner_reasons".to_owned(), told);
    }
    match visit.client().send(Method::POST, &path(&["attempts", &receipt, &action]), &body).await {
        Ok(answer) => {
            let (said, next) = told(&action, &answer);
            visit.done(&format!("/ops{}", path(&["attempts", &receipt])), said, next)
        }
        Err(refusal) if matches!(refusal.status, StatusCode::BAD_REQUEST | StatusCode::CONFLICT) => {
            let page = match action.as_str() {
                "retry" => page(visit, &receipt).await,
                _ => confirm_page(visit, &receipt, &action, &form.fields).await,
            };
            visit.show(page.map(|page| page.refused(&refusal, &action, &form.fields.shown())))
        }
        Err(refusal) => visit.show(Err(refusal)),
    }
}

fn told(action: &str, answer: &Value) -> (String, &'static str) {
    match action {
        "approve" => {
            ("The attempt is approved.".to_owned(), "Checkpoints, credit and the mail to the learner follow by themselves.")
        }
        "deny" => ("The attempt is denied.".to_owned(), "The learner gets a mail and can send new photos."),
        _ => {
            let jobs = answer.get("jobs").and_then(Value::as_array).map_or(0, Vec::len);
            let words = if jobs == 1 { "1 job is due".to_owned() } else { format!("{jobs} jobs are due") };
            (format!("The attempt is set going again: {words}."), "This page shows each try as it ends.")
        }
    }
}

/// The reasons that were ticked, as the vendor writes them.
fn learner_reasons(fields: &Fields) -> Option<Value> {
    let mut told: Map<String, Value> = Map::new();
    for (category, reason) in fields.all("learner_reason").filter_map(|value| value.split_once(':')) {
        if let Value::Array(reasons) = told.entry(category.to_owned()).or_insert_with(|| json!([])) {
            reasons.push(reason.into());
        }
    }
    (!told.is_empty()).then_some(Value::Object(told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_ticked_is_said_as_the_vendor_says_it() {
        let fields = Fields::parse(b"learner_reason=photoIdReasons:Not+provided&learner_reason=photoIdReasons:No+text&reason=x");
        assert_eq!(learner_reasons(&fields), Some(json!({ "photoIdReasons": ["Not provided", "No text"] })));
        assert_eq!(learner_reasons(&Fields::parse(b"reason=x")), None);
    }
}
