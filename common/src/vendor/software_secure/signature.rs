//! The `SSI` signature: HMAC-SHA256 over the string to sign, in standard base64, behind the access key.
//!
//! The check runs in constant time over every candidate string and every live secret, so neither the place of a
//! difference nor the age of a secret shows. What not: the age of a message and the shape of its values are judged by
//! who reads it. Source: reference 3.7 and 3.8.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};
use zeroize::Zeroizing;

use super::canonical::{Message, string_to_sign};
use crate::secret::Secret;

/// How far, in seconds and in both directions, the signed `Date` may be from now.
pub const DATE_TOLERANCE_SECONDS: i64 = 300;

const HMAC_BLOCK_BYTES: usize = 64;

/// The two halves of an `Authorization` value `<scheme> <access key>:<signature>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// The access key, which travels in clear and proves nothing.
    pub access_key: &'a str,
    /// The signature in base64, unchecked.
    pub signature: &'a str,
}

/// Signs a message and writes the value of the `Authorization` header.
#[must_use]
pub fn sign(message: &Message<'_>, access_key: &str, secret: &Secret) -> String {
    let tag = hmac_sha256(secret, string_to_sign(message).as_bytes());
    format!("SSI {access_key}:{}", STANDARD.encode(tag))
}

/// Splits an `Authorization` value at its single blank and its single colon; the scheme's name is free, as ever.
///
/// `None` means malformed: a part is missing, empty or too much.
#[must_use]
pub fn split_authorization(value: &str) -> Option<Credentials<'_>> {
    let (scheme, rest) = value.split_once(' ')?;
    let (access_key, signature) = rest.split_once(':')?;
    let is_clean = |part: &str| !part.is_empty() && !part.contains([':', ' ', '\t', '\r', '\n']);
    [scheme, access_key, signature].into_iter().all(is_clean).then_some(Credentials { access_key, signature })
}

/// Tells in constant time whether two access keys are the same; their lengths do not show either.
#[must_use]
pub fn is_same_access_key(left: &str, right: &str) -> bool {
    let (left, right) = (Sha256::digest(left), Sha256::digest(right));
    left.as_slice().ct_eq(right.as_slice()).into()
}

/// Finds the secret, by its place in the list, under which the signature fits one of the messages.
///
/// All messages are tried with all secrets whatever fits, and an empty secret fits nothing. If several fit, the last
/// place is given.
#[must_use]
pub fn find_matching_secret(messages: &[Message<'_>], signature: &str, secrets: &[Secret]) -> Option<usize> {
    let offered = STANDARD.decode(signature).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let (offered, is_readable) = offered.map_or(([0; 32], 0), |tag| (tag, 1));
    let texts: Vec<String> = messages.iter().map(string_to_sign).collect();
    let mut found = 0_u64;
    for (place, secret) in (1_u64..).zip(secrets) {
        for text in &texts {
            let fits = hmac_sha256(secret, text.as_bytes()).ct_eq(&offered);
            let counts = u8::from(!secret.is_empty()).ct_eq(&1) & is_readable.ct_eq(&1_u8);
            found = u64::conditional_select(&found, &place, fits & counts);
        }
    }
    usize::try_from(found).ok()?.checked_sub(1)
}

/// Reads a `Date` header as RFC 1123 writes it, in GMT; other forms that HTTP once allowed are not read.
#[must_use]
pub fn parse_date(value: &str) -> Option<DateTime<Utc>> {
    let time = httpdate::parse_http_date(value).ok()?;
    (httpdate::fmt_http_date(time) == value).then(|| DateTime::<Utc>::from(time))
}

/// Writes a time as the `Date` header needs it; parts of a second are cut off.
#[must_use]
pub fn format_date(time: DateTime<Utc>) -> String {
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Tells whether a signed date is at most [`DATE_TOLERANCE_SECONDS`] before or after now.
#[must_use]
pub fn is_fresh(date: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    (now - date).abs() <= TimeDelta::seconds(DATE_TOLERANCE_SECONDS)
}

/// HMAC as RFC 2104 defines it for a key of any length; the block form of the key cannot fail.
pub(crate) fn hmac_sha256(secret: &Secret, text: &[u8]) -> [u8; 32] {
    let mut block = Zeroizing::new([0; HMAC_BLOCK_BYTES]);
    if secret.expose().len() > HMAC_BLOCK_BYTES {
        let digest = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(secret.expose())));
        block.iter_mut().zip(digest.iter()).for_each(|(place, byte)| *place = *byte);
    } else {
        block.iter_mut().zip(secret.expose()).for_each(|(place, byte)| *place = *byte);
    }
    Hmac::<Sha256>::new(&(*block).into()).chain_update(text).finalize().into_bytes().into()
}

