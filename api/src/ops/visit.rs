//! A request of somebody who is signed in, and a form that they sent.

use std::sync::Arc;

use poem::{
    FromRequest, Request, RequestBody, Response,
    http::{Method, StatusCode, header},
};
use serde_json::Value;
use vouch_common::config::Settings;

use super::{
    Console,
    client::{Client, Refusal},
    fields::Fields,
    session::{Flash, SESSION_COOKIE, Session, THEME_COOKIE, theme},
    view::{Frame, Page},
};
use crate::{error::Fault, extract::body, limits};

/// Largest form that is read, in bytes.
const FORM_BYTES_MAX: usize = 256 << 10;

/// Somebody who is signed in looks at a page.
pub(super) struct Visit {
    pub(super) console: Arc<Console>,
    pub(super) session: Session,
    /// The key's name and role.
    pub(super) me: Me,
    pub(super) query: Fields,
    /// The address that was asked for.
    pub(super) address: String,
    flash: Option<Flash>,
    theme: &'static str,
}

/// Whom the key belongs to.
pub(super) struct Me {
    pub(super) name: String,
    /// `viewer`, `operator` or `admin`.
    pub(super) role: String,
}

impl Me {
    pub(super) fn of(answer: &Value) -> Self {
        let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { name: text("name"), role: text("role") }
    }

    /// Whether it may look at all.
    pub(super) fn may_look(&self) -> bool {
        matches!(self.role.as_str(), "viewer" | "operator" | "admin")
    }

    pub(super) fn may_act(&self) -> bool {
        matches!(self.role.as_str(), "operator" | "admin")
    }
}

/// The console that serves a request.
pub(super) fn console_of(request: &Request) -> Result<Arc<Console>, Fault> {
    request.data::<Arc<Console>>().cloned().ok_or(Fault::Internal)
}

/// The colours that the visitor chose.
pub(super) fn theme_of(request: &Request) -> &'static str {
    request.cookie().get(THEME_COOKIE).map_or("auto", |cookie| theme(cookie.value_str()))
}

impl<'a> FromRequest<'a> for Visit {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> poem::Result<Self> {
        let console = console_of(request)?;
        let address = request.original_uri().path_and_query().map_or("/ops", |target| target.as_str()).to_owned();
        let keys = &console.settings().master_keys;
        let Some(session) = Session::of(request, keys, console.state.now()) else {
            let has_cookie = request.cookie().get(SESSION_COOKIE).is_some_and(|cookie| !cookie.value_str().is_empty());
            let nobody = || nobody(request, &console, &address);
            return Err(if has_cookie { limits::failed(request, nobody)? } else { nobody() });
        };
        let client = Client { api: &console.api, key: session.key() };
        let me = match client.get("/me", &Fields::default()).await {
            Ok(answer) => Me::of(&answer),
            Err(refusal) if refusal.status == StatusCode::UNAUTHORIZED => return Err(nobody(request, &console, &address)),
            Err(refusal) => return Err(poem::Error::from_response(plain(&refusal))),
        };
        limits::proven(request);
        if !me.may_look() {
            let detail = "This key may not look into the console; it needs the scope attempts:read or attempts:operate.";
            return Err(poem::Error::from_response(plain(&Refusal::new(StatusCode::FORBIDDEN, detail))));
        }
        let flash = Flash::of(request, keys);
        Ok(Self { session, me, query: Fields::of_query(request), address, flash, theme: theme_of(request), console })
    }
}

/// Off to the sign-in page, and back to where they were.
fn nobody(request: &Request, console: &Console, address: &str) -> poem::Error {
    let is_look = request.method() == Method::GET && !address.starts_with("/ops/live/");
    if !is_look {
        let detail = "You are signed out. Sign in again; nothing was changed.";
        return poem::Error::from_response(plain(&Refusal::new(StatusCode::UNAUTHORIZED, detail)));
    }
    if request.header("sec-fetch-site") == Some("cross-site") && request.header("sec-fetch-mode") == Some("navigate") {
        // A link in a mail or an alert: the browser kept the cookie back, and sends it when the page itself goes on.
        return poem::Error::from_response(super::view::detour(&console.templates, address));
    }
    let next = Fields::default().with("next", address).query();
    let mut response = super::redirect(&format!("/ops/sign-in?{next}"));
    console.cookies().sign_out(&mut response);
    poem::Error::from_response(response)
}

