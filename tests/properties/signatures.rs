//! Callbacks of both formats: what is signed is read, and one bit of it flipped is not.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::json;
use vouch_common::{
    secret::Secret,
    vendor::{
        sealed::{callback as sealed, webhook},
        software_secure::{
            callback as software_secure,
            canonical::{Message, string_to_sign},
            signature::{format_date, sign},
        },
        strict_json::{Json, parse},
    },
};

const ACCESS_KEY: &str = "BBBBBBBBBBBBBBBBBBBB";

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn secrets() -> [Secret; 2] {
    [Secret::new("the secret that is used from now on"), Secret::new("the secret that was used before")]
}

/// A callback of `software-secure` as it travels.
#[derive(Debug, Clone)]
struct Call {
    body: Vec<u8>,
    authorization: Vec<u8>,
    date: Vec<u8>,
}

impl Call {
    fn signed(body: String, secret: &Secret) -> Self {
        let Ok(Json::Object(members)) = parse(body.as_bytes()) else { panic!("the body is an object") };
        let date = format_date(now());
        let message = Message { method: "POST", content_type: None, date: Some(&date), content_md5: None, body: &members };
        let authorization = sign(&message, ACCESS_KEY, secret);
        Self { body: body.into_bytes(), authorization: authorization.into(), date: date.into() }
    }

    fn is_believed(&self) -> bool {
        let headers = software_secure::CallbackHeaders {
            authorization: std::str::from_utf8(&self.authorization).ok(),
            date: std::str::from_utf8(&self.date).ok(),
            content_type: None,
        };
        let secrets = secrets();
        let keys = software_secure::CallbackKeys { access_key: ACCESS_KEY, secrets: &secrets };
        software_secure::read_callback(&self.body, &headers, now(), &keys, software_secure::SignatureMode::Enforce).is_ok()
    }
}

/// A callback of `sealed` as it travels.
#[derive(Debug, Clone)]
struct Hook {
    body: Vec<u8>,
    id: Vec<u8>,
    timestamp: Vec<u8>,
    signature: Vec<u8>,
}

impl Hook {
    fn signed(body: String, id: String, secret: &Secret) -> Self {
        let timestamp = now().timestamp().to_string();
        let signature = webhook::sign(webhook::Message { id: &id, timestamp: &timestamp, body: body.as_bytes() }, secret);
        Self { body: body.into(), id: id.into(), timestamp: timestamp.into(), signature: signature.into() }
    }

    fn is_believed(&self) -> bool {
        let headers = sealed::CallbackHeaders {
            id: std::str::from_utf8(&self.id).ok(),
            timestamp: std::str::from_utf8(&self.timestamp).ok(),
            signature: std::str::from_utf8(&self.signature).ok(),
        };
        sealed::read_callback(&self.body, &headers, now(), &secrets()).is_ok()
    }
}

/// Flips one bit of `bytes`, from `from` on.
fn flip(bytes: &mut [u8], from: usize, place: prop::sample::Index, bit: u8) {
    let place = from + place.index(bytes.len() - from);
    bytes[place] ^= 1 << bit;
}

prop_compose! {
    /// A body of texts without line breaks, as the vendor writes it. A list of reasons is never empty: of an empty one
    /// nothing is signed in this format, not even its name, and nothing is said by it.
    fn any_body()(receipt in "\\PC{0,40}", result in "\\PC{0,12}", reasons in prop::collection::vec("\\PC{0,20}", 1..3), message in "\\PC{0,20}") -> String {
        json!({ "EdX-ID": receipt, "Result": result, "Reason": [{ "photoIdReasons": reasons }], "MessageType": message }).to_string()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_signed_call_is_believed_under_each_live_secret_and_no_flipped_bit_is(
        body in any_body(), place in any::<prop::sample::Index>(), bit in 0_u8..8, part in 0..3, is_former: bool,
    ) {
        let call = Call::signed(body, &secrets()[usize::from(is_former)]);
        prop_assert!(call.is_believed());
        let mut flipped = call.clone();
        match part {
            0 => flip(&mut flipped.body, 0, place, bit),
            // The scheme's name before the blank is free.
            1 => flip(&mut flipped.authorization, "SSI".len(), place, bit),
            _ => flip(&mut flipped.date, 0, place, bit),
        }
        prop_assert!(!flipped.is_believed(), "{:?}", flipped);
    }

    #[test]
    fn a_signed_hook_is_believed_under_each_live_secret_and_no_flipped_bit_is(
        body in any_body(), id in "[a-zA-Z0-9_-]{1,40}", place in any::<prop::sample::Index>(), bit in 0_u8..8, part in 0..4, is_former: bool,
    ) {
        let hook = Hook::signed(body, id, &secrets()[usize::from(is_former)]);
        prop_assert!(hook.is_believed());
        let mut flipped = hook.clone();
        match part {
            0 => flip(&mut flipped.body, 0, place, bit),
            1 => flip(&mut flipped.id, 0, place, bit),
            2 => flip(&mut flipped.timestamp, 0, place, bit),
            _ => flip(&mut flipped.signature, 0, place, bit),
        }
        prop_assert!(!flipped.is_believed(), "{:?}", flipped);
    }

    #[test]
    fn another_secret_signs_nothing(body in any_body(), secret in "[a-z]{24,64}") {
        prop_assert!(!Call::signed(body.clone(), &Secret::new(secret.clone())).is_believed());
        prop_assert!(!Hook::signed(body, "id".to_owned(), &Secret::new(secret)).is_believed());
    }

    #[test]
    fn what_is_signed_does_not_depend_on_the_order_of_the_members(values in prop::collection::btree_map("[A-Za-z]{1,8}", "\\PC{0,12}", 0..6)) {
        let members: Vec<(String, Json)> = values.into_iter().map(|(key, value)| (key, Json::Text(value))).collect();
        let backwards: Vec<(String, Json)> = members.iter().rev().cloned().collect();
        let text = |body: &[(String, Json)]| {
            string_to_sign(&Message { method: "POST", content_type: None, date: None, content_md5: None, body })
        };
        prop_assert_eq!(text(&members), text(&backwards));
    }
}
