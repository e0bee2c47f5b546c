//! Country rules at the door of a page, and what a learner who is kept out reads. Source: reference 4.10.

use poem::{
    Request, Response, handler,
    http::StatusCode,
    web::{Data, Path},
};
use serde_json::{Map, json};
use vouch_common::{domain::embargo, operations::load_flow::Flow};

use super::page;
use crate::{error::Fault, extract::caller_address::caller_address, state::AppState};

/// Where a learner is sent whom a course's country rules keep out.
pub(super) fn check(request: &Request, state: &AppState, flow: &Flow) -> Option<Response> {
    let rules = flow.country_rules.as_ref().filter(|_| state.settings().embargo.is_on)?;
    let address_country = caller_address(request).and_then(|address| state.countries().find(address));
    let profile_country = flow.learner.as_ref().and_then(|learner| learner.country.as_deref());
    let location = embargo::blocked_path(&rules.message_key);
    rules
        .block(address_country.as_deref(), profile_country)
        .then(|| Response::builder().status(StatusCode::FOUND).header("location", location).finish())
}

/// The message for a learner who is kept out.
#[handler]
pub(super) fn blocked(
    request: &Request,
    Data(state): Data<&AppState>,
    Path((access_point, message_key)): Path<(String, String)>,
) -> Result<Response, Fault> {
    if !matches!(access_point.as_str(), "enrollment" | "courseware") {
        return Err(Fault::not_found("There is no such message."));
    }
    let mut facts = Map::new();
    facts.insert("access_point".to_owned(), json!(access_point));
    facts.insert("message_key".to_owned(), json!(message_key));
    page::answer(request, state, "embargo-blocked", facts)
}
