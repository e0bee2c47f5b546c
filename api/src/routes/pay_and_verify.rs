//! The way from an enrolment to a verified certificate: `start-flow`, `begin-flow`, `upgrade`, `verify-now`,
//! `verify-later`, `payment-confirmation`. Source: reference 4.2 to 4.6.

mod facts;

use poem::{Endpoint, FromRequest, Request, Response, endpoint, http::StatusCode};
use url::{Url, form_urlencoded};
use vouch_common::{
    domain::{
        course::path_segment,
        keys::CourseKey,
        pay_and_verify::{self, Destination, Facts, Message, Outcome, Visit},
        verification,
    },
    operations::load_flow::{self, Flow},
    store::flow::Choice,
};

use super::{embargo, page};
use crate::{
    error::Fault,
    extract::{course_path, learner::Learner},
    state::AppState,
};

/// Longest amount that is remembered, in characters.
const CONTRIBUTION_LENGTH_MAX: usize = 40;
/// The shop's page for a single product. Source: reference 1.7.
const CHECKOUT_PAGE: &str = "basket/single-item/";

/// The page for learners who come for that reason.
pub(super) fn page(message: Message) -> impl Endpoint {
    endpoint::make(move |request: Request| async move {
        let learner = Learner::from_request_without_body(&request).await?;
        let state = request.data::<AppState>().ok_or(Fault::Internal)?;
        Ok::<Response, poem::Error>(answer(&request, &learner, state, message).await?)
    })
}

/// What the address asks for besides the course.
#[derive(Default)]
struct Query {
    skips_first_step: bool,
    checkpoint: Option<String>,
    contribution: Option<String>,
    payment: Option<&'static str>,
}

impl Query {
    fn read(request: &Request) -> Self {
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(request.original_uri().query().unwrap_or_default().as_bytes()) {
            match name.as_ref() {
                "skip-first-step" => query.skips_first_step = !value.is_empty(),
                "checkpoint" => query.checkpoint = Some(value.into_owned()),
                "contribution" if value.chars().count() <= CONTRIBUTION_LENGTH_MAX && !value.contains(char::is_control) => {
                    query.contribution = Some(value.into_owned());
                }
                "payment" => query.payment = ["declined", "cancelled"].into_iter().find(|known| *known == value),
                _ => {}
            }
        }
        query
    }
}

async fn answer(request: &Request, learner: &Learner, state: &AppState, message: Message) -> Result<Response, Fault> {
    let course = course_path::course(request)?;
    if let Some(moved) = course_path::with_slash(request) {
        return Ok(moved);
    }
    let now = state.now();
    let flow = load_flow::load(state.db(), &learner.submitter, &course, now).await?.ok_or_else(course_path::no_course)?;
    if let Some(blocked) = embargo::check(request, state, &flow) {
        return Ok(blocked);
    }
    let query = Query::read(request);
    let visit = Visit { message, skips_first_step: query.skips_first_step, at: now };
    match pay_and_verify::decide(&decision_facts(state, &flow, visit), visit) {
        Outcome::NoPaidMode => Err(Fault::not_found("This course has no verified track.")),
        Outcome::Redirect(destination) => Ok(redirect(state, &course, destination)),
        Outcome::Missed(missed) => page::answer(request, state, "missed-deadline", facts::missed(missed, &flow)),
        Outcome::Page(found) => {
            let choice = remember(state, learner, &course, &flow, (message, &query)).await?;
            let shown = facts::Shown { request, state, course: &course, flow: &flow, choice: &choice, page: &found, message };
            page::answer(request, state, "pay-and-verify", shown.facts(query.checkpoint, query.payment).await)
        }
    }
}

fn decision_facts(state: &AppState, flow: &Flow, visit: Visit) -> Facts {
    let checkout = state.settings().shop.checkout_url.as_ref();
    Facts {
        modes: flow.modes.clone(),
        verification_deadline: flow.course.verification_deadline,
        enrolled_mode: flow.enrolled_mode.clone(),
        has_valid_or_pending: verification::valid_or_pending(&flow.attempts, visit.at, state.settings().validity).is_some(),
        is_active: flow.learner.as_ref().is_none_or(|learner| learner.is_active),
        checkout_page: checkout.and_then(checkout_page),
    }
}

fn checkout_page(shop: &Url) -> Option<Url> {
    // The shop may be set with or without a slash at its end; either way its page lies below it.
    Url::parse(&format!("{}/", shop.as_str().trim_end_matches('/'))).ok()?.join(CHECKOUT_PAGE).ok()
}

fn redirect(state: &AppState, course: &CourseKey, destination: Destination) -> Response {
    let flow = |page: &str| format!("/verify_student/{page}/{}/", path_segment(course));
    let location = match destination {
        Destination::Dashboard => state.settings().dashboard_url.clone(),
        Destination::Upgrade => flow("upgrade"),
        Destination::StartFlow => flow("start-flow"),
        Destination::VerifyNow => flow("verify-now"),
        Destination::Shop(url) => url.into(),
    };
    Response::builder().status(StatusCode::FOUND).header("location", location).finish()
}

/// Keeps the amount that the address names, and whether it is an upgrade; the payment asks for both later.
async fn remember(
    state: &AppState,
    learner: &Learner,
    course: &CourseKey,
    flow: &Flow,
    (message, query): (Message, &Query),
) -> Result<Choice, Fault> {
    let contribution = query.contribution.clone().or_else(|| flow.choice.contribution.clone());
    let choice = Choice { contribution, is_upgrade: message == Message::Upgrade };
    if choice != flow.choice && flow.learner.is_some() {
        load_flow::remember_choice(state.db(), learner.submitter.user, course, &choice, state.now()).await?;
    }
    Ok(choice)
}
