//! What others may read of an attempt.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{Object, OpenApi, param::Path, payload::Json};
use vouch_common::{
    domain::{
        attempt::{Status, reasons},
        ids::ReceiptId,
    },
    operations::read_attempts::{self, AttemptView},
};

use super::{
    answers::ReadProblem,
    finding::{JobAnswer, TimelineAnswer, WaitsForAnswer},
};
use crate::{error::Fault, extract::api_key::AttemptsReader, state::AppState};

/// Reads about attempts.
pub struct Attempts;

/// An attempt with all that is known of it. Photos are never shown.
#[derive(Object)]
struct AttemptAnswer {
    /// Its public name.
    receipt_id: String,
    /// The learner.
    user_id: i64,
    /// `created`, `ready`, `submitted`, `must_retry`, `approved` or `denied`.
    status: String,
    /// The legal name that the vendor compares with the ID.
    name: String,
    /// When it arrived (UTC).
    created_at: DateTime<Utc>,
    /// When it last changed (UTC).
    updated_at: DateTime<Utc>,
    /// When the vendor last accepted it (UTC).
    submitted_at: Option<DateTime<Utc>>,
    /// When its approval stops counting (UTC).
    expires_at: DateTime<Utc>,
    /// Who reviewed: empty for the vendor, `intake` for our own checks.
    reviewing_service: String,
    /// The operator who reviewed, if one did.
    reviewing_user: String,
    /// The vendor's reasons as JSON text, or what a failed submission answered.
    error_msg: String,
    /// The vendor's `MessageType`.
    error_code: String,
    /// Why it was denied, in words for the learner.
    reasons: Vec<String>,
    /// The attempt whose ID photo it uses, if another's.
    copy_id_photo_from: Option<String>,
    /// The checkpoints that wait for it.
    checkpoints: Vec<CheckpointAnswer>,
    /// Its history, oldest first.
    events: Vec<EventAnswer>,
    /// The jobs that are still to be done for it.
    jobs: Vec<JobAnswer>,
    /// The whole story, oldest first: what happened, every try of every job, callbacks, and what comes next.
    timeline: Vec<TimelineAnswer>,
    /// What it waits for; null: it is finished and nothing is left to do.
    waits_for: Option<WaitsForAnswer>,
    /// Its trace, if it is known.
    trace_id: Option<String>,
}

/// A place in a course that waits for a verdict.
#[derive(Object)]
struct CheckpointAnswer {
    /// The course key.
    course: String,
    /// The usage key.
    usage: String,
}

/// One line of an attempt's history.
#[derive(Object)]
struct EventAnswer {
    /// When (UTC).
    at: DateTime<Utc>,
    /// Who.
    actor: String,
    /// What.
    kind: String,
    /// The state before, if it changed.
    from: Option<String>,
    /// The state after, if it changed.
    to: Option<String>,
    /// More.
    detail: String,
}

#[OpenApi]
impl Attempts {
    /// An attempt with its history and jobs
    #[oai(path = "/attempts/:receipt_id", method = "get", tag = "super::answers::Tags::Reads")]
    async fn attempt(
        &self,
        state: Data<&AppState>,
        _key: AttemptsReader,
        receipt_id: Path<String>,
    ) -> Result<Json<AttemptAnswer>, ReadProblem> {
        let not_found = || Fault::not_found("There is no attempt of that receipt.");
        let receipt = ReceiptId::parse(&receipt_id.0).ok_or_else(not_found)?;
        let found = read_attempts::read(state.db(), receipt, state.now()).await.map_err(Fault::from)?;
        Ok(Json(answer(found.ok_or_else(not_found)?, state.settings().validity.days_good_for)))
    }
}

fn answer(view: AttemptView, days_good_for: u32) -> AttemptAnswer {
    let attempt = view.attempt;
    let reasons = if attempt.status == Status::Denied { reasons::texts(&attempt.error_msg) } else { Vec::new() };
    AttemptAnswer {
        receipt_id: attempt.receipt.to_string(),
        user_id: attempt.user.0,
        status: attempt.status.to_string(),
        expires_at: attempt.expires_at(days_good_for),
        name: attempt.name,
        created_at: attempt.created_at,
        updated_at: attempt.updated_at,
        submitted_at: attempt.submitted_at,
        reviewing_service: attempt.reviewing_service,
        reviewing_user: attempt.reviewing_user,
        error_msg: attempt.error_msg,
        error_code: attempt.error_code,
        reasons,
        copy_id_photo_from: view.copy_id_photo_from.map(|receipt| receipt.to_string()),
        checkpoints: view.checkpoints.into_iter().map(|(course, usage)| CheckpointAnswer { course, usage }).collect(),
        events: view
            .events
            .into_iter()
            .map(|event| EventAnswer {
                at: event.at,
                actor: event.actor,
                kind: event.kind,
                from: event.from,
                to: event.to,
                detail: event.detail,
            })
            .collect(),
        jobs: view.jobs.into_iter().map(|job| JobAnswer::new(job, Some(attempt.receipt.to_string()))).collect(),
        timeline: view.timeline.into_iter().map(TimelineAnswer::from).collect(),
        waits_for: view.waits_for.map(WaitsForAnswer::from),
        trace_id: view.trace_id,
    }
}
