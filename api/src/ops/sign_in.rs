//! In and out: a key is given once, by a form, and never stands in an address.

use poem::{FromRequest, Request, RequestBody, Response, handler, http::StatusCode};
use serde_json::json;

use super::{
    client::{Client, Refusal},
    fields::Fields,
    session::{self, Session},
    view::{Frame, Page},
    visit::{Me, Submitted, console_of, fields_of_own_page, theme_of},
};
use crate::{error::Fault, limits};

/// Longest key that is tried.
const KEY_LENGTH_MAX: usize = 512;

/// The form.
#[handler]
pub(super) fn show(request: &Request) -> Result<Response, Fault> {
    let query = Fields::of_query(request);
    form(request, &query, None)
}

/// A key was given.
#[handler]
pub(super) async fn take(request: &Request, given: Given) -> Result<Response, Fault> {
    let console = console_of(request)?;
    let key = given.0.get("key");
    let is_sound = (1..=KEY_LENGTH_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_sound {
        return form(request, &given.0, Some(&wrong_key()));
    }
    let client = Client { api: &console.api, key };
    let me = match client.get("/me", &Fields::default()).await {
        Ok(answer) => Me::of(&answer),
        Err(refusal) if refusal.status == StatusCode::UNAUTHORIZED => {
            return limits::failed(request, || form(request, &given.0, Some(&wrong_key())))?;
        }
        Err(refusal) => return form(request, &given.0, Some(&refusal)),
    };
    if !me.may_look() {
        let detail = "This key is valid, but it may not use the console: it needs the scope attempts:read or attempts:operate.";
        return form(request, &given.0, Some(&Refusal::new(StatusCode::FORBIDDEN, detail)));
    }
    let mut response = super::redirect(destination(given.0.get("next")));
    console.cookies().sign_in(&mut response, &Session::begin(key, console.state.now()));
    Ok(response)
}

/// Signed out: the cookie goes, and with it the only copy of the key.
#[handler]
pub(super) fn leave(Submitted { visit, .. }: Submitted) -> Response {
    let mut response = super::redirect("/ops/sign-in?left=1");
    visit.console.cookies().sign_out(&mut response);
    response
}

/// Other colours, remembered.
#[handler]
pub(super) fn choose_theme(Submitted { visit, fields }: Submitted) -> Response {
    let mut response = super::redirect(destination(fields.get("next")));
    visit.console.cookies().remember_theme(&mut response, session::theme(fields.get("theme")));
    response
}

/// The form of somebody who is not signed in yet.
pub(super) struct Given(Fields);

impl<'a> FromRequest<'a> for Given {
    async fn from_request(request: &'a Request, body: &mut RequestBody) -> poem::Result<Self> {
        let console = console_of(request)?;
        Ok(Self(fields_of_own_page(request, body, console.settings()).await?))
    }
}

fn wrong_key() -> Refusal {
    Refusal::new(
        StatusCode::UNAUTHORIZED,
        "That key is not valid. It may be mistyped, expired or revoked; `vouch keys list` tells.",
    )
}

/// The form again; the key itself is never shown.
fn form(request: &Request, fields: &Fields, refusal: Option<&Refusal>) -> Result<Response, Fault> {
    let console = console_of(request)?;
    let facts = json!({ "next": destination(fields.get("next")), "left": fields.get("left") });
    let page = Page::new("sign-in.html", "", "Sign in", facts);
    let page = match refusal {
        Some(refusal) => page.refused(refusal, "sign-in", &json!({})),
        None => page,
    };
    let theme = theme_of(request);
    let frame = Frame { me: None, csrf: "", theme, flash: None, address: "/ops/sign-in", now: console.state.now() };
    Ok(super::view::answer(&console.templates, &frame, &page))
}

/// Where to go on: never to another site.
fn destination(next: &str) -> &str {
    let is_ours = next == "/ops" || next.starts_with("/ops/") || next.starts_with("/ops?");
    let is_plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') && !next.contains("//");
    let is_page = !next.starts_with("/ops/sign-in") && !next.starts_with("/ops/live/");
    if is_ours && is_plain && is_page { next } else { "/ops" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_nowhere_but_into_the_console() {
        for good in ["/ops", "/ops/jobs?state=dead&queue=vendor", "/ops?hours=24"] {
            assert_eq!(destination(good), good);
        }
        for bad in [
            "",
            "https://evil.example/",
            "//evil.example",
            "/opsevil",
            "/ops/\\evil",
            "/ops/../\r\nx",
            "/ops//evil",
            "/verify_student",
        ] {
            assert_eq!(destination(bad), "/ops", "{bad}");
        }
    }
}
