//! `POST /shoppingcart/postpay_callback/`: a browser brings CyberSource's answer.
//!
//! Source: reference 5.4 and 5.5. Nobody is signed in here: what counts is CyberSource's signature, and that
//! the answer fits the order. The same answer again changes nothing.

use poem::{Body, Request, Response, handler, http::StatusCode, web::Data};
use vouch_common::{
    domain::{
        course::path_segment,
        payment::{Outcome, Payment},
    },
    operations::settle_payment::{self, SettleRefused, Settled},
    payment::cybersource::{ReplyFault, read_reply},
};

use crate::{error::Fault, extract::fields::Fields, limits, state::AppState};

/// Takes the answer.
#[handler]
pub(super) async fn receive(request: &Request, body: Body, state: Data<&AppState>) -> Result<Response, Fault> {
    let fields = Fields::read(request, body).await?.into_unique()?;
    let account = state.settings().shop.cybersource.as_ref();
    let account = account.ok_or_else(|| Fault::not_found("Nothing is sold here."))?;
    let payment = read_reply(account, &fields).map_err(|fault| limits::refused(request, not_believed(&fault)))?;
    limits::proven(request);
    let settled = settle_payment::settle(state.db(), &payment, state.now()).await.map_err(|cause| refused(&payment, cause))?;
    tell(&payment, &settled);
    let location = next_page(&payment, &settled);
    Ok(Response::builder().status(StatusCode::FOUND).header("location", location).finish())
}

fn not_believed(fault: &ReplyFault) -> Fault {
    tracing::warn!(error = %fault, "an answer about a payment was not believed");
    let status = if *fault == ReplyFault::Signature { StatusCode::FORBIDDEN } else { StatusCode::BAD_REQUEST };
    Fault::Refused(status, format!("{fault} Nothing was changed."))
}

fn refused(payment: &Payment, cause: SettleRefused) -> Fault {
    match cause {
        SettleRefused::UnknownOrder => {
            tracing::error!(
                order = payment.order.0,
                decision = payment.decision.as_str(),
                "a payment names an order that is not there"
            );
            Fault::not_found("There is no such order. Nothing was changed.")
        }
        SettleRefused::Mismatch(mismatch) => {
            tracing::error!(order = payment.order.0, error = %mismatch, decision = payment.decision.as_str(), "a payment does not fit its order");
            Fault::bad_request(format!("{mismatch} Nothing was changed. Please write to support."))
        }
        SettleRefused::Operation(cause) => cause.into(),
    }
}

fn tell(payment: &Payment, settled: &Settled) {
    let (order, decision) = (payment.order.0, payment.decision.as_str());
    match settled.outcome {
        Outcome::Fulfil => tracing::info!(order, "an order was paid and its certificate given"),
        Outcome::AlreadyPaid { is_second_payment: false } => {
            tracing::info!(order, decision, "an order that is paid was told of again");
        }
        Outcome::Declined | Outcome::Cancelled => tracing::info!(order, decision, "an order was not paid"),
        Outcome::AlreadyPaid { is_second_payment: true } => {
            tracing::error!(order, "an order was paid a second time: give the money back");
        }
    }
}

/// Where the learner goes on. Source: reference 5.4.
fn next_page(payment: &Payment, settled: &Settled) -> String {
    let course = path_segment(&settled.course);
    let how = match settled.outcome {
        Outcome::Fulfil | Outcome::AlreadyPaid { .. } if settled.leads_to_verification => {
            return format!("/verify_student/payment-confirmation/{course}/?payment-order-num={}", payment.order);
        }
        Outcome::Fulfil | Outcome::AlreadyPaid { .. } => return format!("/shoppingcart/receipt/{}/", payment.order),
        Outcome::Declined => "declined",
        Outcome::Cancelled => "cancelled",
    };
    let page = if settled.is_upgrade { "upgrade" } else { "start-flow" };
    format!("/verify_student/{page}/{course}/?payment={how}")
}
