//! `GET /verify_student/status/`: a learner's standing, for the learner's own pages. Source: reference 4.12.

use chrono::SecondsFormat;
use poem::{Request, Response, handler, http::StatusCode, web::Data};
use serde_json::{Map, json};
use vouch_common::{domain::verification, operations::load_flow};

use super::page;
use crate::{error::Fault, extract::learner::Learner, state::AppState};

/// Answers `{status, can_verify, expires?, reasons}`, or a browser with a page that keeps itself up to date.
#[handler]
pub(super) async fn status(request: &Request, learner: Learner, state: Data<&AppState>) -> Result<Response, Fault> {
    if page::wants_html(request) {
        // The page asks here again and again, as a program, and so keeps itself up to date.
        return page::answer(request, state.0, "submission-status", Map::new());
    }
    let now = state.now();
    let record = load_flow::load_record(state.db(), &learner.submitter, now).await?;
    let found = verification::standing(&record.attempts, now, state.settings().validity);
    let mut answer = json!({
        "status": found.standing.as_str(),
        "can_verify": found.can_verify,
        "reasons": found.reasons,
    });
    if let Some(expires) = found.expires_at {
        answer["expires"] = expires.to_rfc3339_opts(SecondsFormat::Secs, true).into();
    }
    Ok(Response::builder()
        .status(StatusCode::OK)
        .content_type("application/json")
        .header("cache-control", "no-store")
        .body(answer.to_string()))
}
