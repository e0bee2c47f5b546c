//! What goes out: a verdict as one wire format writes and signs it, or breaks it as the script wants.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};
use vouch_common::domain::attempt::reasons::code_of;
use vouch_common::domain::callback::VerdictKind;
use vouch_common::domain::vendor_format::VendorFormat;
use vouch_common::secret::Secret;
use vouch_common::vendor::sealed::webhook;
use vouch_common::vendor::software_secure::canonical::Message;
use vouch_common::vendor::software_secure::signature::{format_date, sign};
use vouch_common::vendor::strict_json::Members;

use super::callback::Plan;
use super::script::{CallbackScript, Covers, Forgery, ScriptError, Verdict};
use super::{Shared, WireFormat};

const MEDIA_TYPE: &str = "application/json";
const STALE_SECONDS: i64 = -600;

/// Headers of a callback.
pub(super) type Headers = Vec<(&'static str, String)>;

/// A verdict that is ready to be signed and sent, as often as it takes.
pub(super) struct Letter {
    pub(super) body: Vec<u8>,
    envelope: Envelope,
    /// Seconds that the script adds to the vendor's time.
    offset_s: i64,
}

enum Envelope {
    SoftwareSecure { members: Members },
    Sealed { id: String },
}

impl Letter {
    /// Writes the verdict that has this place among those of its submission.
    ///
    /// # Errors
    /// [`ScriptError`] if it can't be signed.
    pub(super) fn write(
        shared: &Shared,
        plan: &Plan,
        verdict: &Verdict,
        (place, offset_s): (usize, i64),
    ) -> Result<Self, ScriptError> {
        match &shared.config.format {
            WireFormat::SoftwareSecure { .. } => {
                let (body, members) = verdict.write_body(&plan.receipt)?;
                Ok(Self { body, envelope: Envelope::SoftwareSecure { members }, offset_s })
            }
            WireFormat::Sealed => {
                let decided_at = shared.now() + TimeDelta::seconds(offset_s);
                let body = json!({
                    "receipt_id": plan.receipt,
                    "result": sealed_result(&verdict.result),
                    "reasons": codes(&verdict.reason),
                    "decided_at": decided_at.to_rfc3339_opts(SecondsFormat::Millis, true),
                    "code": verdict.message_type,
                });
                let id = format!("evt_{}_{place}", plan.order);
                Ok(Self { body: body.to_string().into_bytes(), envelope: Envelope::Sealed { id }, offset_s })
            }
        }
    }

    /// Signs it for one try.
    pub(super) fn sign(&self, shared: &Shared, script: &CallbackScript) -> Headers {
        let stale = if script.forgery == Some(Forgery::StaleDate) { STALE_SECONDS } else { 0 };
        let secret = match script.forgery {
            Some(Forgery::WrongSecret) => another_secret(&shared.config.secret_key),
            _ => shared.config.secret_key.clone(),
        };
        let mut headers = vec![("content-type", MEDIA_TYPE.to_owned())];
        match &self.envelope {
            Envelope::SoftwareSecure { members } => {
                let date = format_date(shared.now() + TimeDelta::seconds(self.offset_s.saturating_add(stale)));
                let content_type = (script.covers == Covers::ContentTypeAndDate).then_some(MEDIA_TYPE);
                let message = Message { method: "POST", content_type, date: Some(&date), content_md5: None, body: members };
                let access_key = match script.forgery {
                    Some(Forgery::WrongAccessKey) => format!("{}x", shared.config.access_key),
                    _ => shared.config.access_key.clone(),
                };
                let signature = sign(&message, &access_key, &secret);
                headers.push(("authorization", with_flipped_bit(script, signature, ':')));
                headers.push(("date", date));
            }
            Envelope::Sealed { id } => {
                let timestamp = (shared.now().timestamp() + stale).to_string();
                let message = webhook::Message { id, timestamp: &timestamp, body: &self.body };
                let signature = webhook::sign(message, &secret);
                headers.push((webhook::SIGNATURE_HEADER, with_flipped_bit(script, signature, ',')));
                // The format names nobody by an access key: another name than the signed one comes nearest.
                let is_misnamed = script.forgery == Some(Forgery::WrongAccessKey);
                headers.push((webhook::ID_HEADER, if is_misnamed { format!("{id}x") } else { id.clone() }));
                headers.push((webhook::TIMESTAMP_HEADER, timestamp));
            }
        }
        headers
    }
}

/// Scripts speak as `software-secure` does; what it does not know goes as it stands.
fn sealed_result(result: &str) -> &str {
    VerdictKind::parse(VendorFormat::SoftwareSecure, result).map_or(result, |kind| kind.spelling(VendorFormat::Sealed))
}

/// Reasons by category become their codes; texts in a list are codes already.
fn codes(reason: &Value) -> Vec<String> {
    let of_item = |item: &Value| match item {
        Value::String(code) => vec![code.clone()],
        Value::Object(categories) => categories.iter().flat_map(|(category, reasons)| of_category(category, reasons)).collect(),
        _ => Vec::new(),
    };
    reason.as_array().map(|items| items.iter().flat_map(of_item).collect()).unwrap_or_default()
}

fn of_category(category: &str, reasons: &Value) -> Vec<String> {
    let texts = reasons.as_array().into_iter().flatten().filter_map(Value::as_str);
    texts.map(|reason| code_of(category, reason).unwrap_or(reason).to_owned()).collect()
}

fn another_secret(secret: &Secret) -> Secret {
    Secret::new([secret.expose(), b"x"].concat())
}

/// Changes one bit of the signature behind the mark, if the script wants so.
fn with_flipped_bit(script: &CallbackScript, header: String, mark: char) -> String {
    if script.forgery != Some(Forgery::FlippedBit) {
        return header;
    }
    let (start, signature) = header.rsplit_once(mark).unwrap_or((&header, ""));
    let mut bytes = STANDARD.decode(signature).unwrap_or_default();
    if let Some(first) = bytes.first_mut() {
        *first ^= 1;
    }
    format!("{start}{mark}{}", STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_flipped_bit_changes_the_signature_and_nothing_else() {
        let script = CallbackScript { forgery: Some(Forgery::FlippedBit), ..CallbackScript::default() };
        assert_eq!(with_flipped_bit(&script, "SSI key:AAAA".to_owned(), ':'), "SSI key:AQAA");
        assert_eq!(with_flipped_bit(&script, "v1,AAAA".to_owned(), ','), "v1,AQAA");
        assert_eq!(with_flipped_bit(&CallbackScript::default(), "v1,AAAA".to_owned(), ','), "v1,AAAA");
    }

    #[test]
    fn a_script_speaks_of_results_and_reasons_alike_in_both_formats() {
        let scripted = ["PASS", "FAIL", "SYSTEM FAIL", "MAYBE", "approved"];
        assert_eq!(scripted.map(sealed_result), ["approved", "denied", "retry", "MAYBE", "approved"]);
        let reasons = json!([{"photoIdReasons": ["Not provided", "New"]}, "face-unclear", 5, {"x": "y"}]);
        assert_eq!(codes(&reasons), ["id-missing", "New", "face-unclear"]);
        assert!(codes(&json!("system error")).is_empty());
    }
}
