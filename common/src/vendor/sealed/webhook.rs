//! How messages are signed, both ways: Standard Webhooks 1.0.0, symmetric signatures (`v1`).
//!
//! Signed is `<id>.<timestamp>.<raw body>` with HMAC-SHA256. The check runs over every live secret and every offered
//! signature whatever fits, in constant time. What not: the age of a message is judged by who reads it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::vendor::software_secure::signature::hmac_sha256;

/// The header that names a message; it stays the same at every try.
pub const ID_HEADER: &str = "webhook-id";
/// The header with the moment of the try, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The header with the signatures, separated by blanks.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// How far, in seconds and in both directions, a timestamp may be from now.
pub const TOLERANCE_SECONDS: i64 = 300;
/// Longest name of a message, in characters.
pub const ID_CHARACTERS_MAX: usize = 255;
/// Most signatures that one message may offer.
pub const SIGNATURES_MAX: usize = 20;

/// Bytes that a secret may have; the specification's bounds.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
const SECRET_PREFIX: &str = "whsec_";
const VERSION_PREFIX: &str = "v1,";
/// More digits than a moment has before the year 30,000,000.
const TIMESTAMP_DIGITS_MAX: usize = 15;

/// Reads a secret: `whsec_` and base64 of 24 to 64 bytes, or any other text of at least 24 bytes, which is used as it
/// stands.
///
/// # Errors
/// [`SecretFault`], which never repeats the secret; mend the setting.
pub fn parse_secret(text: &str) -> Result<Secret, SecretFault> {
    let Some(encoded) = text.strip_prefix(SECRET_PREFIX) else {
        return if text.len() >= *SECRET_BYTES.start() { Ok(Secret::new(text)) } else { Err(SecretFault::TooShort) };
    };
    let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| SecretFault::NotBase64)?);
    if SECRET_BYTES.contains(&bytes.len()) { Ok(Secret::new(bytes.to_vec())) } else { Err(SecretFault::Length) }
}

/// What is wrong with a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretFault {
    /// What follows `whsec_` is no base64.
    #[error("what follows whsec_ is not base64")]
    NotBase64,
    /// What follows `whsec_` has too few or too many bytes.
    #[error("what follows whsec_ must be base64 of 24 to 64 bytes")]
    Length,
    /// It has no prefix and could be guessed.
    #[error("it must have at least 24 characters, or be whsec_ and base64")]
    TooShort,
}

/// What is signed.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// Its name.
    pub id: &'a str,
    /// When it was sent, as it stands in the header.
    pub timestamp: &'a str,
    /// Its body, byte for byte.
    pub body: &'a [u8],
}

impl Message<'_> {
    fn to_bytes(self) -> Vec<u8> {
        [self.id.as_bytes(), b".", self.timestamp.as_bytes(), b".", self.body].concat()
    }
}

/// Signs a message: the value of `webhook-signature`.
#[must_use]
pub fn sign(message: Message<'_>, secret: &Secret) -> String {
    format!("{VERSION_PREFIX}{}", STANDARD.encode(hmac_sha256(secret, &message.to_bytes())))
}

/// Finds the secret, by its place in the list, under which one of the offered signatures fits.
///
/// `offered` is the header's value; what is no readable `v1` signature in it fits nothing. If several secrets fit, the
/// last place is given.
#[must_use]
pub fn find_matching_secret(message: Message<'_>, offered: &str, secrets: &[Secret]) -> Option<usize> {
    let offered: Vec<[u8; 32]> = offered.split(' ').filter_map(read_signature).take(SIGNATURES_MAX).collect();
    let signed = message.to_bytes();
    let mut found = 0_u64;
    for (place, secret) in (1_u64..).zip(secrets) {
        let expected = hmac_sha256(secret, &signed);
        let is_usable = u8::from(!secret.is_empty()).ct_eq(&1);
        for tag in &offered {
            found = u64::conditional_select(&found, &place, expected.ct_eq(tag) & is_usable);
        }
    }
    usize::try_from(found).ok()?.checked_sub(1)
}

fn read_signature(entry: &str) -> Option<[u8; 32]> {
    STANDARD.decode(entry.strip_prefix(VERSION_PREFIX)?).ok()?.try_into().ok()
}

/// Tells whether a text can name a message: what is signed must be read in one way only, so no full stop.
#[must_use]
pub fn is_id(text: &str) -> bool {
    (1..=ID_CHARACTERS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'.')
}

/// Reads a timestamp: digits alone, in one spelling.
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<i64> {
    let is_plain = (1..=TIMESTAMP_DIGITS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain && (text == "0" || !text.starts_with('0')))
}

