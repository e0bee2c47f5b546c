//! The one map from what went wrong to what the caller is told.
//!
//! A caller gets a clear text; the cause goes to the log, once, here.

use poem::{
    Response,
    http::{HeaderValue, StatusCode},
};
use poem_openapi::error::{ParseParamError, ParsePathError, ParseRequestPayloadError};
use serde_json::json;
use vouch_common::{
    adapters::objects::ObjectsError,
    domain::operator::NoReason,
    operations::{OperationError, act_refused::ActRefused, push_from_lms::PushRefused},
    store::StoreError,
    telemetry::chain,
};

/// After how many seconds a caller may try again when a server of ours is away.
pub(crate) const RETRY_AFTER_SECONDS: u64 = 5;

/// The type of a problem document.
const PROBLEM: &str = "application/problem+json";

/// Why a request is not served.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The request itself is at fault; the text says how.
    #[error("{1}")]
    Refused(StatusCode, String),
    /// Too many requests of one caller; the next is served after so many seconds.
    #[error("Too many requests. Please try again in {0} seconds.")]
    TooMany(u64),
    /// A server of ours is away; the same request may succeed later.
    #[error("The service is busy or restarting. Please try again in a few seconds.")]
    Unavailable,
    /// A fault of ours; it is in the log.
    #[error("Something went wrong on our side. Nothing was changed.")]
    Internal,
}

impl Fault {
    /// 400 with a text.
    pub fn bad_request(text: impl Into<String>) -> Self {
        Self::Refused(StatusCode::BAD_REQUEST, text.into())
    }

    /// 403 with a text.
    pub fn forbidden(text: impl Into<String>) -> Self {
        Self::Refused(StatusCode::FORBIDDEN, text.into())
    }

    /// 404 with a text.
    pub fn not_found(text: impl Into<String>) -> Self {
        Self::Refused(StatusCode::NOT_FOUND, text.into())
    }

    /// 409 with a text.
    pub fn conflict(text: impl Into<String>) -> Self {
        Self::Refused(StatusCode::CONFLICT, text.into())
    }

    /// 413 with a text.
    pub fn too_large(text: impl Into<String>) -> Self {
        Self::Refused(StatusCode::PAYLOAD_TOO_LARGE, text.into())
    }

    /// The answer's status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Refused(status, _) => *status,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The answer as plain text, for the paths that Open edX's clients know.
    #[must_use]
    pub fn plain(&self) -> Response {
        let response = Response::builder().status(self.status()).content_type("text/plain; charset=utf-8").body(self.to_string());
        self.with_retry_after(response)
    }

    /// The answer as `application/problem+json` (RFC 9457), for the api.
    #[must_use]
    pub fn problem(&self) -> Response {
        self.with_retry_after(problem(self.status(), &self.to_string()))
    }

    /// After how many seconds the same request may succeed, if time alone helps.
    #[must_use]
    pub const fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooMany(seconds) => Some(*seconds),
            Self::Unavailable => Some(RETRY_AFTER_SECONDS),
            Self::Refused(..) | Self::Internal => None,
        }
    }

    fn with_retry_after(&self, mut response: Response) -> Response {
        if let Some(seconds) = self.retry_after() {
            response.headers_mut().insert("retry-after", seconds.into());
        }
        response
    }
}

/// A problem document.
#[must_use]
pub fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    let body = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
    Response::builder().status(status).content_type(PROBLEM).body(body.to_string())
}

