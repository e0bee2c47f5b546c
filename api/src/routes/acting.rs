//! What operators do to one attempt or one job.

use poem::web::Data;
use poem_openapi::{
    ApiResponse, Object, OpenApi,
    param::{Path, Query},
    payload::Json,
    types::Any,
};
use serde_json::Value;
use vouch_common::{
    domain::{
        ids::{JobId, ReceiptId},
        operator::Order,
    },
    operations::{
        decide_attempt::{self, Decision},
        drop_job, retry_attempt, retry_job,
    },
};

use super::answers::ActProblem;
use crate::{error::Fault, extract::api_key::Operator, state::AppState};

/// Acts on attempts and jobs.
pub struct Acting;

/// Why something is done.
#[derive(Object)]
struct ReasonDocument {
    /// Why: a line of 1 to 500 characters, for whoever asks later.
    reason: Option<String>,
}

/// Why an attempt is denied.
#[derive(Object)]
struct DenialDocument {
    /// Why: a line of 1 to 500 characters, for whoever asks later. The learner does not read it.
    reason: Option<String>,
    /// Why, for the learner, as the vendor says it: `{"photoIdReasons": ["Not provided"]}`. Without it the learner
    /// reads a general sentence.
    learner_reasons: Option<Any<Value>>,
}

/// An attempt that goes on.
#[derive(Object)]
struct RetriedAttemptAnswer {
    /// The attempt.
    receipt_id: String,
    /// Where it stands.
    status: String,
    /// The jobs that are due now.
    jobs: Vec<i64>,
}

/// An attempt that was decided.
#[derive(Object)]
struct DecidedAttemptAnswer {
    /// The attempt.
    receipt_id: String,
    /// `approved` or `denied`.
    status: String,
}

/// A job that goes on.
#[derive(Object)]
struct RetriedJobAnswer {
    /// The job.
    id: i64,
    /// `due`.
    state: String,
}

/// It is gone.
#[derive(ApiResponse)]
enum Dropped {
    /// It is gone.
    #[oai(status = 204)]
    Done,
}

#[OpenApi]
impl Acting {
    /// Set an attempt going again
    ///
    /// Its dead and scheduled jobs are due at once. An open attempt without the job that brings it on gets one, also
    /// when the vendor has it and never called back.
    #[oai(path = "/attempts/:receipt_id/retry", method = "post", tag = "super::answers::Tags::Operators")]
    async fn retry_attempt(
        &self,
        state: Data<&AppState>,
        key: Operator,
        receipt_id: Path<String>,
        document: Json<ReasonDocument>,
    ) -> Result<Json<RetriedAttemptAnswer>, ActProblem> {
        let order = order(&key, document.0.reason.as_deref())?;
        let receipt = receipt(&receipt_id.0)?;
        let retried = retry_attempt::retry(state.db(), receipt, &order, state.now()).await.map_err(Fault::from)?;
        told(&state, &order, "attempt.retry", &receipt.to_string());
        Ok(Json(RetriedAttemptAnswer {
            receipt_id: receipt.to_string(),
            status: retried.status.to_string(),
            jobs: retried.jobs.into_iter().map(|job| job.0).collect(),
        }))
    }

    /// Approve an attempt by hand
    ///
    /// With all that a verdict of the vendor causes: checkpoints, credit and mail. One that is `submitted`, `must_retry`
    /// or `denied` can be approved. A verdict of the vendor that comes later changes nothing.
    #[oai(path = "/attempts/:receipt_id/approve", method = "post", tag = "super::answers::Tags::Operators")]
    async fn approve(
        &self,
        state: Data<&AppState>,
        key: Operator,
        receipt_id: Path<String>,
        document: Json<ReasonDocument>,
    ) -> Result<Json<DecidedAttemptAnswer>, ActProblem> {
        let order = order(&key, document.0.reason.as_deref())?;
        Ok(decide(&state, &receipt_id.0, &Decision::Approve, &order).await?)
    }

    /// Deny an attempt by hand
    ///
    /// As approving; but every attempt can be denied, also one that is `created` or `ready`, and a denied one again.
    #[oai(path = "/attempts/:receipt_id/deny", method = "post", tag = "super::answers::Tags::Operators")]
    async fn deny(
        &self,
        state: Data<&AppState>,
        key: Operator,
        receipt_id: Path<String>,
        document: Json<DenialDocument>,
    ) -> Result<Json<DecidedAttemptAnswer>, ActProblem> {
        let order = order(&key, document.0.reason.as_deref())?;
        let learner_reasons = document.0.learner_reasons.map(|given| given.0).filter(|given| !given.is_null());
        Ok(decide(&state, &receipt_id.0, &Decision::Deny { learner_reasons }, &order).await?)
    }

    /// Set a dead or scheduled job going at once
    #[oai(path = "/jobs/:id/retry", method = "post", tag = "super::answers::Tags::Operators")]
    async fn retry_job(
        &self,
        state: Data<&AppState>,
        key: Operator,
        id: Path<i64>,
        document: Json<ReasonDocument>,
    ) -> Result<Json<RetriedJobAnswer>, ActProblem> {
        let order = order(&key, document.0.reason.as_deref())?;
        retry_job::retry(state.db(), JobId(id.0), &order, state.now()).await.map_err(Fault::from)?;
        told(&state, &order, "job.retry", &id.0.to_string());
        Ok(Json(RetriedJobAnswer { id: id.0, state: "due".to_owned() }))
    }

    /// Drop a dead job
    ///
    /// Not one that an open attempt needs: retry that, or decide the attempt.
    #[oai(path = "/jobs/:id", method = "delete", tag = "super::answers::Tags::Operators")]
    async fn drop_job(
        &self,
        state: Data<&AppState>,
        key: Operator,
        id: Path<i64>,
        /// Why: a line of 1 to 500 characters.
        reason: Query<Option<String>>,
    ) -> Result<Dropped, ActProblem> {
        let order = order(&key, reason.0.as_deref())?;
        drop_job::remove(state.db(), JobId(id.0), &order, state.now()).await.map_err(Fault::from)?;
        told(&state, &order, "job.drop", &id.0.to_string());
        Ok(Dropped::Done)
    }
}

/// The order of a key, if it says why.
pub(super) fn order(key: &Operator, reason: Option<&str>) -> Result<Order, Fault> {
    Ok(Order::new(key.0.name.clone(), reason.unwrap_or_default())?)
}

/// Tells the log who did what, and the relays that there may be work. Why is in the audit.
pub(super) fn told(state: &AppState, order: &Order, action: &'static str, target: &str) {
    tracing::info!(operator = order.actor, action, target, "an operator acted");
    state.wake();
}

fn receipt(text: &str) -> Result<ReceiptId, Fault> {
    ReceiptId::parse(text).ok_or_else(|| Fault::not_found("There is no attempt of that receipt. Nothing was changed."))
}

async fn decide(
    state: &AppState,
    receipt_id: &str,
    decision: &Decision,
    order: &Order,
) -> Result<Json<DecidedAttemptAnswer>, Fault> {
    let receipt = receipt(receipt_id)?;
    let status = decide_attempt::decide(state.db(), receipt, decision, order, state.now()).await?;
    let action = if *decision == Decision::Approve { "attempt.approve" } else { "attempt.deny" };
    told(state, order, action, receipt_id);
    Ok(Json(DecidedAttemptAnswer { receipt_id: receipt.to_string(), status: status.to_string() }))
}
