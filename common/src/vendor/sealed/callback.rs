//! The verdict that comes back: authenticated over the raw body first, read afterwards.
//!
//! The caller limits the body's size before. Every refusal of the first three kinds is answered alike: who can't sign
//! learns nothing. Once signed, only a body that is no strict JSON object is refused; what it says may be odd, and is
//! kept for operators rather than sent back, because a refusal makes some vendors stop for good.

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::webhook::{Message, find_matching_secret, is_fresh, is_id, parse_timestamp};
use crate::domain::attempt::reasons;
use crate::domain::vendor_format::VendorFormat;
use crate::secret::Secret;
use crate::vendor::strict_json::{Json, parse};

/// Most characters of a `code` that are kept; the rest is cut off.
pub const CODE_CHARACTERS_MAX: usize = 50;

/// The headers of a callback that matter; one that is missing, came twice or is no text is `None`.
#[derive(Clone, Copy, Default)]
pub struct CallbackHeaders<'a> {
    /// The value of `webhook-id`.
    pub id: Option<&'a str>,
    /// The value of `webhook-timestamp`.
    pub timestamp: Option<&'a str>,
    /// The value of `webhook-signature`.
    pub signature: Option<&'a str>,
}

/// What the body of a callback says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// `receipt_id`, if it is a text.
    pub receipt: Option<String>,
    /// `result` as it stands, known or not; empty if it is no text.
    pub result: String,
    /// `reasons` in the shape in which an attempt keeps them.
    pub reason_json: String,
    /// `code`, at most [`CODE_CHARACTERS_MAX`] characters; empty if it is no text.
    pub code: String,
    /// `decided_at` (UTC), if it can be read.
    pub decided_at: Option<DateTime<Utc>>,
}

/// A verdict of the vendor that passed the checks.
#[derive(Clone, PartialEq, Eq)]
pub struct Callback {
    /// What it says.
    pub said: Said,
    /// When the vendor decided (UTC), as far as it can be believed: never later than the signed moment of the call.
    pub decided_at: DateTime<Utc>,
    /// The place of the fitting secret in the list, so that the use of an old one can be watched.
    pub secret_place: usize,
    /// The event's identity: SHA-256 over the vendor's name and `webhook-id`.
    pub event_key: [u8; 32],
    /// SHA-256 over the raw body.
    pub body_digest: [u8; 32],
}

/// Why a callback is refused; the names are for logs and counters, not for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A header is missing, came twice, or is malformed.
    Headers,
    /// It fits no live secret.
    Signature,
    /// The signed moment is more than five minutes from now.
    Stale,
    /// It is signed, but no strict JSON object.
    InvalidJson,
}

impl Refusal {
    /// A short name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Headers => "headers",
            Self::Signature => "signature",
            Self::Stale => "stale",
            Self::InvalidJson => "invalid_json",
        }
    }
}

/// Checks a callback against the secrets and the time, and reads it.
///
/// # Errors
/// The [`Refusal`]; change nothing, and answer all but the last with one 401.
pub fn read_callback(
    raw_body: &[u8],
    headers: &CallbackHeaders<'_>,
    now: DateTime<Utc>,
    secrets: &[Secret],
) -> Result<Callback, Refusal> {
    let id = headers.id.filter(|id| is_id(id));
    let moment = headers.timestamp.and_then(parse_timestamp);
    let offered = headers.signature;
    // The signature is computed whatever the headers are, so that all refusals take the same time.
    let (known_id, timestamp) = (id.unwrap_or_default(), headers.timestamp.unwrap_or_default());
    let message = Message { id: known_id, timestamp, body: raw_body };
    let secret_place = find_matching_secret(message, offered.unwrap_or_default(), secrets);
    let (Some(id), Some(moment), Some(_)) = (id, moment, offered) else { return Err(Refusal::Headers) };
    let secret_place = secret_place.ok_or(Refusal::Signature)?;
    let called_at = DateTime::from_timestamp(moment, 0).filter(|_| is_fresh(moment, now.timestamp()));
    let called_at = called_at.ok_or(Refusal::Stale)?;
    let said = read_kept(raw_body).ok_or(Refusal::InvalidJson)?;
    let decided_at = said.decided_at.unwrap_or(called_at).min(called_at);
    let event_key = Sha256::new().chain_update(VendorFormat::Sealed.as_str()).chain_update(id).finalize().into();
    Ok(Callback { said, decided_at, secret_place, event_key, body_digest: Sha256::digest(raw_body).into() })
}

