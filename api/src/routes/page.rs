//! A page for people, or its facts for programs: whichever the caller accepts.

use poem::{Request, Response, http::StatusCode};
use serde_json::{Map, Value};

use crate::{error::Fault, state::AppState};

/// Whether the caller wants the facts as JSON instead of a page.
#[must_use]
pub fn wants_json(request: &Request) -> bool {
    let accepted = request.header("accept").unwrap_or_default();
    accepted
        .split(',')
        .filter_map(|range| range.split(';').next())
        .any(|range| range.trim().eq_ignore_ascii_case("application/json"))
}

/// Answers with a page of these facts.
///
/// # Errors
///
/// When the facts can't be written.
pub fn answer(request: &Request, state: &AppState, name: &str, facts: Map<String, Value>) -> Result<Response, Fault> {
    let mut facts = facts;
    let settings = state.settings();
    facts.insert("page".to_owned(), name.into());
    facts.insert("platform_name".to_owned(), settings.platform_name.clone().into());
    facts.insert("dashboard_url".to_owned(), settings.dashboard_url.clone().into());
    facts.insert("support_email".to_owned(), settings.support_email.clone().into());
    let _ = wants_json(request);
    let text = serde_json::to_string_pretty(&facts).map_err(|_| Fault::Internal)?;
    Ok(Response::builder()
        .status(StatusCode::OK)
        .content_type("application/json")
        .header("cache-control", "no-store")
        .header("vary", "Accept, Cookie")
        .body(text))
}
