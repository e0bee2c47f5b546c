//! `POST /verify_student/create_order/`: a learner wants to buy a certificate.
//!
//! Source: reference 5. A track with a product number is sold by the e-commerce service, any other one by
//! our own cart; either way the answer is a form that the browser takes to a payment page.

use poem::{Body, Request, Response, handler, http::StatusCode, web::Data};
use serde::Serialize;
use vouch_common::{
    domain::{
        keys::CourseKey,
        order::{Asked, Sale, amount_of, decide},
    },
    ids,
    operations::create_order::{self, NewOrder, OrderFacts},
    payment::cybersource::{FormData, PROCESSOR_NAME, Purchase, purchase_form},
    store::users::User,
    telemetry::chain,
};

use crate::{
    adapters::ecommerce::{Claims, EcommerceError, PaymentData},
    error::Fault,
    extract::{csrf, fields::Fields, learner::Learner},
    state::AppState,
};

/// Where the payment processor's answer is brought.
pub(super) const CALLBACK_PATH: &str = "/shoppingcart/postpay_callback/";
/// Longest name of a processor that is written to the log.
const PROCESSOR_LENGTH_MAX: usize = 64;

/// Makes an order.
#[handler]
pub(super) async fn create(request: &Request, learner: Learner, body: Body, state: Data<&AppState>) -> Result<Response, Fault> {
    let fields = Fields::read(request, body).await?;
    csrf::check(request, &learner, fields.find(csrf::FIELD)?)?;
    let course = fields.find("course_id")?.ok_or_else(|| Fault::bad_request("Missing required parameter course_id"))?;
    let course = CourseKey::parse(course).ok_or_else(|| Fault::bad_request("Invalid course key"))?;
    let facts = create_order::load_facts(state.db(), &learner.submitter, &course).await?;
    let refused = |refusal: vouch_common::domain::order::Refusal| Fault::bad_request(refusal.to_string());
    let amount = amount_of(fields.find("contribution")?, facts.remembered.as_deref()).map_err(refused)?;
    let OrderFacts { learner: Some(user), course_name, modes, .. } = facts else {
        return Err(Fault::bad_request("No profile found for user"));
    };
    let course_name = course_name.ok_or_else(|| Fault::not_found("There is no such course."))?;
    let asked = Asked { amount, sku: fields.find("sku")? };
    let sale = decide(asked, &modes, state.now()).map_err(refused)?;
    tell_of_doubt(&course, &sale);
    let visitor = Visitor { request, learner: &learner, user: &user, processor: fields.find("processor")? };
    match &sale.mode.sku {
        Some(sku) => answer(&visitor, &buy_in_shop(&visitor, (&course, &sale), sku, state.0).await?),
        None => answer(&visitor, &buy_here(&visitor, (&course, &course_name), &sale, state.0).await?),
    }
}

/// Who wants to buy.
struct Visitor<'a> {
    request: &'a Request,
    learner: &'a Learner,
    user: &'a User,
    processor: Option<&'a str>,
}

fn tell_of_doubt(course: &CourseKey, sale: &Sale) {
    if sale.is_sku_unknown {
        tracing::warn!(course_id = %course, "a product was named that this course does not sell; it was passed over");
    }
    if sale.candidates > 1 {
        tracing::warn!(course_id = %course, mode = %sale.mode.slug, "the course has several paid modes; the first is sold");
    }
}

/// In the e-commerce service. Source: reference 5.3.
async fn buy_in_shop(
    visitor: &Visitor<'_>,
    (course, sale): (&CourseKey, &Sale),
    sku: &str,
    state: &AppState,
) -> Result<PaymentData, Fault> {
    let shop = state.ecommerce().ok_or_else(not_sold_here)?;
    let claims = Claims::of_visit(visitor.request, visitor.user);
    let answered = shop.check_out(&claims, sku, visitor.processor, state.now()).await;
    tracing::info!(
        course_id = %course,
        mode = %sale.mode.slug,
        processor_name = loggable(visitor.processor),
        user_id = visitor.user.id.0,
        "checkout_requested"
    );
    let data = answered.map_err(|error| shop_failed(&error, course, sale))?;
    create_order::register(state.db(), &visitor.learner.submitter, state.now()).await?;
    Ok(data)
}

fn shop_failed(error: &EcommerceError, course: &CourseKey, sale: &Sale) -> Fault {
    tracing::error!(error = %chain(error), course_id = %course, mode = %sale.mode.slug, "the shop took no order");
    let status = if error.is_away() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::BAD_GATEWAY };
    Fault::Refused(status, "The shop can't be reached. Please try again in a few minutes.".to_owned())
}

fn not_sold_here() -> Fault {
    tracing::error!("a certificate can't be sold: the shop that its mode needs is not set up");
    Fault::Refused(
        StatusCode::SERVICE_UNAVAILABLE,
        "This certificate can't be bought at the moment. Please try again later or write to support.".to_owned(),
    )
}

/// A processor's name comes from outside; only what looks like a name is written to the log.
fn loggable(processor: Option<&str>) -> &str {
    let is_name = |text: &&str| {
        text.len() <= PROCESSOR_LENGTH_MAX && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    processor.map_or("", |text| Some(text).filter(is_name).unwrap_or("(odd)"))
}

/// In our own cart. Source: reference 5.4.
async fn buy_here(
    visitor: &Visitor<'_>,
    (course, course_name): (&CourseKey, &str),
    sale: &Sale,
    state: &AppState,
) -> Result<PaymentData<FormData>, Fault> {
    let account = state.settings().shop.cybersource.as_ref().ok_or_else(not_sold_here)?;
    let new = NewOrder { course, course_name, sale, visit: ids::new_uuid() };
    let now = state.now();
    let order = create_order::create(state.db(), &visitor.learner.submitter, &new, now).await?;
    tracing::info!(order = order.0, course_id = %course, mode = %sale.mode.slug, "an order goes to the payment page");
    let public_url = state.settings().public_url.as_str().trim_end_matches('/');
    let purchase = Purchase {
        order,
        amount: sale.amount,
        currency: &sale.mode.currency,
        visit: new.visit,
        callback_url: &format!("{public_url}{CALLBACK_PATH}"),
        course,
        mode: &sale.mode.slug,
    };
    Ok(PaymentData {
        processor_name: PROCESSOR_NAME.to_owned(),
        page_url: account.purchase_url.to_string(),
        form: purchase_form(account, &purchase, now),
    })
}

/// A client that names no processor is an old one and knows the inner part only. Source: reference 5.1, step 7.
fn answer<F: Serialize>(visitor: &Visitor<'_>, data: &PaymentData<F>) -> Result<Response, Fault> {
    let text = if visitor.processor.is_some() { serde_json::to_string(data) } else { serde_json::to_string(&data.form) };
    let text = text.map_err(|_| Fault::Internal)?;
    Ok(Response::builder().content_type("application/json").header("cache-control", "no-store").body(text))
}
