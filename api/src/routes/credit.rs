//! Credit: what the platform reports of a learner's requirements, grade and requests. Source: reference 8.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{
    Enum, Object, OpenApi,
    param::Path,
    payload::Json,
    types::{Any, MaybeUndefined},
};
use serde_json::Value;
use vouch_common::{
    domain::{credit::RequirementStatus, grade::Grade},
    operations::{
        request_credit::{self, Told},
        set_requirement::{self, CreditUpdated, Target},
    },
    store::credit_requests::CreditRequest,
};

use super::{
    answers::{Kept, PushProblem, ReadProblem},
    paths,
};
use crate::{
    error::Fault,
    extract::api_key::{AttemptsReader, LmsWriter},
    state::AppState,
};

/// Credit of learners.
pub struct Credit;

/// A status in a requirement.
#[derive(Debug, Clone, Copy, Enum)]
#[oai(rename_all = "lowercase")]
enum StatusInRequirement {
    Satisfied,
    Failed,
    Declined,
}

impl From<StatusInRequirement> for RequirementStatus {
    fn from(status: StatusInRequirement) -> Self {
        match status {
            StatusInRequirement::Satisfied => Self::Satisfied,
            StatusInRequirement::Failed => Self::Failed,
            StatusInRequirement::Declined => Self::Declined,
        }
    }
}

/// A learner's status in a requirement, as the platform reports it.
#[derive(Object)]
struct RequirementStatusDocument {
    /// The status.
    status: StatusInRequirement,
    /// Why, in any shape; absent: an empty object.
    reason: Option<Any<Value>>,
}

/// A learner's grade.
#[derive(Object)]
struct GradeDocument {
    /// The share of all points, 0 to 1.
    percent: f64,
    /// From when on it comes too late; absent: never.
    deadline: Option<DateTime<Utc>>,
}

/// What came of it.
#[derive(Object)]
struct CreditUpdateAnswer {
    /// `set`; `eligible`: set, and the learner became eligible; `kept`: nothing changed, because the learner
    /// is eligible already or has asked for credit; `not_required`: the course demands no such thing, or the
    /// grade says nothing yet.
    outcome: String,
}

/// A status of a request.
#[derive(Debug, Clone, Copy, Enum)]
#[oai(rename_all = "lowercase")]
enum CreditRequestStatus {
    Pending,
    Approved,
    Rejected,
}

impl CreditRequestStatus {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }
}

/// A learner's request for credit at a provider.
#[derive(Object)]
struct CreditRequestDocument {
    /// How it stands.
    status: CreditRequestStatus,
    /// What the provider was told; absent: as it is.
    parameters: MaybeUndefined<Any<Value>>,
}

/// A learner's request for credit at a provider.
#[derive(Object)]
struct CreditRequestAnswer {
    /// Its name at the provider: 32 hex digits, made once.
    uuid: String,
    /// The provider.
    provider: String,
    /// `pending`, `approved` or `rejected`.
    status: String,
    /// What the provider was told.
    parameters: Any<Value>,
    /// Since when it exists (UTC).
    created_at: DateTime<Utc>,
    /// When it last changed (UTC).
    updated_at: DateTime<Utc>,
}

/// A learner's requests in a course.
#[derive(Object)]
struct CreditRequestsAnswer {
    /// Oldest first.
    requests: Vec<CreditRequestAnswer>,
}

