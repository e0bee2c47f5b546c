//! The methods that each path has: an answer of 405 names them (RFC 9110, section 15.5.6).
//!
//! The framework knows at most that a path has not this one, so the document is asked.

use std::sync::Arc;

use poem::{
    Endpoint, IntoResponse, Request, Response,
    http::{HeaderValue, StatusCode, header},
};
use serde_json::Value;

use crate::error::Fault;

/// Paths of the document, each with its methods.
#[derive(Debug, Default)]
pub(super) struct Allowed(Vec<(String, HeaderValue)>);

impl Allowed {
    /// The paths of an OpenAPI document.
    pub(super) fn of(document: &str) -> Self {
        let document: Value = serde_json::from_str(document).unwrap_or_default();
        let paths = document["paths"].as_object().into_iter().flatten();
        let methods = paths.filter_map(|(path, item)| {
            let names: Vec<String> = item.as_object()?.keys().map(|method| method.to_uppercase()).collect();
            Some((path.clone(), HeaderValue::from_str(&names.join(", ")).ok()?))
        });
        Self(methods.collect())
    }

    fn at(&self, path: &str) -> Option<&HeaderValue> {
        self.0.iter().find(|(known, _)| is_at(known, path)).map(|(_, methods)| methods)
    }

    /// Calls `next`, and completes its answer when the path has not that method.
    ///
    /// # Errors
    ///
    /// Those of `next` but this one.
    pub(super) async fn told<E: Endpoint>(self: Arc<Self>, next: Arc<E>, request: Request) -> poem::Result<Response> {
        let path = request.uri().path().to_owned();
        match next.call(request).await {
            Err(error) if error.status() == StatusCode::METHOD_NOT_ALLOWED => {
                let methods = self.at(&path).cloned();
                let text = methods.as_ref().and_then(|methods| methods.to_str().ok()).unwrap_or("others");
                let text = format!("This path has not that method; it has {text}.");
                let mut answer = Fault::Refused(StatusCode::METHOD_NOT_ALLOWED, text).problem();
                if let Some(methods) = methods {
                    answer.headers_mut().insert(header::ALLOW, methods);
                }
                Ok(answer)
            }
            other => other.map(IntoResponse::into_response),
        }
    }
}

/// Whether a path is one of those that `known` describes: a part in braces stands for any.
fn is_at(known: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    let is_same = known.split('/').all(|wanted| parts.next().is_some_and(|part| part == wanted || wanted.starts_with('{')));
    is_same && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_methods_of_the_first_that_describes_it() {
        let document = r#"{"paths":{"/jobs":{"get":{}},"/jobs/{id}":{"delete":{},"get":{}}}}"#;
        let allowed = Allowed::of(document);
        let at = |path| allowed.at(path).map(|methods| methods.to_str().unwrap());
        assert_eq!(at("/jobs"), Some("GET"));
        assert_eq!(at("/jobs/7"), Some("DELETE, GET"));
        assert_eq!([at("/jobs/"), at("/jobs/7/retry"), at("/")], [Some("DELETE, GET"), None, None]);
    }
}