/// Reads the body of a callback that was checked when it came and kept since; `None` when it is no strict JSON object.
#[must_use]
pub fn read_kept(raw_body: &[u8]) -> Option<Said> {
    let body = parse(raw_body).ok().filter(|body| matches!(body, Json::Object(_)))?;
    let text = |key| match body.find(key) {
        Some(Json::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let codes = match body.find("reasons") {
        Some(Json::List(items)) => items.as_slice(),
        _ => &[],
    };
    Some(Said {
        receipt: text("receipt_id").map(str::to_owned),
        result: text("result").unwrap_or_default().to_owned(),
        reason_json: reasons::from_codes(codes.iter().map(to_code)),
        // Postgres keeps no U+0000 in a text.
        code: text("code").unwrap_or_default().chars().filter(|letter| *letter != '\0').take(CODE_CHARACTERS_MAX).collect(),
        decided_at: text("decided_at").and_then(|at| DateTime::parse_from_rfc3339(at).ok()).map(|at| at.to_utc()),
    })
}

fn to_code(item: &Json) -> &str {
    if let Json::Text(code) = item { code } else { "" }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::webhook::sign;
    use super::*;

    const BODY: &str = r#"{"receipt_id":"4dd1add9-6719-42f7-bea0-115c008c4fca","result":"denied","reasons":["id-missing"],
        "decided_at":"2016-06-01T11:59:00+00:00","code":"x"}"#;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_464_782_400, 0).unwrap()
    }

    fn secrets() -> [Secret; 2] {
        [Secret::new([1; 32]), Secret::new([2; 32])]
    }

    /// Reads a body that was signed with the older secret so many seconds from now.
    fn read(id: &str, body: &str, seconds: i64) -> Result<Callback, Refusal> {
        let timestamp = (now().timestamp() + seconds).to_string();
        let message = Message { id, timestamp: &timestamp, body: body.as_bytes() };
        let signature = sign(message, &secrets()[1]);
        let headers = CallbackHeaders { id: Some(id), timestamp: Some(&timestamp), signature: Some(&signature) };
        read_callback(body.as_bytes(), &headers, now(), &secrets())
    }

    fn refusal(read: Result<Callback, Refusal>) -> Refusal {
        read.err().expect("the callback is refused")
    }

    #[test]
    fn a_signed_verdict_is_read_and_its_reasons_have_the_shape_of_the_old_format() {
        let callback = read("evt_1", BODY, 0).ok().unwrap();
        assert_eq!(callback.said.receipt.as_deref(), Some("4dd1add9-6719-42f7-bea0-115c008c4fca"));
        assert_eq!((callback.said.result.as_str(), callback.said.code.as_str()), ("denied", "x"));
        assert_eq!(callback.said.reason_json, r#"[{"photoIdReasons":["Not provided"]}]"#);
        assert_eq!(callback.decided_at, now() - TimeDelta::minutes(1));
        assert_eq!(callback.secret_place, 1);
        assert_eq!(read_kept(BODY.as_bytes()), Some(callback.said));
    }

    #[test]
    fn a_code_is_kept_without_what_postgres_cant_keep_and_to_its_length() {
        let code = |code: &str| read_kept(format!(r#"{{"code":"{code}"}}"#).as_bytes()).unwrap().code;
        assert_eq!(code(r"a\u0000b"), "ab");
        assert_eq!(code(&format!(r"\u0000{}", "é".repeat(60))), "é".repeat(CODE_CHARACTERS_MAX));
    }

    #[test]
    fn a_decision_is_never_later_than_its_call() {
        for (decided_at, expected) in
            [("2016-06-01T12:00:30Z", 0), ("2099-01-01T00:00:00Z", 0), ("soon", 0), ("2016-06-01T11:59:59Z", -1)]
        {
            let body = format!(r#"{{"decided_at":"{decided_at}"}}"#);
            assert_eq!(read("e", &body, 0).ok().unwrap().decided_at, now() + TimeDelta::seconds(expected), "{decided_at}");
        }
    }

    #[test]
    fn the_name_alone_makes_the_event_and_the_digest_tells_bodies_apart() {
        let key = |id, body: &str| read(id, body, 0).map(|callback| (callback.event_key, callback.body_digest)).ok().unwrap();
        let (one, other_body, other_id) = (key("evt_1", BODY), key("evt_1", "{}"), key("evt_2", BODY));
        assert_eq!(one.0, other_body.0);
        assert_ne!(one.1, other_body.1);
        assert_ne!(one.0, other_id.0);
    }

    #[test]
    fn a_signed_moment_may_be_five_minutes_off_and_no_more() {
        for seconds in [-300, 300] {
            assert!(read("e", BODY, seconds).is_ok());
        }
        for seconds in [-301, 301, -1_464_782_400, 1_000_000_000_000] {
            assert_eq!(refusal(read("e", BODY, seconds)), Refusal::Stale, "{seconds}");
        }
    }

    #[test]
    fn a_missing_or_malformed_header_is_refused_even_if_it_was_signed_so() {
        for id in ["", "a.b", "a b", "é"] {
            assert_eq!(refusal(read(id, BODY, 0)), Refusal::Headers, "{id}");
        }
        let timestamp = now().timestamp().to_string();
        let signature = sign(Message { id: "e", timestamp: &timestamp, body: BODY.as_bytes() }, &secrets()[0]);
        let whole = CallbackHeaders { id: Some("e"), timestamp: Some(&timestamp), signature: Some(&signature) };
        assert!(read_callback(BODY.as_bytes(), &whole, now(), &secrets()).is_ok());
        for headers in [
            CallbackHeaders { id: None, ..whole },
            CallbackHeaders { timestamp: None, ..whole },
            CallbackHeaders { timestamp: Some("soon"), ..whole },
            CallbackHeaders { signature: None, ..whole },
            CallbackHeaders::default(),
        ] {
            assert_eq!(refusal(read_callback(BODY.as_bytes(), &headers, now(), &secrets())), Refusal::Headers);
        }
        assert_eq!(refusal(read_callback(b"{}", &whole, now(), &secrets())), Refusal::Signature);
        assert_eq!(refusal(read_callback(BODY.as_bytes(), &whole, now(), &secrets()[1..])), Refusal::Signature);
    }

    #[test]
    fn a_signed_body_that_is_no_strict_object_is_refused_and_anything_else_is_read() {
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(16), "]".repeat(16));
        for body in ["", "no json", "[]", "\"text\"", r#"{"result":"denied","result":"approved"}"#, &deep] {
            assert_eq!(refusal(read("e", body, 0)), Refusal::InvalidJson, "{body}");
        }
        let odd = read("e", r#"{"receipt_id":7,"result":null,"reasons":"x","code":[],"decided_at":1}"#, 0).ok().unwrap();
        let nothing =
            Said { receipt: None, result: String::new(), reason_json: "[]".into(), code: String::new(), decided_at: None };
        assert_eq!(odd.said, nothing);
        let long = read("e", &format!(r#"{{"code":"{}","reasons":[1]}}"#, "é".repeat(80)), 0).ok().unwrap();
        assert_eq!((long.said.code.chars().count(), long.said.reason_json.as_str()), (50, r#"[{"otherReasons":[""]}]"#));
    }
}
