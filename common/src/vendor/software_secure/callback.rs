//! The verdict that comes back: checked over the raw body, in the order that docs/contract.md promises.
//!
//! The caller limits the body's size before, and answers unknown receipts, unknown results and a missing database
//! after. Open edX computes this signature and ignores it; here it decides, unless a migration runs in audit mode,
//! where the access key alone is asked for and every doubt is told. Source: docs/contract.md, "Answers of
//! `results_callback`"; reference 3.8 and 7.1.

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::canonical::{Message, has_line_break};
use super::signature::{Credentials, find_matching_secret, is_fresh, is_same_access_key, parse_date, split_authorization};
use super::{VENDOR, python};
use crate::secret::Secret;
use crate::vendor::strict_json::{Json, Members, parse};

/// Most characters of a `MessageType` that are kept; the rest is cut off. Source: reference 1.1 and 7.1 (column width).
pub const MESSAGE_TYPE_CHARACTERS_MAX: usize = 50;

/// The headers of a callback that matter, as they arrived.
#[derive(Clone, Copy, Default)]
pub struct CallbackHeaders<'a> {
    /// The value of `Authorization`.
    pub authorization: Option<&'a str>,
    /// The value of `Date`.
    pub date: Option<&'a str>,
    /// The value of `Content-Type`, which the signature may or may not cover.
    pub content_type: Option<&'a str>,
}

/// What a callback is checked against.
#[derive(Clone, Copy, Debug)]
pub struct CallbackKeys<'a> {
    /// The access key that the vendor must name.
    pub access_key: &'a str,
    /// The live secrets, newest first.
    pub secrets: &'a [Secret],
}

/// What happens to a callback whose signature is in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureMode {
    /// It is refused.
    Enforce,
    /// It is accepted on the access key alone, as Open edX does; the caller logs and counts the doubt.
    Audit,
}

/// A verdict of the vendor that passed the checks.
#[derive(Clone, PartialEq, Eq)]
pub struct Callback {
    /// `EdX-ID`; `None` if absent or null, which Open edX answers as `None`.
    pub receipt: Option<String>,
    /// `Result` as it stands, known or not; `None` as text if absent, as Python prints it.
    pub result: String,
    /// The JSON text of `Reason` as `json.dumps` writes it; two quotes if absent.
    pub reason_json: String,
    /// `MessageType`, at most [`MESSAGE_TYPE_CHARACTERS_MAX`] characters; empty if absent or null.
    pub message_type: String,
    /// The `Date` header (UTC) if it can be read; in audit mode it may be stale or unsigned.
    pub signed_at: Option<DateTime<Utc>>,
    /// What is wrong with the signature; always `None` when enforced.
    pub doubt: Option<Doubt>,
    /// The place of the fitting secret in the list, so that the use of an old one can be watched.
    pub secret_place: Option<usize>,
    /// The event's identity: SHA-256 over the vendor's name, the `Date` header and the raw body.
    pub event_key: [u8; 32],
}

impl Callback {
    /// Tells whether the signature holds in every respect.
    #[must_use]
    pub fn signature_valid(&self) -> bool {
        self.doubt.is_none()
    }
}

/// What is wrong with a signature or with the message that it covers; for logs and counters, not for the vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It fits no live secret.
    Mismatch,
    /// There is no `Date` header, or not in the form of RFC 1123.
    DateMissing,
    /// The `Date` is more than five minutes from now.
    DateOff,
    /// A key or value holds a line break and could imitate other fields.
    LineBreak,
    /// A value is no string (in `Reason`: neither string, list nor object).
    NotText,
}

impl Doubt {
    /// A short name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mismatch => "mismatch",
            Self::DateMissing => "date_missing",
            Self::DateOff => "date_off",
            Self::LineBreak => "line_break",
            Self::NotText => "not_text",
        }
    }
}

/// The refusals, each with the exact text of the answer; all are answered with status 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The body is not strict JSON: bad syntax, a repeated key, or nested too deeply.
    #[error("Invalid JSON")]
    InvalidJson,
    /// The body is JSON but not an object.
    #[error("JSON should be dict")]
    NotAnObject,
    /// `Authorization` is missing, malformed or names another access key.
    #[error("Access key invalid")]
    AccessKeyInvalid,
    /// The signature is in doubt; the doubt is for the log, the text is the same for all.
    #[error("Signature is invalid")]
    SignatureInvalid(Doubt),
}