/// Tells whether a timestamp is at most [`TOLERANCE_SECONDS`] before or after now, both in seconds since 1970.
#[must_use]
pub fn is_fresh(timestamp: i64, now: i64) -> bool {
    now.abs_diff(timestamp) <= TOLERANCE_SECONDS.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The vector that the Standard Webhooks libraries are tested with.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const MESSAGE: Message<'static> =
        Message { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: "1614265330", body: br#"{"test": 2432232314}"# };

    fn secret() -> Secret {
        parse_secret(SECRET).unwrap()
    }

    fn other() -> Secret {
        Secret::new([9; 32])
    }

    #[test]
    fn the_vector_of_standard_webhooks_is_signed_and_found() {
        assert_eq!(sign(MESSAGE, &secret()), SIGNATURE);
        assert_eq!(find_matching_secret(MESSAGE, SIGNATURE, &[secret()]), Some(0));
    }

    #[test]
    fn a_secret_without_its_prefix_is_another_secret() {
        let raw = parse_secret(SECRET.trim_start_matches("whsec_")).unwrap();
        assert_ne!(raw.expose(), secret().expose());
        assert_eq!(parse_secret(&"C".repeat(40)).unwrap().expose(), "C".repeat(40).as_bytes());
    }

    #[test]
    fn a_secret_that_could_be_guessed_or_is_no_base64_is_refused() {
        let encoded = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![1; bytes]));
        assert_eq!(parse_secret(&"C".repeat(23)).err(), Some(SecretFault::TooShort));
        assert_eq!(parse_secret("whsec_*").err(), Some(SecretFault::NotBase64));
        for (bytes, fault) in [
            (0, Some(SecretFault::Length)),
            (23, Some(SecretFault::Length)),
            (24, None),
            (64, None),
            (65, Some(SecretFault::Length)),
        ] {
            assert_eq!(parse_secret(&encoded(bytes)).err(), fault, "{bytes}");
        }
    }

    #[test]
    fn one_good_signature_among_others_and_under_any_live_secret_is_enough() {
        let foreign = sign(MESSAGE, &other());
        for offered in [
            format!("{foreign} {SIGNATURE}"),
            format!("{SIGNATURE} {foreign}"),
            format!("v1a,AAAA v2,x nonsense {SIGNATURE}"),
            format!("{SIGNATURE} v1,AAAA"),
        ] {
            assert_eq!(find_matching_secret(MESSAGE, &offered, &[secret()]), Some(0), "{offered}");
        }
        assert_eq!(find_matching_secret(MESSAGE, SIGNATURE, &[other(), secret()]), Some(1));
        assert_eq!(find_matching_secret(MESSAGE, &foreign, &[secret()]), None);
        assert_eq!(find_matching_secret(MESSAGE, SIGNATURE, &[]), None);
        assert_eq!(find_matching_secret(MESSAGE, &sign(MESSAGE, &Secret::new("")), &[Secret::new("")]), None);
    }

    #[test]
    fn every_part_of_a_message_is_signed_and_none_flows_into_the_next() {
        let others = [
            Message { id: "msg_p5jXN8AQM9LWM0D4loKWxJel", ..MESSAGE },
            Message { timestamp: "1614265331", ..MESSAGE },
            Message { body: br#"{"test": 2432232315}"#, ..MESSAGE },
            Message { id: "msg_p5jXN8AQM9LWM0D4loKWxJek1", timestamp: "614265330", ..MESSAGE },
        ];
        for message in others {
            assert_eq!(find_matching_secret(message, SIGNATURE, &[secret()]), None);
        }
    }

    #[test]
    fn a_signature_in_another_writing_is_none() {
        let bare = SIGNATURE.trim_start_matches("v1,");
        for offered in [
            String::new(),
            bare.to_owned(),
            format!("V1,{bare}"),
            format!("v1,{}", bare.trim_end_matches('=')),
            format!("v1,,{bare}"),
            format!("v1 ,{bare}"),
            format!("v1,{}", bare.to_lowercase()),
            "v1,".to_owned(),
        ] {
            assert_eq!(find_matching_secret(MESSAGE, &offered, &[secret()]), None, "{offered}");
        }
    }

    #[test]
    fn no_more_than_twenty_signatures_are_looked_at() {
        let foreign = sign(MESSAGE, &other());
        let after = |count: usize| format!("{} {SIGNATURE}", vec![foreign.clone(); count].join(" "));
        assert_eq!(find_matching_secret(MESSAGE, &after(19), &[secret()]), Some(0));
        assert_eq!(find_matching_secret(MESSAGE, &after(20), &[secret()]), None);
    }

    #[test]
    fn names_and_timestamps_have_one_reading() {
        for id in ["msg_1", "a", &"x".repeat(255), "4dd1add9-6719-42f7-bea0-115c008c4fca_17"] {
            assert!(is_id(id), "{id}");
        }
        for id in ["", "a.b", "a b", "a\n", "é", &"x".repeat(256)] {
            assert!(!is_id(id), "{id}");
        }
        assert_eq!(parse_timestamp("1614265330"), Some(1_614_265_330));
        assert_eq!(parse_timestamp("0"), Some(0));
        for odd in ["", "+1", "-1", " 1", "1 ", "1.0", "1e3", "01", "0x1", "١", "1614265330000000"] {
            assert_eq!(parse_timestamp(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_message_is_fresh_for_five_minutes_both_ways() {
        for (offset, expected) in [(-301, false), (-300, true), (0, true), (300, true), (301, false)] {
            assert_eq!(is_fresh(1_614_265_330 + offset, 1_614_265_330), expected, "{offset}");
        }
        assert!(!is_fresh(i64::MAX, i64::MIN));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_signed_is_found_and_a_flipped_bit_is_not(
            body in proptest::collection::vec(any::<u8>(), 1..500),
            place in any::<prop::sample::Index>(),
            bit in 0_u8..8,
        ) {
            let message = Message { body: &body, ..MESSAGE };
            let signature = sign(message, &secret());
            prop_assert_eq!(find_matching_secret(message, &signature, &[other(), secret()]), Some(1));
            let mut changed = body.clone();
            changed[place.index(body.len())] ^= 1_u8 << bit;
            prop_assert_eq!(find_matching_secret(Message { body: &changed, ..MESSAGE }, &signature, &[other(), secret()]), None);
        }

        #[test]
        fn no_header_makes_the_check_panic(offered in ".{0,200}") {
            prop_assert_eq!(find_matching_secret(MESSAGE, &offered, &[secret()]), None);
        }
    }
}
