//! `POST /callbacks/vendor`: the vendor's verdict, in the format `sealed`.
//!
//! Cheap refusals first, then the signature over the raw bytes; then it is kept with its job in one transaction, and
//! a worker applies it. Who can't sign gets one constant 401. Who can gets one constant 202, whatever the callback
//! says: a receipt that is not known, a result that is not, a repeat. Bodies are never echoed and never logged.

use std::time::Duration;

use poem::{Body, Request, Response, handler, http::StatusCode, web::Data};
use tracing::field::display;
use vouch_common::{
    domain::{ids::ReceiptId, vendor_format::VendorFormat},
    operations::record_callback::{self, Recorded, SignedCallback, storable},
    photos::seal::{SealContext, seal},
    vendor::sealed::{
        callback::{Callback, CallbackHeaders, Refusal, read_callback},
        webhook::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER},
    },
};

use super::former_secret;
use crate::{error::Fault, extract::body, limits, state::AppState};

/// Largest callback.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long a callback may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

const ACCEPTED: &str = "Accepted.";
const UNAUTHORIZED: &str = "Unauthorized.";
const NOT_JSON: &str = "The Content-Type must be application/json.";
const NOT_READABLE: &str = "The body is not a JSON object, repeats a key, or nests too deeply.";

/// Takes a verdict.
#[handler]
pub(super) async fn receive(request: &Request, body: Body, state: Data<&AppState>) -> Response {
    let result = take(request, body, state.0).await;
    let outcome = match &result {
        Ok(Recorded::Kept) => "kept",
        Ok(Recorded::Duplicate) => "duplicate",
        Ok(Recorded::Orphan) => "orphan",
        Ok(Recorded::UnknownResult) => "unknown_result",
        Ok(Recorded::OtherBody) => "other_body",
        Ok(Recorded::Erased) => "erased",
        Err(Fault::Refused(..) | Fault::TooMany(_)) => "refused",
        Err(Fault::Unavailable | Fault::Internal) => "failed",
    };
    metrics::counter!("vouch_callbacks_total", "outcome" => outcome).increment(1);
    match result {
        Ok(_) => Response::builder().status(StatusCode::ACCEPTED).content_type("text/plain; charset=utf-8").body(ACCEPTED),
        Err(fault) => fault.plain(),
    }
}

async fn take(request: &Request, body: Body, state: &AppState) -> Result<Recorded, Fault> {
    if !is_json(request) {
        tell_refusal("content_type");
        return Err(Fault::Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, NOT_JSON.to_owned()));
    }
    let bytes = body::read_within(request, body, BODY_BYTES_MAX, PATIENCE).await?;
    let headers = CallbackHeaders {
        id: single(request, ID_HEADER),
        timestamp: single(request, TIMESTAMP_HEADER),
        signature: single(request, SIGNATURE_HEADER),
    };
    let (now, vendor) = (state.now(), &state.settings().vendor);
    let callback = read_callback(&bytes, &headers, now, vendor.secrets_at(now)).map_err(|refusal| {
        let has_ended = vendor.has_ended_secrets(now)
            && refusal == Refusal::Signature
            && read_callback(&bytes, &headers, now, &vendor.secrets).is_ok();
        limits::refused(request, refused(refusal, has_ended))
    })?;
    limits::proven(request);
    former_secret::tell(callback.secret_place);
    keep(state, &callback, &bytes).await
}

fn refused(refusal: Refusal, has_ended: bool) -> Fault {
    tell_refusal(if has_ended { former_secret::ENDED } else { refusal.as_str() });
    match refusal {
        Refusal::Headers | Refusal::Signature | Refusal::Stale => {
            Fault::Refused(StatusCode::UNAUTHORIZED, UNAUTHORIZED.to_owned())
        }
        Refusal::InvalidJson => Fault::bad_request(NOT_READABLE),
    }
}

fn tell_refusal(reason: &'static str) {
    metrics::counter!("vouch_callbacks_refused_total", "reason" => reason).increment(1);
    tracing::warn!(reason, "a callback was refused");
}

async fn keep(state: &AppState, callback: &Callback, bytes: &[u8]) -> Result<Recorded, Fault> {
    let receipt = callback.said.receipt.as_deref().map(storable);
    let receipt = receipt.as_deref();
    // A text of another shape is the vendor's, and stays out of the log.
    let named = receipt.and_then(ReceiptId::parse).map(display);
    let context = SealContext { receipt: receipt.unwrap_or_default(), kind: "callback" };
    let body_sealed = seal(&state.settings().master_keys, context, bytes).map_err(|_| Fault::Internal)?;
    let signed = SignedCallback {
        format: VendorFormat::Sealed,
        event_key: callback.event_key,
        receipt,
        result: &callback.said.result,
        signed_at: Some(callback.decided_at),
        is_signature_valid: true,
        body_sealed: &body_sealed,
        body_digest: Some(callback.body_digest),
    };
    let recorded = record_callback::record(state.db(), &signed, state.now()).await?;
    match recorded {
        Recorded::Kept => {
            state.wake();
            tracing::info!(attempt.receipt = receipt, "callback kept");
        }
        Recorded::Erased => {
            tracing::info!(attempt.receipt = receipt, "a callback speaks of a learner who was erased; nothing is kept");
        }
        Recorded::Duplicate => tracing::info!(attempt.receipt = receipt, "a callback came again"),
        Recorded::Orphan => {
            tracing::warn!(attempt.receipt = named, "a callback names a receipt that is not known; it is kept as an orphan");
        }
        Recorded::UnknownResult => {
            tracing::warn!(attempt.receipt = receipt, "a callback has a result that is not known; it is kept for an operator");
        }
        Recorded::OtherBody => {
            metrics::counter!("vouch_security_events_total", "event" => "webhook_id_reused").increment(1);
            tracing::error!(
                security.event = "webhook_id_reused",
                attempt.receipt = named,
                "a signed callback has the id of another and says something else; it was not applied, ask the vendor"
            );
        }
    }
    Ok(recorded)
}

/// Whether the one content type is JSON, whatever its parameters.
fn is_json(request: &Request) -> bool {
    let media_type = single(request, "content-type").and_then(|value| value.split(';').next());
    media_type.is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"))
}

/// A header that came exactly once and is text.
fn single<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let mut values = request.headers().get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}
