//! The operators' console at `/ops`: pages that are rendered here and that only ask and tell `/api/v1`, with the key
//! of whoever is signed in. It decides nothing: rights, reasons and the audit are the api's. See `docs/console.md`.

mod attempt;
mod audit;
mod brakes;
mod charts;
mod client;
mod errors;
mod fields;
mod jobs;
mod live;
mod overview;
mod retries;
mod search;
mod session;
mod sign_in;
mod view;
mod visit;
mod words;

use std::sync::Arc;

use minijinja::Environment;
use poem::{
    Endpoint, EndpointExt, Request, Response, Route,
    error::NotFoundError,
    get, handler,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    post,
};
use tokio::sync::Semaphore;
use vouch_common::config::Settings;

pub(crate) use self::client::Api;
use self::{session::Cookies, visit::Visit};
use crate::{error::Fault, state::AppState};

/// Most pages that are kept up to date at one time; the others work by reload.
const STREAMS_MAX: usize = 50;

/// Nothing runs, loads or connects but what we serve ourselves.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types vouch-ops";

/// What stands on every answer. The referrer stays within the console: without it browsers would hide where a form
/// comes from.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
    (header::CACHE_CONTROL, "no-store"),
];

/// What the console's handlers share.
pub(crate) struct Console {
    api: Api,
    state: AppState,
    templates: Environment<'static>,
    streams: Arc<Semaphore>,
}

impl Console {
    fn settings(&self) -> &Settings {
        self.state.settings()
    }

    fn cookies(&self) -> Cookies<'_> {
        Cookies { keys: &self.settings().master_keys, is_https: self.settings().public_url.scheme() == "https" }
    }
}

/// The console's routes, to be nested under `/ops`; `api` is what is served under `/api/v1`.
pub(crate) fn routes(api: Api, state: &AppState) -> impl Endpoint<Output = Response> + use<> {
    let templates = view::templates();
    let console = Console { api, state: state.clone(), templates, streams: Arc::new(Semaphore::new(STREAMS_MAX)) };
    Route::new()
        .at("/", get(overview::show))
        .at("/sign-in", get(sign_in::show).post(sign_in::take))
        .at("/sign-out", post(sign_in::leave))
        .at("/theme", post(sign_in::choose_theme))
        .at("/search", get(search::show))
        .at("/errors", get(errors::show))
        .at("/attempts/:receipt", get(attempt::show))
        .at("/attempts/:receipt/:action", get(attempt::confirm).post(attempt::act))
        .at("/jobs", get(jobs::list))
        .at("/jobs/:id", get(jobs::show))
        .at("/jobs/:id/:action", get(jobs::confirm).post(jobs::act))
        .at("/retries", get(retries::list).post(retries::start))
        .at("/retries/new", get(retries::prepare))
        .at("/retries/:id", get(retries::show))
        .at("/retries/:id/cancel", post(retries::cancel))
        .at("/queues/:name", get(brakes::show_queue).post(brakes::act_on_queue))
        .at("/breakers/:vendor", get(brakes::show_breaker).post(brakes::force))
        .at("/audit", get(audit::show))
        .at("/live/*screen", get(live::stream))
        .at("/:nothing", get(nothing))
        .data(Arc::new(console))
        .catch_all_error(answer_of)
        .map_to_response()
        .around(guarded)
}

/// A page for an address that has none.
#[handler]
#[expect(clippy::needless_pass_by_value, reason = "a handler owns what it is given")]
fn nothing(visit: Visit) -> Response {
    visit.show(Err(client::Refusal::new(StatusCode::NOT_FOUND, "There is no such page.")))
}

async fn answer_of(error: poem::Error) -> Response {
    if error.is::<NotFoundError>() {
        return Fault::not_found("There is no such page.").plain();
    }
    let fault = error.downcast_ref::<Fault>().map(Fault::plain);
    fault.unwrap_or_else(|| error.into_response())
}

async fn guarded<E: Endpoint<Output = Response>>(next: Arc<E>, request: Request) -> poem::Result<Response> {
    let mut response = next.call(request).await?;
    protect(response.headers_mut());
    Ok(response)
}

fn protect(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// On to another page, by a fresh GET.
fn redirect(location: &str) -> Response {
    Response::builder().status(StatusCode::SEE_OTHER).header(header::LOCATION, location).finish()
}