/// Turns any error of the framework under `/api` into a problem document.
pub async fn problem_of(error: poem::Error) -> Response {
    let fault = error.downcast_ref::<Fault>().map(Fault::problem);
    if let Some(response) = fault {
        return response;
    }
    let status = error.status();
    let unread = error.downcast_ref::<ParseParamError>().map(|param| (param.name, &param.reason));
    let unread = unread.or_else(|| error.downcast_ref::<ParsePathError>().map(|part| (part.name, &part.reason)));
    if let Some((name, reason)) = unread {
        return problem(status, &format!("{name} can't be read: {reason}."));
    }
    if let Some(body) = error.downcast_ref::<ParseRequestPayloadError>() {
        return problem(status, &format!("The body can't be read: {}", without_values(&body.reason)));
    }
    let answer = error.into_response();
    if answer.content_type() == Some(PROBLEM) {
        // A handler said already what is wrong.
        return answer;
    }
    let mut response = problem(status, &detail_of(status));
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert("www-authenticate", HeaderValue::from_static("Bearer"));
    }
    response
}

/// What the framework says of a body, without what stood in it.
fn without_values(reason: &str) -> String {
    match reason.split_once(", found ") {
        Some((wanted, _)) => format!("{wanted}."),
        None => reason.to_owned(),
    }
}

fn detail_of(status: StatusCode) -> String {
    match status {
        StatusCode::UNAUTHORIZED => "An api key is missing or not valid. Send it as `Authorization: Bearer vk_…`.".to_owned(),
        other => other.canonical_reason().unwrap_or("Error").to_owned(),
    }
}

impl poem::error::ResponseError for Fault {
    fn status(&self) -> StatusCode {
        Self::status(self)
    }

    fn as_response(&self) -> Response {
        self.plain()
    }
}

impl From<OperationError> for Fault {
    fn from(error: OperationError) -> Self {
        match &error {
            OperationError::Store(store) if store.is_transient() => {
                tracing::warn!(error = %chain(&error), "the database is away");
                Self::Unavailable
            }
            OperationError::Store(StoreError::Erased) => Self::Refused(
                StatusCode::GONE,
                "This learner was erased, and nothing about them is kept. Nothing was changed.".to_owned(),
            ),
            OperationError::Store(StoreError::Unstorable(_)) => {
                Self::bad_request("A text holds the character U+0000, which can't be kept. Nothing was changed.")
            }
            OperationError::Store(StoreError::TooLongAgo(_)) => {
                Self::bad_request("A moment lies before 4713 BC, which can't be kept. Nothing was changed.")
            }
            _ => {
                tracing::error!(error = %chain(&error), "an operation failed");
                Self::Internal
            }
        }
    }
}

impl From<ObjectsError> for Fault {
    fn from(error: ObjectsError) -> Self {
        tracing::warn!(error = %chain(&error), "the object store failed");
        Self::Unavailable
    }
}

impl From<PushRefused> for Fault {
    fn from(error: PushRefused) -> Self {
        match error {
            PushRefused::Operation(cause) => cause.into(),
            PushRefused::UnknownCourse
            | PushRefused::UnknownUser
            | PushRefused::UnknownCheckpoint
            | PushRefused::UnknownProvider => Self::not_found(error.to_string()),
            PushRefused::Course(_) | PushRefused::NoCredit => Self::bad_request(error.to_string()),
        }
    }
}

impl From<NoReason> for Fault {
    fn from(error: NoReason) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<ActRefused> for Fault {
    fn from(error: ActRefused) -> Self {
        match error {
            ActRefused::Operation(cause) => cause.into(),
            ActRefused::Unknown(_) => Self::not_found(error.to_string()),
            ActRefused::Filter(_) | ActRefused::Rate(_) | ActRefused::LearnerReasons(_) => Self::bad_request(error.to_string()),
            ActRefused::KeyUsed => Self::Refused(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
            ActRefused::Busy
            | ActRefused::Waiting
            | ActRefused::Finished(_)
            | ActRefused::Undecidable { .. }
            | ActRefused::NotDead(_)
            | ActRefused::Needed(_)
            | ActRefused::NeededByRetry(_)
            | ActRefused::NeededByErasure(_)
            | ActRefused::NothingMatches
            | ActRefused::Over(_) => Self::conflict(error.to_string()),
        }
    }
}
