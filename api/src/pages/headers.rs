//! The answer around a page: what the browser may do with it, and what it shall remember.

use std::sync::Arc;

use poem::{
    Endpoint, IntoResponse, Request, Response,
    http::{HeaderName, HeaderValue, StatusCode, header},
};

use super::visitor::{CSRF_COOKIE, LANGUAGE_COOKIE, Visitor};

/// How long a chosen language is remembered: a year, in seconds.
const LANGUAGE_SECONDS: u32 = 31_536_000;

/// Nothing runs, loads or connects but what we serve ourselves. `{form}` is where the payment may be sent to.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; \
                      connect-src 'self'; form-action {form}; base-uri 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// A page as an answer.
pub(super) fn answer(html: String, status: StatusCode, visitor: &Visitor, is_https: bool) -> Response {
    let form = if is_https { "'self' https:" } else { "'self' https: http:" };
    let mut response = Response::builder()
        .status(status)
        .content_type("text/html; charset=utf-8")
        .header("content-security-policy", POLICY.replace("{form}", form))
        .header("permissions-policy", "camera=(self), microphone=(), geolocation=()")
        .header("referrer-policy", "no-referrer")
        .header("x-content-type-options", "nosniff")
        .header("cross-origin-opener-policy", "same-origin")
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::CONTENT_LANGUAGE, visitor.language.tag())
        .header(header::VARY, "Accept, Accept-Language, Cookie")
        .body(html);
    let secure = if is_https { "; Secure" } else { "" };
    if let Some(token) = &visitor.new_token {
        set_cookie(&mut response, &format!("{CSRF_COOKIE}={token}; Path=/; SameSite=Lax{secure}"));
    }
    if visitor.chose_language {
        let tag = visitor.language.tag();
        let cookie = format!("{LANGUAGE_COOKIE}={tag}; Path=/; Max-Age={LANGUAGE_SECONDS}; SameSite=Lax; HttpOnly{secure}");
        set_cookie(&mut response, &cookie);
    }
    response
}

/// What stands on every answer that says nothing else: it is no page, and nobody may frame, guess or run it.
const USUAL: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Puts what every answer has on those that lack it.
///
/// # Errors
///
/// None: a fault has become an answer.
pub async fn everywhere<E: Endpoint>(next: Arc<E>, request: Request) -> poem::Result<Response> {
    let answer = next.call(request).await.map(IntoResponse::into_response);
    let mut answer = answer.unwrap_or_else(poem::Error::into_response);
    for (name, value) in USUAL {
        answer.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    Ok(answer)
}

/// The answer when a page can't be shown: a fault of ours, told in the log.
pub(super) fn no_page() -> Response {
    Response::builder()
        .status(StatusCode::INTERNAL_SERVER_ERROR)
        .content_type("text/plain; charset=utf-8")
        .header(header::CACHE_CONTROL, "no-store")
        .body("Something went wrong on our side. Nothing was changed.")
}

fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}