/// The body of the reference's vector 4 (3.7), which holds every kind of value.
#[cfg(test)]
pub(crate) const VECTOR_4_BODY: &str = r#"{"b":true,"a":null,"c":[null,1,2.5,"x",false],
    "d":{"k":"v","n":null,"l":[1],"o":{"p":"q"}},"e":{},"f":[],"Z":1,"g":[{"h":{"i":"j"},"m":[{"n":"o"}],"z":"y"}],
    "t":1e3,"u":0.1,"v":10000000000000000000000,"w":[[1,2]],"é":"è"}"#;

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::super::canonical::Message;
    use super::super::fixtures::{ACCESS_KEY, DATE, RECEIPT, members, secret};
    use super::{
        Credentials, VECTOR_4_BODY, find_matching_secret, format_date, hmac_sha256, is_fresh, is_same_access_key, parse_date,
        sign, split_authorization,
    };
    use crate::secret::Secret;
    use crate::vendor::strict_json::Members;

    fn message(body: &Members) -> Message<'_> {
        Message { method: "POST", content_type: None, date: Some(DATE), content_md5: None, body }
    }

    fn pass() -> Members {
        members(&format!(r#"{{"EdX-ID":"{RECEIPT}","Result":"PASS","Reason":"","MessageType":"You have been verified."}}"#))
    }

    #[test]
    fn vector_1_is_signed_as_open_edx_signs_it() {
        let body = members(&format!(
            r#"{{"EdX-ID":"{RECEIPT}","ExpectedName":"Rustƴ","PhotoID":"http://fake-edx-s3.edx.org/",
                "PhotoIDKey":"QUJD\nREVG\n","SendResponseTo":"https://example.com/verify_student/results_callback",
                "UserPhoto":"http://fake-edx-s3.edx.org/","UserPhotoKey":"R0hJ\n"}}"#
        ));
        let message = Message { content_type: Some("application/json"), ..message(&body) };

        let expected = "SSI BBBBBBBBBBBBBBBBBBBB:s1e1GtLFD1Oy2dlDY9p70hOWjc8yDDxcj/70xgBDcaI=";
        assert_eq!(sign(&message, ACCESS_KEY, &secret()), expected);
    }

    #[test]
    fn vectors_2_and_3_are_signed_as_open_edx_signs_them() {
        let fail = members(&format!(
            r#"{{"EdX-ID":"{RECEIPT}","Result":"FAIL","Reason":[{{"photoIdReasons":["Not provided"]}}],
                "MessageType":"Photo reasons"}}"#
        ));

        let passed = "SSI BBBBBBBBBBBBBBBBBBBB:ewW9TVvpm4HkUmH8kx5OVEG6DzPH9Zr26VVZ/kkbpGQ=";
        let failed = "SSI BBBBBBBBBBBBBBBBBBBB:B18asfHSyEQ7Vx5klm6YIZnOKD6V5eecVX09QCbCHXE=";
        assert_eq!(sign(&message(&pass()), ACCESS_KEY, &secret()), passed);
        assert_eq!(sign(&message(&fail), ACCESS_KEY, &secret()), failed);
    }

    #[test]
    fn vectors_4_and_5_are_signed_as_open_edx_signs_them() {
        let body = members(VECTOR_4_BODY);
        let all = Message { content_type: Some("application/json"), content_md5: Some("abc"), ..message(&body) };
        let short = Message { date: Some("D"), ..all };
        let empty = Message { method: "POST", content_type: None, date: None, content_md5: None, body: &[] };

        assert!(sign(&all, ACCESS_KEY, &secret()).ends_with(":8NRF2anTkuGt00ULJjUY9WCb78mCkGU3iU/vc87YGWM="));
        assert!(sign(&short, ACCESS_KEY, &secret()).ends_with(":d7F2HTZhFyqTzDjAEP+JRT3r2fCBWwjFKLHYpp9DxRM="));
        assert!(sign(&empty, ACCESS_KEY, &secret()).ends_with(":9WLEOHCqICkdsUVXQqLxIIdhgEf34Ys/ym7AQpfPsEA="));
    }

    #[test]
    fn the_hmac_meets_rfc_4231_for_short_and_long_keys() {
        let short = hmac_sha256(&Secret::new("Jefe"), b"what do ya want for nothing?");
        let long = hmac_sha256(&Secret::new(vec![0xaa; 131]), b"Test Using Larger Than Block-Size Key - Hash Key First");

        assert_eq!(hex::encode(short), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert_eq!(hex::encode(long), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    #[test]
    fn a_signature_is_found_under_each_live_secret_and_each_message() {
        let body = pass();
        let bare = message(&body);
        let typed = Message { content_type: Some("application/json"), ..bare };
        let secrets = [Secret::new("new"), Secret::new("old")];
        let signature =
            |message: &Message<'_>, secret: &Secret| sign(message, ACCESS_KEY, secret).split_once(':').unwrap().1.to_owned();

        for message in [bare, typed] {
            for (place, secret) in secrets.iter().enumerate() {
                let offered = signature(&message, secret);
                assert_eq!(find_matching_secret(&[bare, typed], &offered, &secrets), Some(place));
            }
        }
        let foreign = signature(&bare, &secret());
        assert_eq!(find_matching_secret(&[bare, typed], &foreign, &secrets), None);
        assert_eq!(find_matching_secret(&[bare, typed], &foreign, &[]), None);
    }

    #[test]
    fn a_signature_that_is_no_base64_or_too_short_or_of_an_empty_secret_fits_nothing() {
        let body = pass();
        let empty = Secret::new("");
        let of_empty = sign(&message(&body), ACCESS_KEY, &empty);
        let of_empty = of_empty.split_once(':').unwrap().1;

        assert_eq!(find_matching_secret(&[message(&body)], of_empty, &[empty]), None);
        for offered in ["testing", "", "AAAA", "ewW9TVvpm4HkUmH8kx5OVEG6DzPH9Zr26VVZ/kkbpGR="] {
            assert_eq!(find_matching_secret(&[message(&body)], offered, &[secret()]), None, "{offered}");
        }
    }

    #[test]
    fn an_authorization_has_one_blank_one_colon_and_three_parts() {
        let credentials = Credentials { access_key: "key", signature: "sig=" };
        for value in ["SSI key:sig=", "test key:sig="] {
            assert_eq!(split_authorization(value), Some(credentials), "{value}");
        }
        for value in [
            "",
            "SSI",
            "SSI key",
            "key:sig",
            "SSI: key:sig",
            "SSI  key:sig",
            "SSI key:a:b",
            "test key: sig",
            "SSI key:",
            "SSI :sig",
            " key:sig",
            "SSI key:sig ",
            "SSI\tkey:sig",
        ] {
            assert_eq!(split_authorization(value), None, "{value:?}");
        }
    }

    #[test]
    fn access_keys_are_the_same_only_if_all_of_them_is() {
        assert!(is_same_access_key("key", "key"));
        for other in ["", "ke", "keys", "Key"] {
            assert!(!is_same_access_key("key", other));
        }
    }

    #[test]
    fn a_date_is_read_in_one_form_only_and_written_in_the_same() {
        let noon = DateTime::parse_from_rfc3339("2016-06-01T12:00:00Z").unwrap().with_timezone(&Utc);

        assert_eq!(parse_date(DATE), Some(noon));
        assert_eq!(format_date(noon + TimeDelta::milliseconds(999)), DATE);
        for other in [
            "Wednesday, 01-Jun-16 12:00:00 GMT",
            "Wed Jun  1 12:00:00 2016",
            "Thu, 01 Jun 2016 12:00:00 GMT",
            "Wed, 1 Jun 2016 12:00:00 GMT",
            "Wed, 01 Jun 2016 12:00:00 +0000",
            "2016-06-01T12:00:00Z",
            "",
            "D",
        ] {
            assert_eq!(parse_date(other), None, "{other}");
        }
    }

    #[test]
    fn a_date_is_fresh_up_to_five_minutes_on_both_sides() {
        let noon = parse_date(DATE).unwrap();
        for seconds in [-300, 0, 300] {
            assert!(is_fresh(noon, noon + TimeDelta::seconds(seconds)));
        }
        for seconds in [-301, 301] {
            assert!(!is_fresh(noon, noon + TimeDelta::seconds(seconds)));
        }
        assert!(!is_fresh(noon, noon + TimeDelta::milliseconds(300_001)));
        assert!(!is_fresh(DateTime::<Utc>::MIN_UTC, noon));
    }
}