/// Checks a callback against the keys and the time, and reads it.
///
/// # Errors
/// The first [`Refusal`] in the contract's order; answer it with its text and change nothing.
pub fn read_callback(
    raw_body: &[u8],
    headers: &CallbackHeaders<'_>,
    now: DateTime<Utc>,
    keys: &CallbackKeys<'_>,
    mode: SignatureMode,
) -> Result<Callback, Refusal> {
    let Json::Object(members) = parse(raw_body).map_err(|_| Refusal::InvalidJson)? else {
        return Err(Refusal::NotAnObject);
    };
    let offered = headers.authorization.and_then(split_authorization);
    let credentials = offered.unwrap_or(Credentials { access_key: "", signature: "" });
    // The signature is computed before the access key is judged, so that both refusals take the same time.
    let secret_place = find_secret(&members, headers, credentials.signature, keys.secrets);
    let is_our_key = is_same_access_key(credentials.access_key, keys.access_key);
    if offered.is_none() || !is_our_key {
        return Err(Refusal::AccessKeyInvalid);
    }
    let signed_at = headers.date.and_then(parse_date);
    let doubt = find_doubt(&members, secret_place, signed_at, now);
    match (mode, doubt) {
        (SignatureMode::Enforce, Some(doubt)) => Err(Refusal::SignatureInvalid(doubt)),
        (SignatureMode::Enforce, None) | (SignatureMode::Audit, _) => {
            let event_key = event_key(headers.date, raw_body);
            let body = Json::Object(members);
            // What is in doubt says nothing of the order: a moment of the future would make all that follows late.
            let signed_at = signed_at.filter(|_| doubt.is_none());
            Ok(Callback { signed_at, doubt, secret_place, ..read_verdict(&body, event_key) })
        }
    }
}

/// Reads a callback again that was checked when it came and kept since; `None` when it is none.
#[must_use]
pub fn read_kept(raw_body: &[u8]) -> Option<Callback> {
    let body = parse(raw_body).ok().filter(|body| matches!(body, Json::Object(_)))?;
    Some(read_verdict(&body, event_key(None, raw_body)))
}

fn find_secret(members: &Members, headers: &CallbackHeaders<'_>, signature: &str, secrets: &[Secret]) -> Option<usize> {
    let dated = Message { method: "POST", content_type: None, date: headers.date, content_md5: None, body: members };
    let typed = Message { content_type: headers.content_type, ..dated };
    find_matching_secret(&[dated, typed], signature, secrets)
}

fn find_doubt(
    members: &Members,
    secret_place: Option<usize>,
    signed_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Option<Doubt> {
    if secret_place.is_none() {
        return Some(Doubt::Mismatch);
    }
    match signed_at {
        None => return Some(Doubt::DateMissing),
        Some(date) if !is_fresh(date, now) => return Some(Doubt::DateOff),
        Some(_) => {}
    }
    members.iter().find_map(|(key, value)| {
        let shape = if key == "Reason" { find_odd_reason(value) } else { find_odd_text(value) };
        has_line_break(key).then_some(Doubt::LineBreak).or(shape)
    })
}

fn find_odd_text(value: &Json) -> Option<Doubt> {
    match value {
        Json::Text(text) => has_line_break(text).then_some(Doubt::LineBreak),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::List(_) | Json::Object(_) => Some(Doubt::NotText),
    }
}

fn find_odd_reason(value: &Json) -> Option<Doubt> {
    match value {
        Json::List(items) => items.iter().find_map(find_odd_reason),
        Json::Object(members) => members
            .iter()
            .find_map(|(key, inner)| has_line_break(key).then_some(Doubt::LineBreak).or_else(|| find_odd_reason(inner))),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => find_odd_text(value),
    }
}

fn read_verdict(body: &Json, event_key: [u8; 32]) -> Callback {
    let given = |key| body.find(key).filter(|value| **value != Json::Null);
    Callback {
        receipt: given("EdX-ID").map(python::to_text),
        result: body.find("Result").map_or_else(|| "None".to_owned(), python::to_text),
        reason_json: body.find("Reason").map_or_else(|| "\"\"".to_owned(), python::to_json_text),
        message_type: given("MessageType")
            .map(python::to_text)
            .unwrap_or_default()
            .chars()
            // Postgres keeps no U+0000 in a text.
            .filter(|letter| *letter != '\0')
            .take(MESSAGE_TYPE_CHARACTERS_MAX)
            .collect(),
        signed_at: None,
        doubt: None,
        secret_place: None,
        event_key,
    }
}

fn event_key(date: Option<&str>, raw_body: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(VENDOR).chain_update(date.unwrap_or_default()).chain_update(raw_body).finalize().into()
}

#[cfg(test)]
#[path = "callback_tests.rs"]
mod tests;
