//! `POST /verify_student/results_callback`: the vendor's verdict, in the format `software-secure`.
//!
//! Checked over the raw bytes, kept with its job in one transaction, answered. A worker applies it.
//! Bodies are never echoed and never logged.

use std::time::Duration;

use poem::{Body, Request, Response, handler, web::Data};
use tracing::field::display;
use vouch_common::{
    config::Vendor,
    domain::{callback::VerdictKind, ids::ReceiptId, vendor_format::VendorFormat},
    operations::record_callback::{self, Recorded, SignedCallback, storable},
    photos::seal::{SealContext, seal},
    vendor::software_secure::{
        callback::{Callback, CallbackHeaders, CallbackKeys, Doubt, Refusal, read_callback},
        signature::{is_same_access_key, split_authorization},
    },
};

use super::former_secret;
use crate::{error::Fault, extract::body, limits, state::AppState};

/// Largest callback.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long a callback may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes a verdict.
#[handler]
pub(super) async fn receive(request: &Request, body: Body, state: Data<&AppState>) -> Result<Response, Fault> {
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
        Ok(Recorded::Kept | Recorded::Duplicate | Recorded::Erased) => {
            Ok(Response::builder().content_type("text/plain; charset=utf-8").body("OK!"))
        }
        // `take` answers the first two itself; the third can't be, for the event's key covers the body.
        Ok(Recorded::Orphan | Recorded::UnknownResult | Recorded::OtherBody) => Err(Fault::Internal),
        Err(fault) => Err(fault),
    }
}

async fn take(request: &Request, body: Body, state: &AppState) -> Result<Recorded, Fault> {
    let bytes = body::read_within(request, body, BODY_BYTES_MAX, PATIENCE).await?;
    let vendor = &state.settings().vendor;
    let headers = CallbackHeaders {
        authorization: single(request, "authorization"),
        date: single(request, "date"),
        content_type: single(request, "content-type"),
    };
    let now = state.now();
    let keys = CallbackKeys { access_key: named_key(vendor, &headers), secrets: vendor.secrets_at(now) };
    let callback = read_callback(&bytes, &headers, now, &keys, vendor.signature_mode).map_err(|refusal| {
        let all = CallbackKeys { secrets: &vendor.secrets, ..keys };
        let has_ended = vendor.has_ended_secrets(now)
            && matches!(refusal, Refusal::SignatureInvalid(Doubt::Mismatch))
            && read_callback(&bytes, &headers, now, &all, vendor.signature_mode).is_ok();
        let reason = if has_ended { former_secret::ENDED } else { refusal_name(refusal) };
        metrics::counter!("vouch_callbacks_refused_total", "reason" => reason).increment(1);
        tracing::warn!(reason, "a callback was refused");
        limits::refused(request, Fault::bad_request(refusal.to_string()))
    })?;
    limits::proven(request);
    former_secret::tell(callback.secret_place.unwrap_or_default());
    if let Some(doubt) = callback.doubt {
        metrics::counter!("vouch_callbacks_doubtful_total", "doubt" => doubt.as_str()).increment(1);
        tracing::warn!(doubt = doubt.as_str(), "a callback with a doubtful signature was accepted: CALLBACK_SIGNATURE is audit");
    }
    keep(state, &callback, &bytes).await
}

/// The access key that a callback must name: the present one, or a former one if it names that.
fn named_key<'a>(vendor: &'a Vendor, headers: &CallbackHeaders<'_>) -> &'a str {
    let named = headers.authorization.and_then(split_authorization).map_or("", |credentials| credentials.access_key);
    vendor.former_access_keys.iter().find(|key| is_same_access_key(named, key)).unwrap_or(&vendor.access_key)
}

async fn keep(state: &AppState, callback: &Callback, bytes: &[u8]) -> Result<Recorded, Fault> {
    let receipt = callback.receipt.as_deref().map(storable);
    let receipt = receipt.as_deref();
    let context = SealContext { receipt: receipt.unwrap_or_default(), kind: "callback" };
    let body_sealed = seal(&state.settings().master_keys, context, bytes).map_err(|_| Fault::Internal)?;
    let signed = SignedCallback {
        format: VendorFormat::SoftwareSecure,
        event_key: callback.event_key,
        receipt,
        result: &callback.result,
        signed_at: callback.signed_at,
        is_signature_valid: callback.signature_valid(),
        body_sealed: &body_sealed,
        body_digest: None,
    };
    let recorded = record_callback::record(state.db(), &signed, state.now()).await?;
    match recorded {
        Recorded::Kept => state.wake(),
        Recorded::Duplicate | Recorded::OtherBody => {}
        Recorded::Erased => {
            tracing::info!(attempt.receipt = receipt, "a callback speaks of a learner who was erased; nothing is kept");
            return Ok(recorded);
        }
        Recorded::Orphan => {
            let named = receipt.and_then(ReceiptId::parse).map(display);
            tracing::warn!(attempt.receipt = named, "a callback names a receipt that is not known; it is kept as an orphan");
            return Err(Fault::bad_request(format!("edX ID {} not found", callback.receipt.as_deref().unwrap_or("None"))));
        }
        Recorded::UnknownResult => {
            let known = VerdictKind::ALL.map(VerdictKind::as_str).join(", ");
            return Err(Fault::bad_request(format!("Result {} not understood. Known results: {known}", callback.result)));
        }
    }
    tracing::info!(attempt.receipt = receipt, duplicate = recorded == Recorded::Duplicate, "callback kept");
    Ok(recorded)
}

/// A header that came exactly once and is text.
fn single<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let mut values = request.headers().get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn refusal_name(refusal: Refusal) -> &'static str {
    use Refusal::{AccessKeyInvalid, InvalidJson, NotAnObject, SignatureInvalid};
    match refusal {
        InvalidJson => "invalid_json",
        NotAnObject => "not_an_object",
        AccessKeyInvalid => "access_key",
        SignatureInvalid(_) => "signature",
    }
}
