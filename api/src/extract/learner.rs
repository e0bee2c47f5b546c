//! Who the learner is: a token as bearer or in the session cookie.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use poem::{FromRequest, Request, RequestBody, Response, http::StatusCode, web::cookie::CookieJar};
use vouch_common::operations::submit_photos::Submitter;

use super::token::NoKeys;
use crate::{error::Fault, limits, state::AppState};

/// The session cookie of the learning platform.
pub const SESSION_COOKIE: &str = "vouch_session";

/// A learner whose token is valid.
#[derive(Clone)]
pub struct Learner {
    /// Who.
    pub submitter: Submitter,
    /// Whether the token came in a cookie: then a POST needs the CSRF token.
    pub has_cookie: bool,
}

impl<'a> FromRequest<'a> for Learner {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> poem::Result<Self> {
        let state = request.data::<AppState>().ok_or(Fault::Internal)?;
        let (token, has_cookie) = match bearer(request) {
            Some(token) => (Some(token.to_owned()), false),
            None => (request.cookie().get(SESSION_COOKIE).map(|cookie| cookie.value_str().to_owned()), true),
        };
        let Some(token) = token else { return Err(nobody(request, state)) };
        match state.tokens().verify(&token, state.now()).await {
            Ok(Some(submitter)) => {
                limits::proven(request);
                state.limits().of_learner(submitter.user.0)?;
                Ok(Self { submitter, has_cookie })
            }
            Ok(None) => Err(limits::failed(request, || nobody(request, state))?),
            Err(NoKeys) => Err(Fault::Unavailable.into()),
        }
    }
}

/// The bearer token of a request.
pub(crate) fn bearer(request: &Request) -> Option<&str> {
    let value = request.header("authorization")?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Nobody is signed in: off to the sign-in page, and back to where they were.
fn nobody(request: &Request, state: &AppState) -> poem::Error {
    let target = request.original_uri().path_and_query().map_or("/", |path| path.as_str());
    let login = &state.settings().login_url;
    let separator = if login.contains('?') { '&' } else { '?' };
    let location = format!("{login}{separator}next={}", utf8_percent_encode(target, NON_ALPHANUMERIC));
    poem::Error::from_response(Response::builder().status(StatusCode::FOUND).header("location", location).finish())
}

/// The cookies of a request, for checks beside the learner's own.
pub(crate) fn cookies(request: &Request) -> &CookieJar {
    request.cookie()
}