#[OpenApi]
impl Credit {
    /// Keep a learner's status in a requirement
    ///
    /// For what Vouch does not decide itself: grades, proctored exams. The last requirement that is satisfied
    /// makes the learner eligible.
    #[expect(clippy::too_many_arguments, reason = "the framework takes each part of a request as an argument")]
    #[oai(
        path = "/users/:user_id/credit/:course/requirements/:namespace/:name",
        method = "put",
        tag = "super::answers::Tags::Pushes"
    )]
    async fn set(
        &self,
        state: Data<&AppState>,
        _key: LmsWriter,
        user_id: Path<i64>,
        course: Path<String>,
        namespace: Path<String>,
        name: Path<String>,
        document: Json<RequirementStatusDocument>,
    ) -> Result<Json<CreditUpdateAnswer>, PushProblem> {
        let (user, course) = (paths::user(user_id.0)?, paths::course(&course.0)?);
        let target = Target { user, course: &course, namespace: &namespace.0, name: &name.0 };
        let reason = document.0.reason.map_or(Value::Null, |reason| reason.0);
        let set = set_requirement::set(state.db(), &target, document.0.status.into(), &reason, state.now());
        Ok(told(&state, &target, set.await.map_err(Fault::from)?))
    }

    /// Remove a learner's status in a requirement
    ///
    /// Whether the learner is eligible stays as it is. There may be none.
    #[expect(clippy::too_many_arguments, reason = "the framework takes each part of a request as an argument")]
    #[oai(
        path = "/users/:user_id/credit/:course/requirements/:namespace/:name",
        method = "delete",
        tag = "super::answers::Tags::Pushes"
    )]
    async fn remove(
        &self,
        state: Data<&AppState>,
        _key: LmsWriter,
        user_id: Path<i64>,
        course: Path<String>,
        namespace: Path<String>,
        name: Path<String>,
    ) -> Result<Kept, PushProblem> {
        let (user, course) = (paths::user(user_id.0)?, paths::course(&course.0)?);
        let target = Target { user, course: &course, namespace: &namespace.0, name: &name.0 };
        if !set_requirement::remove(state.db(), &target).await.map_err(Fault::from)? {
            tracing::warn!(user.id = user.0, course = %course, "a credit status was to be removed that does not exist");
        }
        Ok(Kept::Done)
    }

    /// Report a learner's grade
    ///
    /// It counts for the requirement `grade`/`grade`, whose criteria have `min_grade`.
    #[expect(clippy::too_many_arguments, reason = "the framework takes each part of a request as an argument")]
    #[oai(path = "/users/:user_id/credit/:course/grade", method = "put", tag = "super::answers::Tags::Pushes")]
    async fn grade(
        &self,
        state: Data<&AppState>,
        _key: LmsWriter,
        user_id: Path<i64>,
        course: Path<String>,
        document: Json<GradeDocument>,
    ) -> Result<Json<CreditUpdateAnswer>, PushProblem> {
        let (user, course) = (paths::user(user_id.0)?, paths::course(&course.0)?);
        let grade = Grade { percent: document.percent, deadline: document.deadline };
        if !(0.0..=1.0).contains(&grade.percent) {
            return Err(Fault::bad_request("percent must be a number from 0 to 1.").into());
        }
        let reported = set_requirement::report_grade(state.db(), user, &course, grade, state.now()).await.map_err(Fault::from)?;
        if reported == CreditUpdated::Eligible {
            state.wake();
        }
        Ok(Json(CreditUpdateAnswer { outcome: reported.as_str().to_owned() }))
    }

    /// Keep a learner's request for credit
    ///
    /// From the first one on no requirement of the course changes any more for the learner.
    #[expect(clippy::too_many_arguments, reason = "the framework takes each part of a request as an argument")]
    #[oai(path = "/users/:user_id/credit/:course/requests/:provider", method = "put", tag = "super::answers::Tags::Pushes")]
    async fn request(
        &self,
        state: Data<&AppState>,
        _key: LmsWriter,
        user_id: Path<i64>,
        course: Path<String>,
        provider: Path<String>,
        document: Json<CreditRequestDocument>,
    ) -> Result<Json<CreditRequestAnswer>, PushProblem> {
        let (user, course) = (paths::user(user_id.0)?, paths::course(&course.0)?);
        let parameters = match &document.parameters {
            MaybeUndefined::Value(Any(parameters)) => Some(parameters),
            MaybeUndefined::Undefined | MaybeUndefined::Null => None,
        };
        let told = Told { provider: &provider.0, status: document.status.as_str(), parameters };
        let kept = request_credit::put(state.db(), user, &course, told, state.now()).await.map_err(Fault::from)?;
        Ok(Json(request_answer(kept)))
    }

    /// A learner's requests for credit in a course
    #[oai(path = "/users/:user_id/credit/:course/requests", method = "get", tag = "super::answers::Tags::Reads")]
    async fn requests(
        &self,
        state: Data<&AppState>,
        _key: AttemptsReader,
        user_id: Path<i64>,
        course: Path<String>,
    ) -> Result<Json<CreditRequestsAnswer>, ReadProblem> {
        let (user, course) = (paths::user(user_id.0)?, paths::course(&course.0)?);
        let found = request_credit::list(state.db(), user, &course).await.map_err(Fault::from)?;
        let found = found.ok_or_else(|| Fault::not_found("This user or this course is not known."))?;
        Ok(Json(CreditRequestsAnswer { requests: found.into_iter().map(request_answer).collect() }))
    }
}

/// Tells what came of a status. A requirement that does not exist is no error. Source: reference 8.2, step 3.
fn told(state: &AppState, target: &Target<'_>, updated: CreditUpdated) -> Json<CreditUpdateAnswer> {
    match updated {
        CreditUpdated::Eligible => state.wake(),
        CreditUpdated::NotRequired => {
            tracing::warn!(user.id = target.user.0, course = %target.course, "a credit status is for a requirement that does not exist");
        }
        CreditUpdated::Kept | CreditUpdated::Set => {}
    }
    Json(CreditUpdateAnswer { outcome: updated.as_str().to_owned() })
}

fn request_answer(request: CreditRequest) -> CreditRequestAnswer {
    CreditRequestAnswer {
        uuid: request.uuid.simple().to_string(),
        provider: request.provider_id,
        status: request.status,
        parameters: Any(request.parameters),
        created_at: request.created_at,
        updated_at: request.updated_at,
    }
}
