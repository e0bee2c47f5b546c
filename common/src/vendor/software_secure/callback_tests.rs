//! Each rule of the order in docs/contract.md for `results_callback`, as a sentence.

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};

use super::super::fixtures::{ACCESS_KEY, DATE, RECEIPT, members, secret};
use super::super::signature::{parse_date, sign};
use super::{Callback, CallbackHeaders, CallbackKeys, Doubt, Message, Refusal, SignatureMode, read_callback};
use crate::secret::Secret;

fn noon() -> DateTime<Utc> {
    parse_date(DATE).unwrap()
}

fn pass_body() -> String {
    format!(r#"{{"EdX-ID":"{RECEIPT}","Result":"PASS","Reason":"","MessageType":"You have been verified."}}"#)
}

/// Signs a body as the vendor would, over `Date` and perhaps `Content-Type`.
fn authorization(body: &str, date: Option<&str>, content_type: Option<&str>, secret: &Secret) -> String {
    let body = members(body);
    let message = Message { method: "POST", content_type, date, content_md5: None, body: &body };
    sign(&message, ACCESS_KEY, secret)
}

fn read(body: &str, authorization: Option<&str>, mode: SignatureMode) -> Result<Callback, Refusal> {
    let headers = CallbackHeaders { authorization, date: Some(DATE), content_type: Some("application/json") };
    read_with(body, &headers, mode)
}

fn read_with(body: &str, headers: &CallbackHeaders<'_>, mode: SignatureMode) -> Result<Callback, Refusal> {
    let secrets = [Secret::new("a newer secret"), secret()];
    let keys = CallbackKeys { access_key: ACCESS_KEY, secrets: &secrets };
    read_callback(body.as_bytes(), headers, noon(), &keys, mode)
}

/// Signs with the live secret and reads in enforcing mode.
fn read_signed(body: &str) -> Result<Callback, Refusal> {
    read(body, Some(&authorization(body, Some(DATE), None, &secret())), SignatureMode::Enforce)
}

fn refusal(result: Result<Callback, Refusal>) -> Refusal {
    result.err().expect("the callback is refused")
}

#[test]
fn a_body_that_is_not_json_is_refused_before_anything_else() {
    for body in ["", "{", "not json", "{\"a\":1} x", "{\"a\":NaN}"] {
        assert_eq!(refusal(read(body, None, SignatureMode::Audit)), Refusal::InvalidJson, "{body}");
    }
    assert_eq!(Refusal::InvalidJson.to_string(), "Invalid JSON");
}

#[test]
fn bytes_that_are_not_utf_8_are_not_json() {
    let keys = CallbackKeys { access_key: ACCESS_KEY, secrets: &[] };
    let read = read_callback(b"{\"a\":\"\xff\"}", &CallbackHeaders::default(), noon(), &keys, SignatureMode::Audit);

    assert_eq!(refusal(read), Refusal::InvalidJson);
}

#[test]
fn a_repeated_key_is_not_json_even_when_signed() {
    let body = r#"{"Result":"FAIL","Result":"PASS"}"#;

    assert_eq!(refusal(read(body, Some("SSI k:s"), SignatureMode::Audit)), Refusal::InvalidJson);
    assert_eq!(refusal(read(r#"{"Reason":{"a":"1","a":"2"}}"#, None, SignatureMode::Audit)), Refusal::InvalidJson);
}

#[test]
fn a_body_nested_deeper_than_sixteen_levels_is_not_json() {
    let nested = |lists: usize| format!("{{\"Reason\":{}{}}}", "[".repeat(lists), "]".repeat(lists));

    assert_eq!(refusal(read(&nested(16), None, SignatureMode::Audit)), Refusal::InvalidJson);
    assert!(read_signed(&nested(15)).is_ok());
}

#[test]
fn json_that_is_no_object_is_refused_before_the_access_key_is_looked_at() {
    for body in ["[]", "\"text\"", "1", "null", "true"] {
        assert_eq!(refusal(read(body, None, SignatureMode::Audit)), Refusal::NotAnObject, "{body}");
    }
    assert_eq!(Refusal::NotAnObject.to_string(), "JSON should be dict");
}

#[test]
fn a_missing_authorization_is_refused_in_both_modes() {
    for mode in [SignatureMode::Enforce, SignatureMode::Audit] {
        assert_eq!(refusal(read(&pass_body(), None, mode)), Refusal::AccessKeyInvalid);
    }
    assert_eq!(Refusal::AccessKeyInvalid.to_string(), "Access key invalid");
}

#[test]
fn a_malformed_authorization_is_refused_in_both_modes() {
    let key = ACCESS_KEY;
    let values = [
        String::new(),
        format!("SSI: {key}:sig"),
        format!("{key}:sig"),
        format!("SSI {key}"),
        format!("SSI {key}:a:b"),
        format!("SSI  {key}:sig"),
        format!("test {key}: sig"),
        format!("SSI {key}:"),
    ];
    for value in values {
        for mode in [SignatureMode::Enforce, SignatureMode::Audit] {
            assert_eq!(refusal(read(&pass_body(), Some(&value), mode)), Refusal::AccessKeyInvalid, "{value}");
        }
    }
}

#[test]
fn another_access_key_is_refused_in_both_modes_even_with_a_good_signature() {
    let good = authorization(&pass_body(), Some(DATE), None, &secret());
    for key in ["C", "BBBBBBBBBBBBBBBBBBBBB", "bbbbbbbbbbbbbbbbbbbb"] {
        let value = good.replace(ACCESS_KEY, key);
        for mode in [SignatureMode::Enforce, SignatureMode::Audit] {
            assert_eq!(refusal(read(&pass_body(), Some(&value), mode)), Refusal::AccessKeyInvalid);
        }
    }
}

#[test]
fn another_access_key_is_told_before_a_bad_signature() {
    let refused = refusal(read(&pass_body(), Some("SSI other:wrong"), SignatureMode::Enforce));

    assert_eq!(refused, Refusal::AccessKeyInvalid);
}

#[test]
fn a_callback_signed_over_the_date_alone_is_accepted_as_in_vectors_2_and_3() {
    let fail = format!(
        r#"{{"EdX-ID":"{RECEIPT}","Result":"FAIL","Reason":[{{"photoIdReasons":["Not provided"]}}],
            "MessageType":"Photo reasons"}}"#
    );
    let passed = format!("SSI {ACCESS_KEY}:ewW9TVvpm4HkUmH8kx5OVEG6DzPH9Zr26VVZ/kkbpGQ=");
    let failed = format!("SSI {ACCESS_KEY}:B18asfHSyEQ7Vx5klm6YIZnOKD6V5eecVX09QCbCHXE=");

    let callback = read(&pass_body(), Some(&passed), SignatureMode::Enforce).unwrap();
    assert_eq!(callback.receipt.as_deref(), Some(RECEIPT));
    assert_eq!(callback.result, "PASS");
    assert_eq!(callback.reason_json, "\"\"");
    assert_eq!(callback.message_type, "You have been verified.");
    assert_eq!(callback.signed_at, Some(noon()));
    assert_eq!(callback.secret_place, Some(1));
    assert!(callback.signature_valid());
    let callback = read(&fail, Some(&failed), SignatureMode::Enforce).unwrap();
    assert_eq!(callback.result, "FAIL");
    assert_eq!(callback.reason_json, r#"[{"photoIdReasons": ["Not provided"]}]"#);
}

#[test]
fn a_callback_signed_over_content_type_and_date_is_accepted() {
    let value = authorization(&pass_body(), Some(DATE), Some("application/json"), &secret());

    assert!(read(&pass_body(), Some(&value), SignatureMode::Enforce).is_ok());
    let other = authorization(&pass_body(), Some(DATE), Some("text/plain"), &secret());
    let refused = refusal(read(&pass_body(), Some(&other), SignatureMode::Enforce));
    assert_eq!(refused, Refusal::SignatureInvalid(Doubt::Mismatch));
}

#[test]
fn every_live_secret_is_accepted_and_a_retired_one_is_not() {
    let newer = authorization(&pass_body(), Some(DATE), None, &Secret::new("a newer secret"));
    let retired = authorization(&pass_body(), Some(DATE), None, &Secret::new("a retired secret"));

    let callback = read(&pass_body(), Some(&newer), SignatureMode::Enforce).unwrap();
    assert_eq!(callback.secret_place, Some(0));
    let refused = refusal(read(&pass_body(), Some(&retired), SignatureMode::Enforce));
    assert_eq!(refused, Refusal::SignatureInvalid(Doubt::Mismatch));
    assert_eq!(refused.to_string(), "Signature is invalid");
}

#[test]
fn a_flipped_bit_in_body_date_or_signature_is_refused() {
    let value = authorization(&pass_body(), Some(DATE), None, &secret());
    let flipped = value.replace("ewW9", "exW9");
    let later = CallbackHeaders { authorization: Some(&value), date: Some("Wed, 01 Jun 2016 12:00:01 GMT"), content_type: None };

    let mismatch = Refusal::SignatureInvalid(Doubt::Mismatch);
    assert_ne!(value, flipped);
    assert_eq!(refusal(read(&pass_body(), Some(&flipped), SignatureMode::Enforce)), mismatch);
    let body = pass_body().replace("PASS", "FAIL");
    assert_eq!(refusal(read(&body, Some(&value), SignatureMode::Enforce)), mismatch);
    assert_eq!(refusal(read_with(&pass_body(), &later, SignatureMode::Enforce)), mismatch);
}

#[test]
fn a_missing_or_unreadable_date_is_refused_although_the_rest_is_signed() {
    for date in [None, Some("D"), Some("Wednesday, 01-Jun-16 12:00:00 GMT")] {
        let value = authorization(&pass_body(), date, None, &secret());
        let headers = CallbackHeaders { authorization: Some(&value), date, content_type: None };

        let refused = refusal(read_with(&pass_body(), &headers, SignatureMode::Enforce));
        assert_eq!(refused, Refusal::SignatureInvalid(Doubt::DateMissing), "{date:?}");
    }
}

#[test]
fn a_date_of_up_to_five_minutes_in_the_past_or_future_is_accepted_and_one_second_more_is_not() {
    let value = authorization(&pass_body(), Some(DATE), None, &secret());
    let headers = CallbackHeaders { authorization: Some(&value), date: Some(DATE), content_type: None };
    let secrets = [secret()];
    let keys = CallbackKeys { access_key: ACCESS_KEY, secrets: &secrets };
    let read_at = |seconds| {
        let now = noon() + TimeDelta::seconds(seconds);
        read_callback(pass_body().as_bytes(), &headers, now, &keys, SignatureMode::Enforce)
    };

    for seconds in [-300, 300] {
        assert!(read_at(seconds).is_ok());
    }
    for seconds in [-301, 301, 86_400] {
        assert_eq!(refusal(read_at(seconds)), Refusal::SignatureInvalid(Doubt::DateOff));
    }
}

#[test]
fn a_line_break_in_any_key_or_value_is_refused_although_it_is_signed() {
    let bodies = [
        r#"{"EdX-ID":"x\nResult:PASS","Result":"FAIL"}"#,
        r#"{"MessageType":"a\rb"}"#,
        r#"{"a\nb":"c"}"#,
        r#"{"Reason":"a\nb"}"#,
        r#"{"Reason":[{"a":["b\n"]}]}"#,
        r#"{"Reason":[{"a\n":["b"]}]}"#,
    ];
    for body in bodies {
        assert_eq!(refusal(read_signed(body)), Refusal::SignatureInvalid(Doubt::LineBreak), "{body}");
    }
}

#[test]
fn a_value_that_is_no_string_is_refused_although_it_is_signed() {
    let bodies = [
        r#"{"EdX-ID":1}"#,
        r#"{"Result":true}"#,
        r#"{"Result":["PASS"]}"#,
        r#"{"MessageType":null}"#,
        r#"{"Other":{}}"#,
        r#"{"Reason":null}"#,
        r#"{"Reason":5}"#,
        r#"{"Reason":[{"a":[true]}]}"#,
        r#"{"Reason":[null]}"#,
    ];
    for body in bodies {
        assert_eq!(refusal(read_signed(body)), Refusal::SignatureInvalid(Doubt::NotText), "{body}");
    }
}

#[test]
fn a_reason_may_be_a_string_or_lists_and_objects_of_strings() {
    let reasons = [
        ("\"Invalid photo\"", "\"Invalid photo\""),
        ("[]", "[]"),
        ("[{}]", "[{}]"),
        ("[[]]", "[[]]"),
        (r#"{"a":"b"}"#, r#"{"a": "b"}"#),
        (r#"[{"b":["é","x"],"a":"y"}]"#, r#"[{"b": ["\u00e9", "x"], "a": "y"}]"#),
    ];
    for (written, stored) in reasons {
        let callback = read_signed(&format!(r#"{{"Reason":{written}}}"#)).unwrap();
        assert_eq!(callback.reason_json, stored);
    }
}

#[test]
fn audit_accepts_a_bad_signature_on_the_access_key_alone_and_tells_the_doubt() {
    let value = format!("test {ACCESS_KEY}:testing");

    let callback = read(&pass_body(), Some(&value), SignatureMode::Audit).unwrap();
    assert_eq!(callback.doubt, Some(Doubt::Mismatch));
    assert!(!callback.signature_valid());
    assert_eq!(callback.secret_place, None);
    assert_eq!(callback.result, "PASS");
}

#[test]
fn audit_accepts_a_missing_date_and_null_values_and_tells_the_doubt() {
    let body = r#"{"EdX-ID":null,"Result":"PASS","Reason":null,"MessageType":null}"#;
    let value = authorization(body, None, None, &secret());
    let headers = CallbackHeaders { authorization: Some(&value), date: None, content_type: None };

    let callback = read_with(body, &headers, SignatureMode::Audit).unwrap();
    assert_eq!(callback.doubt, Some(Doubt::DateMissing));
    assert_eq!(callback.signed_at, None);
    assert_eq!(callback.receipt, None);
    assert_eq!(callback.reason_json, "null");
    assert_eq!(callback.message_type, "");
}

#[test]
fn a_good_signature_has_no_doubt_in_audit_mode_either() {
    let value = authorization(&pass_body(), Some(DATE), None, &secret());

    assert!(read(&pass_body(), Some(&value), SignatureMode::Audit).unwrap().signature_valid());
}

#[test]
fn unknown_receipts_and_results_are_left_to_the_caller() {
    let callback = read_signed(r#"{"EdX-ID":"Invalid-Id","Result":"Unknown"}"#).unwrap();
    assert_eq!(callback.receipt.as_deref(), Some("Invalid-Id"));
    assert_eq!(callback.result, "Unknown");

    let empty = read_signed("{}").unwrap();
    assert_eq!(empty.receipt, None);
    assert_eq!(empty.result, "None");
    assert_eq!(empty.reason_json, "\"\"");
    assert_eq!(empty.message_type, "");
}

#[test]
fn a_long_message_type_is_cut_at_fifty_characters_and_not_at_bytes() {
    let body = format!(r#"{{"MessageType":"{}"}}"#, "é".repeat(51));

    assert_eq!(read_signed(&body).unwrap().message_type, "é".repeat(50));
}

#[test]
fn the_event_key_hashes_the_vendor_the_date_and_the_raw_body() {
    let body = pass_body();
    let spaced = body.replace(',', ", ");

    let key = read_signed(&body).unwrap().event_key;
    let expected: [u8; 32] = Sha256::digest(format!("software-secure{DATE}{body}")).into();
    assert_eq!(key, expected);
    assert_eq!(key, read_signed(&body).unwrap().event_key);
    assert_ne!(key, read_signed(&spaced).unwrap().event_key);
}
