//! `POST /verify_student/events/`: a page tells what its learner did, for analytics. Source: reference 9.
//!
//! Only names on the list are taken, and nothing else that a page says: an event holds nothing personal.

use poem::{Body, Request, Response, handler, http::StatusCode, web::Data};
use serde::Deserialize;
use vouch_common::{
    domain::event::Event,
    operations::track_event::{self, Reported},
};

use crate::{
    error::Fault,
    extract::{body, csrf, learner::Learner},
    state::AppState,
};

/// Largest request.
const BODY_BYTES_MAX: usize = 2 * 1024;
/// After how many seconds a learner of whom too many events wait may report again: they go when they are delivered.
const RETRY_AFTER_SECONDS: u64 = 60;

#[derive(Deserialize)]
struct Report {
    name: String,
    step: Option<String>,
    /// For a page that is being left: then no header can be set.
    csrfmiddlewaretoken: Option<String>,
}

/// Takes a report.
#[handler]
pub(super) async fn report(request: &Request, learner: Learner, body: Body, state: Data<&AppState>) -> Result<Response, Fault> {
    let bytes = body::read(request, body, BODY_BYTES_MAX).await?;
    let report: Report = serde_json::from_slice(&bytes)
        .map_err(|_| Fault::bad_request("The request must be a JSON object with name, and with step where there is one."))?;
    csrf::check(request, &learner, report.csrfmiddlewaretoken.as_deref())?;
    let event = Event::parse(&report.name, report.step.as_deref());
    let event = event.ok_or_else(|| Fault::bad_request("There is no event of that name and step."))?;
    match track_event::report(state.db(), &learner.submitter, &event, state.now()).await? {
        Reported::Kept => {
            state.wake();
            Ok(Response::builder().status(StatusCode::NO_CONTENT).finish())
        }
        Reported::UnknownLearner => Err(Fault::bad_request("No profile found for user")),
        Reported::TooMany => Err(Fault::TooMany(RETRY_AFTER_SECONDS)),
    }
}
