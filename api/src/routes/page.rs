//! A page for people, or its facts for programs: whichever the caller accepts.

use poem::{Request, Response, http::StatusCode};
use serde_json::{Map, Value};

use crate::{
    error::Fault,
    pages::{PageFacts, capture_sound_url},
    state::AppState,
};

/// Whether the caller wants the facts as JSON instead of a page.
#[must_use]
pub fn wants_json(request: &Request) -> bool {
    accepts(request, "application/json")
}

/// Whether the caller is a browser that shows pages.
#[must_use]
pub fn wants_html(request: &Request) -> bool {
    accepts(request, "text/html") && !wants_json(request)
}

fn accepts(request: &Request, kind: &str) -> bool {
    let accepted = request.header("accept").unwrap_or_default();
    accepted.split(',').filter_map(|range| range.split(';').next()).any(|range| range.trim().eq_ignore_ascii_case(kind))
}

/// Answers with a page of these facts.
///
/// # Errors
///
/// When the facts can't be written.
pub fn answer(request: &Request, state: &AppState, page: &str, mut facts: Map<String, Value>) -> Result<Response, Fault> {
    let settings = state.settings();
    let mut tell = |name: &str, value: Value| facts.insert(name.to_owned(), value);
    tell("page", page.into());
    tell("platform_name", settings.platform_name.clone().into());
    tell("dashboard_url", settings.dashboard_url.clone().into());
    tell("support_email", settings.support_email.clone().into());
    tell("capture_sound", capture_sound_url().into());
    if !wants_json(request) {
        return Ok(state.pages().answer(request, &PageFacts { page, facts: &Value::Object(facts), status: StatusCode::OK }));
    }
    let text = serde_json::to_string_pretty(&facts).map_err(|_| Fault::Internal)?;
    Ok(Response::builder()
        .status(StatusCode::OK)
        .content_type("application/json")
        .header("cache-control", "no-store")
        .header("vary", "Accept, Cookie")
        .body(text))
}
