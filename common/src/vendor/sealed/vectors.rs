//! The vectors of docs/vendors.md, which `tests/vectors/sealed.py` made: another program in another language.

use chrono::DateTime;
use serde_json::Value;

use super::callback::{CallbackHeaders, read_callback};
use super::key::DataKey;
use super::photo::{Binding, open_photo, seal_with};
use super::request::{PhotoFacts, RequestFacts, build_request};
use super::webhook::parse_secret;
use crate::domain::photo::PhotoKind;
use crate::vendor::software_secure::fixtures::private_key;

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/vendors.md"));

fn vectors() -> Value {
    serde_json::from_str(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/sealed.json"))).unwrap()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer}"))
}

fn bytes<const N: usize>(value: &Value, pointer: &str) -> [u8; N] {
    hex::decode(text(value, pointer)).unwrap().try_into().unwrap()
}

#[test]
fn the_photos_of_the_vectors_are_sealed_to_the_byte_and_opened() {
    let vectors = vectors();
    for (photo, kind) in vectors["photos"].as_array().unwrap().iter().zip(PhotoKind::ALL) {
        assert_eq!(text(photo, "/kind"), kind.as_str());
        let binding = Binding { receipt: text(photo, "/receipt_id"), kind };
        let (key, nonce) = (DataKey::from(bytes(photo, "/key_hex")), bytes(photo, "/nonce_hex"));
        let container = seal_with(text(photo, "/plain").as_bytes(), binding, &key, nonce).unwrap();
        assert_eq!(hex::encode(&container), text(photo, "/container_hex"));
        let unwrapped = DataKey::unwrap(text(photo, "/wrapped_key"), &private_key()).unwrap();
        assert_eq!(open_photo(&container, binding, &unwrapped).unwrap(), text(photo, "/plain").as_bytes());
    }
}

#[test]
fn the_request_of_the_vectors_is_built_to_the_byte() {
    let vectors = vectors();
    let sent: Value = serde_json::from_str(text(&vectors, "/request/body")).unwrap();
    let photo = |kind: &str| {
        let sent = &sent["photos"][kind];
        PhotoFacts { url: text(sent, "/url"), wrapped_key: text(sent, "/key"), receipt_id: text(sent, "/receipt_id") }
    };
    let facts = RequestFacts {
        receipt_id: text(&sent, "/receipt_id"),
        order: "17",
        name: text(&sent, "/name"),
        face: photo("face"),
        photo_id: photo("photo_id"),
        callback_url: text(&sent, "/callback_url"),
    };
    let secret = parse_secret(text(&vectors, "/secret")).unwrap();
    let moment = DateTime::from_timestamp(text(&vectors, "/request/timestamp").parse().unwrap(), 0).unwrap();
    let request = build_request(&facts, "vouch", &secret, moment);
    assert_eq!(String::from_utf8(request.body).unwrap(), text(&vectors, "/request/body"));
    let expected = [
        ("content-type", "application/json"),
        ("authorization", "Bearer vouch"),
        ("webhook-id", text(&vectors, "/request/id")),
        ("webhook-timestamp", text(&vectors, "/request/timestamp")),
        ("webhook-signature", text(&vectors, "/request/signature")),
    ];
    assert_eq!(request.headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn the_callback_of_the_vectors_is_read() {
    let vectors = vectors();
    let headers = CallbackHeaders {
        id: Some(text(&vectors, "/callback/id")),
        timestamp: Some(text(&vectors, "/callback/timestamp")),
        signature: Some(text(&vectors, "/callback/signature")),
    };
    let now = DateTime::from_timestamp(1_464_782_500, 0).unwrap();
    let secrets = [parse_secret(text(&vectors, "/secret")).unwrap()];
    let callback = read_callback(text(&vectors, "/callback/body").as_bytes(), &headers, now, &secrets).ok().unwrap();
    assert_eq!(callback.said.result, "denied");
    assert_eq!(callback.said.reason_json, r#"[{"photoIdReasons":["Not provided"]},{"generalReasons":["Name mismatch"]}]"#);
    assert_eq!(callback.decided_at.timestamp(), 1_464_782_400);
}

#[test]
fn the_page_shows_the_vectors() {
    let vectors = vectors();
    for pointer in [
        "/secret",
        "/photos/0/container_hex",
        "/photos/1/container_hex",
        "/request/signature",
        "/callback/body",
        "/callback/signature",
    ] {
        let shown = text(&vectors, pointer);
        assert!(PAGE.contains(shown), "docs/vendors.md lacks {pointer}: {shown}");
    }
}
