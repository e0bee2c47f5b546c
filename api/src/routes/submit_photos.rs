//! `POST /verify_student/submit-photos/`: a learner sends a face and an ID.
//!
//! Source: reference 6.1 for the order of the checks and their texts. Unlike there, nothing is changed when
//! any check fails, and nothing far away is waited for: photos are sealed and stored, then one transaction
//! writes the attempt with its jobs.

use poem::{Body, Request, Response, handler, http::StatusCode, web::Data};
use serde_json::json;

use super::submission;
use crate::{
    error::Fault,
    extract::{csrf, idempotency_key, learner::Learner, submission_form::SubmissionForm},
    state::AppState,
};

/// The header of the answer that names the attempt.
const RECEIPT_HEADER: &str = "vouch-receipt-id";

/// Takes a submission; answers `{}`, or from a checkpoint the way back. Source: reference 6.1, 11a and 11b.
#[handler]
pub(super) async fn submit(request: &Request, learner: Learner, body: Body, state: Data<&AppState>) -> Result<Response, Fault> {
    let user = learner.submitter.user.0;
    state.limits().of_submissions(user)?;
    let answer = take(request, &learner, body, state.0).await;
    if answer.as_ref().is_err_and(is_spared) {
        state.limits().spare_submission(user);
    }
    answer
}

/// Whether a submission that was not taken is not the learner's doing: a fault of ours, or another site's form.
fn is_spared(fault: &Fault) -> bool {
    matches!(fault, Fault::Unavailable | Fault::Internal | Fault::Refused(StatusCode::FORBIDDEN, _))
}

async fn take(request: &Request, learner: &Learner, body: Body, state: &AppState) -> Result<Response, Fault> {
    let form = SubmissionForm::read(request, body).await?;
    csrf::check(request, learner, form.csrf_token.as_deref())?;
    let who = &learner.submitter;
    let key = idempotency_key::read(request)?.map(|key| (format!("user:{}", who.user), key));
    let taken = submission::take(state, who, form.submission, key).await?;
    let answer = taken.url.map_or_else(|| json!({}), |url| json!({ "url": url }));
    let text = serde_json::to_string_pretty(&answer).map_err(|_| Fault::Internal)?;
    Ok(Response::builder()
        .status(StatusCode::OK)
        .content_type("application/json")
        .header(RECEIPT_HEADER, taken.receipt.to_string())
        .body(text))
}