fn plain(refusal: &Refusal) -> Response {
    Response::builder().status(refusal.status).content_type("text/plain; charset=utf-8").body(refusal.detail.clone())
}

impl Visit {
    pub(super) fn client(&self) -> Client<'_> {
        Client { api: &self.console.api, key: self.session.key() }
    }

    /// What the api says at a path.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Refusal> {
        self.client().get(path, &Fields::default()).await
    }

    /// What every page and every part of one shows.
    pub(super) fn frame(&self) -> Frame<'_> {
        Frame {
            me: Some(&self.me),
            csrf: &self.session.csrf,
            theme: self.theme,
            flash: self.flash.as_ref(),
            address: &self.address,
            now: self.console.state.now(),
        }
    }

    /// A page, or what stands in its way.
    pub(super) fn show(&self, page: Result<Page, Refusal>) -> Response {
        match page {
            Ok(page) => self.answer(&page),
            Err(refusal) if refusal.status == StatusCode::UNAUTHORIZED => {
                let mut response = super::redirect("/ops/sign-in");
                self.console.cookies().sign_out(&mut response);
                response
            }
            Err(refusal) => self.answer(&Page::problem(&refusal)),
        }
    }

    fn answer(&self, page: &Page) -> Response {
        let mut response = super::view::answer(&self.console.templates, &self.frame(), page);
        if self.flash.is_some() {
            self.console.cookies().told(&mut response);
        }
        response
    }

    /// On to a page that says what happened and what comes next.
    pub(super) fn done(&self, location: &str, text: impl Into<String>, more: impl Into<String>) -> Response {
        let mut response = super::redirect(location);
        self.console.cookies().tell(&mut response, &Flash { text: text.into(), more: more.into() });
        response
    }
}

/// A form that somebody who is signed in sent from a page of ours.
pub(super) struct Submitted {
    pub(super) visit: Visit,
    pub(super) fields: Fields,
}

impl<'a> FromRequest<'a> for Submitted {
    async fn from_request(request: &'a Request, body: &mut RequestBody) -> poem::Result<Self> {
        let visit = Visit::from_request(request, body).await?;
        let fields = fields_of_own_page(request, body, visit.console.settings()).await?;
        if visit.session.owns(fields.get("csrf")) {
            return Ok(Self { visit, fields });
        }
        let refusal =
            Refusal::new(StatusCode::FORBIDDEN, "The form is from another session. Load the page again; nothing was changed.");
        Err(poem::Error::from_response(visit.show(Err(refusal))))
    }
}

/// The fields of a form that a page of ours sent.
pub(super) async fn fields_of_own_page(request: &Request, body: &mut RequestBody, settings: &Settings) -> Result<Fields, Fault> {
    if !is_from_here(request, settings) {
        return Err(Fault::forbidden("The form was sent by another site. Nothing was changed."));
    }
    let body = body.take().map_err(|_| Fault::bad_request("There is no form."))?;
    let bytes = body::read(request, body, FORM_BYTES_MAX).await?;
    Ok(Fields::parse(&bytes))
}

/// The browser tells which site sent a form; another site can't change what it tells.
fn is_from_here(request: &Request, settings: &Settings) -> bool {
    if let Some(site) = request.header("sec-fetch-site") {
        return site == "same-origin";
    }
    let Some(origin) = request.header(header::ORIGIN) else { return false };
    let host = request.header(header::HOST).unwrap_or_default();
    let is_public = origin == settings.public_url.origin().ascii_serialization();
    is_public || origin.split_once("://").is_some_and(|(_, place)| !host.is_empty() && place == host)
}
