//! What others may read of a learner: standing and credit.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{Object, OpenApi, param::Path, payload::Json, types::Any};
use serde_json::Value;
use vouch_common::{
    domain::ids::UserId,
    operations::{read_attempts, read_credit},
};

use super::answers::ReadProblem;
use crate::{error::Fault, extract::api_key::AttemptsReader, state::AppState};

/// Reads about learners.
pub struct Users;

/// A learner's standing.
#[derive(Object)]
struct VerificationView {
    /// The learner.
    user_id: i64,
    /// `none`, `pending`, `approved`, `expired` or `must_reverify`.
    status: String,
    /// Whether the learner may submit photos (again).
    can_verify: bool,
    /// When the newest approval expires (UTC).
    expires_at: Option<DateTime<Utc>>,
    /// Why the newest attempt was denied, in words for the learner.
    reasons: Vec<String>,
}

/// A learner's credit in a course.
#[derive(Object)]
struct CreditAnswer {
    /// Whether the learner is eligible.
    eligible: bool,
    /// Until when (UTC).
    deadline: Option<DateTime<Utc>>,
    /// The active requirements, in order.
    requirements: Vec<RequirementAnswer>,
}

/// One requirement with the learner's status in it.
#[derive(Object)]
struct RequirementAnswer {
    /// Its namespace.
    namespace: String,
    /// Its name in the namespace.
    name: String,
    /// What learners read.
    display_name: String,
    /// What it takes.
    criteria: Any<Value>,
    /// Its place in the list, from 0.
    order: i32,
    /// `satisfied`, `failed`, `declined`, or null.
    status: Option<String>,
    /// Why.
    reason: Option<Any<Value>>,
    /// Since when (UTC).
    status_date: Option<DateTime<Utc>>,
}

#[OpenApi]
impl Users {
    /// A learner's standing
    #[oai(path = "/users/:user_id/verification", method = "get", tag = "super::answers::Tags::Reads")]
    async fn verification(
        &self,
        state: Data<&AppState>,
        _key: AttemptsReader,
        user_id: Path<i64>,
    ) -> Result<Json<VerificationView>, ReadProblem> {
        let standing = read_attempts::read_standing(state.db(), UserId(user_id.0), state.now(), state.settings().validity);
        let found = standing.await.map_err(Fault::from)?.ok_or_else(|| Fault::not_found("This user is not known."))?;
        Ok(Json(VerificationView {
            user_id: user_id.0,
            status: found.standing.as_str().to_owned(),
            can_verify: found.can_verify,
            expires_at: found.expires_at,
            reasons: found.reasons,
        }))
    }

    /// A learner's credit in a course
    #[oai(path = "/users/:user_id/credit/:course", method = "get", tag = "super::answers::Tags::Reads")]
    async fn credit(
        &self,
        state: Data<&AppState>,
        _key: AttemptsReader,
        user_id: Path<i64>,
        course: Path<String>,
    ) -> Result<Json<CreditAnswer>, ReadProblem> {
        let course = super::paths::course(&course.0)?;
        let found = read_credit::read(state.db(), UserId(user_id.0), &course, state.now()).await.map_err(Fault::from)?;
        let credit = found.ok_or_else(|| Fault::not_found("This user or this course is not known."))?;
        let requirements = credit.requirements.into_iter().map(|item| RequirementAnswer {
            namespace: item.namespace,
            name: item.name,
            display_name: item.display_name,
            criteria: Any(item.criteria),
            order: item.position,
            status: item.status,
            reason: item.reason.map(Any),
            status_date: item.status_date,
        });
        Ok(Json(CreditAnswer {
            eligible: credit.eligible_until.is_some(),
            deadline: credit.eligible_until,
            requirements: requirements.collect(),
        }))
    }
}
