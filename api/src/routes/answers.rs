//! Answers that several routes of the api give.

use poem_openapi::{ApiResponse, Object, Tags as OpenApiTags, payload::Json};

use crate::error::Fault;

/// The groups of the documentation.
#[derive(OpenApiTags)]
pub enum Tags {
    /// What the learning platform pushes; telling twice changes nothing.
    #[oai(rename = "LMS pushes")]
    Pushes,
    /// What others may read.
    Reads,
    /// What operators see and do; every action needs a reason and is kept with the name of the key.
    Operators,
}

/// It is kept.
#[derive(ApiResponse)]
pub enum Kept {
    /// It is kept.
    #[oai(status = 204)]
    Done,
}

/// A problem document (RFC 9457).
#[derive(Object)]
pub struct Problem {
    /// `about:blank`.
    #[oai(rename = "type")]
    kind: String,
    /// The status in words.
    title: String,
    /// The status.
    status: u16,
    /// What is wrong, and what to do about it.
    detail: String,
}

macro_rules! problems {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $status:literal,)* }) => {
        $(#[$doc])*
        #[derive(ApiResponse)]
        pub enum $name {
            $($(#[$variant_doc])* #[oai(status = $status, content_type = "application/problem+json")] $variant(Json<Problem>),)*
            /// Too many requests with this key; try again later.
            #[oai(status = 429, content_type = "application/problem+json")]
            TooMany(Json<Problem>, #[oai(header = "Retry-After")] u64),
            /// A server of ours is away; try again later.
            #[oai(status = 503, content_type = "application/problem+json")]
            Unavailable(Json<Problem>, #[oai(header = "Retry-After")] u64),
            /// A fault of ours; nothing was changed.
            #[oai(status = 500, content_type = "application/problem+json")]
            Internal(Json<Problem>),
        }

        impl From<Fault> for $name {
            fn from(fault: Fault) -> Self {
                let (status, retry_after) = (fault.status(), fault.retry_after().unwrap_or_default());
                let body = Json(Problem {
                    kind: "about:blank".to_owned(),
                    title: status.canonical_reason().unwrap_or("Error").to_owned(),
                    status: status.as_u16(),
                    detail: fault.to_string(),
                });
                match status.as_u16() {
                    $($status => Self::$variant(body),)*
                    429 => Self::TooMany(body, retry_after),
                    503 => Self::Unavailable(body, retry_after),
                    _ => Self::Internal(body),
                }
            }
        }
    };
}

problems! {
    /// Problems of a read.
    ReadProblem {
        /// The request makes no sense.
        BadRequest = 400,
        /// An api key is missing or not valid.
        Unauthorized = 401,
        /// The key's scope is too small.
        Forbidden = 403,
        /// There is no such thing.
        NotFound = 404,
    }
}

problems! {
    /// Problems of a push.
    PushProblem {
        /// The document makes no sense.
        BadRequest = 400,
        /// An api key is missing or not valid.
        Unauthorized = 401,
        /// The key's scope is too small.
        Forbidden = 403,
        /// It speaks of something that is not known.
        NotFound = 404,
        /// It took too long to arrive.
        TimedOut = 408,
        /// It speaks of a learner who was erased.
        Gone = 410,
        /// It is too large.
        TooLarge = 413,
        /// It is no JSON.
        UnsupportedMedia = 415,
    }
}

problems! {
    /// Problems of a submission.
    SubmitProblem {
        /// The submission is not sound; the text says how.
        BadRequest = 400,
        /// An api key is missing or not valid.
        Unauthorized = 401,
        /// The key's scope is too small.
        Forbidden = 403,
        /// It took too long to arrive.
        TimedOut = 408,
        /// The learner was erased.
        Gone = 410,
        /// It is too large.
        TooLarge = 413,
        /// It is neither JSON nor a form.
        UnsupportedMedia = 415,
        /// The `Idempotency-Key` was used for another submission.
        KeyUsed = 422,
    }
}

problems! {
    /// Problems of an operator's action. Nothing was changed.
    ActProblem {
        /// The request makes no sense, or gives no reason.
        BadRequest = 400,
        /// An api key is missing or not valid.
        Unauthorized = 401,
        /// The key's scope is too small.
        Forbidden = 403,
        /// There is no such thing.
        NotFound = 404,
        /// It took too long to arrive.
        TimedOut = 408,
        /// It stands where this does not fit.
        Conflict = 409,
        /// It speaks of a learner who was erased.
        Gone = 410,
        /// It is too large.
        TooLarge = 413,
        /// It is no JSON.
        UnsupportedMedia = 415,
        /// The `Idempotency-Key` was used for another request.
        KeyUsed = 422,
    }
}
