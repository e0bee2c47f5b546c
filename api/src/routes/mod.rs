//! The routes, on one screen.

pub mod acting;
mod allowed;
pub mod answers;
pub mod attempts;
pub mod breakers;
pub mod checkpoints;
pub mod counted;
pub mod course_standing;
pub mod create_order;
pub mod credit;
mod description;
pub mod embargo;
pub mod erasures;
pub mod finding;
mod former_secret;
pub mod grants;
pub mod health;
pub mod lms;
pub mod machine_submission;
pub mod page;
pub mod paths;
pub mod pay_and_verify;
pub mod photo_download;
pub mod postpay_callback;
pub mod queue_history;
pub mod queues;
pub mod receipt;
pub mod report_event;
pub mod results_callback;
pub mod retries;
pub mod reverify;
pub mod settings;
pub mod status;
mod submission;
pub mod submit_photos;
pub mod users;
pub mod vendor_callback;

use std::sync::Arc;

use poem::{
    Endpoint, EndpointExt, IntoEndpoint, Request, Response, Route, endpoint::make_sync, get, middleware::CatchPanic, post,
};
use poem_openapi::OpenApiService;

use vouch_common::domain::{pay_and_verify::Message, vendor_format::VendorFormat};

use crate::{
    error::{self, Fault},
    extract::{api_key, body, submission_form::BODY_BYTES_MAX},
    limits,
    ops::{self, Api},
    pages,
    state::AppState,
};

/// The version of the HTTP interface.
const INTERFACE_VERSION: &str = "1.0";

/// Everything that is served.
#[must_use]
pub fn app(state: AppState) -> impl Endpoint {
    let api = service(state.settings().public_url.as_ref());
    let written = api.spec();
    let allowed = Arc::new(allowed::Allowed::of(&description::merged(&written)));
    let (document, pages) = description::served(&written, &api.redoc_html());
    let told = move |next, request| allowed::Allowed::told(Arc::clone(&allowed), next, request);
    let interface: Api =
        Arc::new(with_problems(api.into_endpoint().around(told).before(admitted)).data(state.clone()).map_to_response().boxed());
    // A deployment speaks one format; the other one's path is not there.
    let callbacks = match state.settings().vendor.format {
        VendorFormat::SoftwareSecure => Route::new().at("/verify_student/results_callback", post(results_callback::receive)),
        VendorFormat::Sealed => Route::new().at("/callbacks/vendor", post(vendor_callback::receive)),
    };
    callbacks
        .at("/verify_student/start-flow/*course", get(pay_and_verify::page(Message::FirstTimeVerify)))
        .at("/verify_student/begin-flow/*course", get(pay_and_verify::page(Message::FirstTimeVerify)))
        .at("/verify_student/upgrade/*course", get(pay_and_verify::page(Message::Upgrade)))
        .at("/verify_student/verify-now/*course", get(pay_and_verify::page(Message::VerifyNow)))
        .at("/verify_student/verify-later/*course", get(pay_and_verify::page(Message::VerifyLater)))
        .at("/verify_student/payment-confirmation/*course", get(pay_and_verify::page(Message::PaymentConfirmation)))
        .at("/verify_student/reverify", get(reverify::reverify))
        .at("/verify_student/reverify/*checkpoint", get(reverify::in_course))
        .nest("/verify_student/static", pages::static_routes())
        .at("/verify_student/status/", get(status::status))
        .at("/embargo/blocked-message/:access_point/:message_key/", get(embargo::blocked))
        .at("/verify_student/submit-photos/", post(submit_photos::submit))
        .at("/verify_student/create_order/", post(create_order::create))
        .at("/verify_student/create_order", post(create_order::create))
        .at("/shoppingcart/postpay_callback/", post(postpay_callback::receive))
        .at("/shoppingcart/receipt/:id/", get(receipt::show))
        .at("/verify_student/events/", post(report_event::report))
        .at("/photos/*name", get(photo_download::download))
        .at("/healthz", get(health::healthz))
        .at("/readyz", get(health::readyz))
        .at("/metrics", get(health::metrics_page))
        .at("/openapi.json", document)
        .nest("/docs", pages)
        .nest("/ops", ops::routes(Arc::clone(&interface), &state))
        .nest("/api/v1", interface)
        .nest("/api", make_sync(|_| Fault::not_found("There is no such path. The interface is under /api/v1.").problem()))
        .with(poem::middleware::CookieJarManager::new())
        .with(CatchPanic::new())
        .around(limits::counted)
        .around(health::told)
        .around(pages::everywhere)
        .data(state)
}

/// Every fault is a problem document, a panic of ours too.
fn with_problems(endpoint: impl Endpoint + 'static) -> impl Endpoint<Output = Response> {
    let panicked = CatchPanic::new().with_handler(|_| Fault::Internal.problem());
    endpoint.with(panicked).catch_all_error(error::problem_of).map_to_response()
}

/// Who has no key is refused before a byte of the body is read; and no call has more than a submission needs.
async fn admitted(mut request: Request) -> poem::Result<Request> {
    let body = request.take_body();
    let has_body = !body.is_empty();
    request.set_body(body);
    if !has_body {
        return Ok(request);
    }
    Ok(body::bounded(api_key::admit(request).await?, BODY_BYTES_MAX).await?)
}

/// The documented parts, under `/api/v1`.
type Parts = (
    lms::Lms,
    lms::bulk::Bulk,
    settings::Settings,
    checkpoints::Checkpoints,
    credit::Credit,
    users::Users,
    course_standing::CourseStandings,
    attempts::Attempts,
    machine_submission::MachineSubmissions,
    grants::Grants,
    queues::Braking,
    queue_history::Numbers,
    finding::Finding,
    (acting::Acting, retries::Retries, erasures::Erasures),
);

/// The documented part, under `/api/v1`.
fn service(public_url: &str) -> OpenApiService<Parts, ()> {
    let server = format!("{}/api/v1", public_url.trim_end_matches('/'));
    let parts = (
        lms::Lms,
        lms::bulk::Bulk,
        settings::Settings,
        checkpoints::Checkpoints,
        credit::Credit,
        users::Users,
        course_standing::CourseStandings,
        attempts::Attempts,
        machine_submission::MachineSubmissions,
        grants::Grants,
        queues::Braking,
        queue_history::Numbers,
        finding::Finding,
        (acting::Acting, retries::Retries, erasures::Erasures),
    );
    OpenApiService::new(parts, "Vouch", INTERFACE_VERSION)
        .description("Photo identity verification: what learning platforms push, and what they may read.")
        .server(server)
}

/// The OpenAPI document.
#[must_use]
pub fn openapi() -> String {
    description::merged(&service("http://127.0.0.1:8080").spec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_under_the_interface_is_told_as_a_problem_document() {
        fn fails(_: Request) -> &'static str {
            panic!("for the test")
        }
        let answer = with_problems(make_sync(fails)).get_response(Request::default()).await;
        assert_eq!((answer.status().as_u16(), answer.content_type()), (500, Some("application/problem+json")));
        let text = answer.into_body().into_string().await.unwrap();
        assert!(text.contains("Something went wrong on our side"), "{text}");
    }
}
