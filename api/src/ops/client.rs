//! How the console asks and acts: by calls to `/api/v1` inside the process, with the key of whoever is signed in.
//! Rights, reasons and the audit are therefore the api's own.

use std::{fmt::Write, sync::Arc};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use poem::{
    Body, Endpoint, Request, Response,
    endpoint::BoxEndpoint,
    http::{Method, StatusCode, Uri, header},
};
use serde_json::Value;
use url::form_urlencoded;

use super::fields::Fields;

/// The endpoint that is served under `/api/v1`.
pub(crate) type Api = Arc<BoxEndpoint<'static, Response>>;

/// Largest answer that is read, in bytes: a page of 200 jobs with long errors fits many times.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Stands as it is in a part of a path.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Calls of one session.
pub(super) struct Client<'a> {
    pub(super) api: &'a Api,
    pub(super) key: &'a str,
}

/// What the api said instead of doing it.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) detail: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }
}

impl Client<'_> {
    /// What stands at a path, narrowed by the fields that are filled.
    pub(super) async fn get(&self, path: &str, query: &Fields) -> Result<Value, Refusal> {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query.filled()).finish();
        let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        self.call(Method::GET, &target, None, None).await
    }

    /// Sends a document.
    pub(super) async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Value, Refusal> {
        self.call(method, path, Some(body), None).await
    }

    /// Sends a document that counts once, however often it comes with this key.
    pub(super) async fn send_once(&self, path: &str, body: &Value, once: &str) -> Result<Value, Refusal> {
        self.call(Method::POST, path, Some(body), Some(once)).await
    }

    /// Takes something away, for a reason.
    pub(super) async fn delete(&self, path: &str, reason: &str) -> Result<Value, Refusal> {
        let target = format!("{path}?reason={}", utf8_percent_encode(reason, NON_ALPHANUMERIC));
        self.call(Method::DELETE, &target, None, None).await
    }

    async fn call(&self, method: Method, target: &str, body: Option<&Value>, once: Option<&str>) -> Result<Value, Refusal> {
        let uri = Uri::try_from(target).map_err(|_| Refusal::new(StatusCode::NOT_FOUND, "There is no such thing."))?;
        let mut request = Request::builder().method(method).uri(uri);
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.key));
        if let Some(once) = once {
            request = request.header("idempotency-key", once);
        }
        let request = match body {
            Some(body) => request.content_type("application/json").body(body.to_string()),
            None => request.body(Body::empty()),
        };
        let answer =
            self.api.call(request).await.map_err(|error| Refusal::new(error.status(), "Something went wrong on our side."))?;
        read(answer).await
    }
}

async fn read(answer: Response) -> Result<Value, Refusal> {
    let status = answer.status();
    let bytes = answer.into_body().into_bytes_limit(ANSWER_BYTES_MAX).await;
    let bytes = bytes.map_err(|_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "The answer can't be read."))?;
    let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    if status.is_success() {
        return Ok(value);
    }
    let told = value.get("detail").and_then(Value::as_str);
    let detail = told.or(status.canonical_reason()).unwrap_or("It was refused.");
    Err(Refusal::new(status, detail))
}

/// A path of parts, none of which can become two.
pub(super) fn path(parts: &[&str]) -> String {
    let mut path = String::new();
    for part in parts {
        let _ = write!(path, "/{}", utf8_percent_encode(part, PLAIN));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_path_stays_one_part() {
        assert_eq!(path(&["jobs", "7/../8?x#y"]), "/jobs/7%2F..%2F8%3Fx%23y");
    }
}
