//! Sign in as anybody of the cast.

use std::sync::Arc;

use jsonwebtoken::{DecodingKey, Validation, decode};
use minijinja::context;
use poem::{
    Request, Response, handler,
    http::StatusCode,
    web::{Data, Form, Query},
};
use serde::Deserialize;
use url::Url;

use super::{Shared, redirect};
use crate::dev::{
    api::SESSION,
    cast::{LEARNERS, Learner, find},
};

/// The cookie that the api reads.
const COOKIE: &str = "vouch_session";

#[derive(Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(super) struct Choice {
    learner: i64,
    #[serde(default)]
    next: String,
}

/// A button for everybody.
#[handler]
pub(super) fn show(Query(query): Query<Next>, Data(shared): Data<&Arc<Shared>>) -> Response {
    let learners: Vec<_> = LEARNERS
        .iter()
        .map(|learner| context! { id => learner.id, name => learner.name, username => learner.username })
        .collect();
    shared.pages.show("login.html", &context! { learners, next => query.next })
}

/// Signs in, and goes on to where the learner came from.
#[handler]
pub(super) fn sign_in(Form(form): Form<Choice>, Data(shared): Data<&Arc<Shared>>) -> Response {
    let session = find(form.learner).and_then(|learner| shared.api.session(learner).ok());
    let Some(session) = session else {
        return Response::builder().status(StatusCode::BAD_REQUEST).body("There is no such learner.");
    };
    let cookie = format!("{COOKIE}={session}; Max-Age={}; Path=/; HttpOnly; SameSite=Lax", SESSION.num_seconds());
    let mut response = redirect(&destination(&shared.api_origin, &form.next));
    if let Ok(cookie) = cookie.parse() {
        response.headers_mut().insert("set-cookie", cookie);
    }
    response
}

/// Signs out.
#[handler]
pub(super) fn sign_out() -> Response {
    let cookie = format!("{COOKIE}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax");
    Response::builder().status(StatusCode::FOUND).header("location", "/login").header("set-cookie", cookie).finish()
}

/// Who is signed in.
pub(super) fn who(request: &Request, shared: &Shared) -> Option<&'static Learner> {
    #[derive(Deserialize)]
    struct Claims {
        sub: String,
    }
    let cookies = request.headers().get_all("cookie").iter().filter_map(|value| value.to_str().ok());
    let token = cookies.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))?;
    let claims = decode::<Claims>(token, &DecodingKey::from_secret(shared.api.jwt_secret()), &Validation::default()).ok()?.claims;
    find(claims.sub.parse().ok()?)
}

/// A page of the api, or the dashboard: never anybody else's.
fn destination(api: &Url, next: &str) -> String {
    let target = Some(next).filter(|next| !next.is_empty()).and_then(|next| api.join(next).ok());
    target.filter(|target| target.origin() == api.origin()).map_or_else(|| "/dashboard".to_owned(), String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_signing_in_the_learner_goes_to_the_api_or_to_the_dashboard_and_nowhere_else() {
        let api = Url::parse("http://127.0.0.1:8080").expect("an address");
        let to = |next: &str| destination(&api, next);
        assert_eq!(to("/verify_student/reverify?a=b"), "http://127.0.0.1:8080/verify_student/reverify?a=b");
        assert_eq!(to("http://127.0.0.1:8080/docs"), "http://127.0.0.1:8080/docs");
        for elsewhere in [
            "",
            "http://evil.example/",
            "//evil.example/",
            "/\\evil.example",
            "javascript:alert(1)",
            "http://127.0.0.1:81/",
            "https://127.0.0.1:8080/",
        ] {
            assert_eq!(to(elsewhere), "/dashboard", "{elsewhere}");
        }
    }
}
