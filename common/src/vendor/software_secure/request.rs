//! The submission that goes to the vendor: a JSON body and three headers, byte for byte as Open edX sends them.
//!
//! Values that must be one line are refused before anything is signed, because a newline in a name would imitate
//! another field of the string to sign. What not: sending it, and deciding what the vendor's answer means.
//! Source: reference 3.5.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rand::TryCryptoRng;

use super::canonical::{Message, has_line_break};
use super::cipher::PhotoKey;
use super::rsa_keys::{VendorPublicKey, WrapKeyError};
use super::signature::{format_date, sign};
use crate::secret::Secret;
pub use crate::vendor::SignedRequest;
use crate::vendor::strict_json::{Json, Members};

/// The media type of a submission, which its signature covers.
pub const CONTENT_TYPE: &str = "application/json";

/// What a submission says about one attempt.
#[derive(Clone, Copy)]
pub struct RequestFacts<'a> {
    /// This attempt's receipt id, sent as `EdX-ID`.
    pub receipt_id: &'a str,
    /// The name that the ID must show, sent as `ExpectedName`.
    pub expected_name: &'a str,
    /// The signed address of the ID photo: this attempt's, or the copied attempt's.
    pub photo_id_url: &'a str,
    /// The wrapped key of that ID photo in its stored form with line feeds; empty if there is none.
    pub photo_id_key: &'a str,
    /// The address to which the vendor posts its verdict.
    pub send_response_to: &'a str,
    /// The signed address of the face photo.
    pub user_photo_url: &'a str,
}

/// The keys that a submission needs.
#[derive(Clone, Copy, Debug)]
pub struct RequestKeys<'a> {
    /// The access key that names us to the vendor.
    pub access_key: &'a str,
    /// The newest secret shared with the vendor.
    pub secret: &'a Secret,
    /// The vendor's key, for wrapping the face key.
    pub public_key: &'a VendorPublicKey,
    /// The key under which face photos are encrypted.
    pub face_key: &'a PhotoKey,
}

/// Builds and signs a submission; the face key is wrapped afresh, so two calls differ.
///
/// Production passes `rand::rngs::SysRng`.
///
/// # Errors
/// [`BuildRequestError::LineBreak`] and [`BuildRequestError::PhotoKeyShape`] will not go away by trying again;
/// [`BuildRequestError::WrapFaceKey`] may.
pub fn build_request<R: TryCryptoRng + ?Sized>(
    facts: &RequestFacts<'_>,
    keys: &RequestKeys<'_>,
    date: DateTime<Utc>,
    rng: &mut R,
) -> Result<SignedRequest, BuildRequestError> {
    check(facts, keys.access_key)?;
    let user_photo_key = keys.public_key.wrap(keys.face_key, rng).map_err(|cause| BuildRequestError::WrapFaceKey { cause })?;
    seal(facts, keys, date, &user_photo_key)
}

fn seal(
    facts: &RequestFacts<'_>,
    keys: &RequestKeys<'_>,
    date: DateTime<Utc>,
    user_photo_key: &str,
) -> Result<SignedRequest, BuildRequestError> {
    let fields = BTreeMap::from([
        ("EdX-ID", facts.receipt_id),
        ("ExpectedName", facts.expected_name),
        ("PhotoID", facts.photo_id_url),
        ("PhotoIDKey", facts.photo_id_key),
        ("SendResponseTo", facts.send_response_to),
        ("UserPhoto", facts.user_photo_url),
        ("UserPhotoKey", user_photo_key),
    ]);
    let body = serde_json::to_vec_pretty(&fields).map_err(|cause| BuildRequestError::WriteBody { cause })?;
    let signed: Members = fields.into_iter().map(|(name, value)| (name.to_owned(), Json::Text(value.to_owned()))).collect();
    let date = format_date(date);
    let message =
        Message { method: "POST", content_type: Some(CONTENT_TYPE), date: Some(&date), content_md5: None, body: &signed };
    let authorization = sign(&message, keys.access_key, keys.secret);
    let headers = [("Content-Type", CONTENT_TYPE.to_owned()), ("Date", date), ("Authorization", authorization)]
        .map(|(name, value)| (name.to_owned(), value));
    Ok(SignedRequest { headers: headers.into(), body })
}

fn check(facts: &RequestFacts<'_>, access_key: &str) -> Result<(), BuildRequestError> {
    let lines = [
        ("access key", access_key),
        ("EdX-ID", facts.receipt_id),
        ("ExpectedName", facts.expected_name),
        ("PhotoID", facts.photo_id_url),
        ("SendResponseTo", facts.send_response_to),
        ("UserPhoto", facts.user_photo_url),
    ];
    if let Some((field, _)) = lines.into_iter().find(|(_, value)| has_line_break(value)) {
        return Err(BuildRequestError::LineBreak { field });
    }
    let is_key_character = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-_\n".contains(&byte);
    if !facts.photo_id_key.bytes().all(is_key_character) {
        return Err(BuildRequestError::PhotoKeyShape);
    }
    Ok(())
}

/// Why a submission was not built; the texts name the field, never its value.
#[derive(Debug, thiserror::Error)]
pub enum BuildRequestError {
    /// A value that must be one line has a line break.
    #[error("the value of {field} has a line break")]
    LineBreak {
        /// The field's name in the body, or `access key`.
        field: &'static str,
    },
    /// The stored key of the ID photo has characters that a wrapped key cannot have.
    #[error("the value of PhotoIDKey is not base64 in lines")]
    PhotoKeyShape,
    /// The face key could not be wrapped.
    #[error("could not prepare UserPhotoKey")]
    WrapFaceKey {
        /// What the wrapping says.
        #[source]
        cause: WrapKeyError,
    },
    /// The body could not be written as JSON.
    #[error("could not write the body of the submission")]
    WriteBody {
        /// What the writer says.
        #[source]
        cause: serde_json::Error,
    },
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use rand::rngs::SysRng;

    use super::super::canonical::Message;
    use super::super::fixtures::{ACCESS_KEY, DATE, RECEIPT, k1, private_key, public_key, secret};
    use super::super::rsa_keys::VendorPublicKey;
    use super::super::signature::{find_matching_secret, parse_date, split_authorization};
    use super::{BuildRequestError, RequestFacts, RequestKeys, SignedRequest, build_request, seal};
    use crate::vendor::strict_json::{Json, parse};

    const FACTS: RequestFacts<'static> = RequestFacts {
        receipt_id: RECEIPT,
        expected_name: "Rustƴ",
        photo_id_url: "http://fake-edx-s3.edx.org/",
        photo_id_key: "QUJD\nREVG\n",
        send_response_to: "https://example.com/verify_student/results_callback",
        user_photo_url: "http://fake-edx-s3.edx.org/",
    };

    fn noon() -> DateTime<Utc> {
        parse_date(DATE).unwrap()
    }

    fn with_keys<T>(build: impl FnOnce(&RequestKeys<'_>) -> T) -> T {
        let (secret, public_key, face_key): (_, VendorPublicKey, _) = (secret(), public_key(), k1());
        build(&RequestKeys { access_key: ACCESS_KEY, secret: &secret, public_key: &public_key, face_key: &face_key })
    }

    fn build(facts: &RequestFacts<'_>) -> Result<SignedRequest, BuildRequestError> {
        with_keys(|keys| build_request(facts, keys, noon(), &mut SysRng))
    }

    #[test]
    fn a_submission_is_vector_1_byte_for_byte() {
        let request = with_keys(|keys| seal(&FACTS, keys, noon(), "R0hJ\n")).unwrap();

        let body = "{\n  \"EdX-ID\": \"4dd1add9-6719-42f7-bea0-115c008c4fca\",\n  \"ExpectedName\": \"Rustƴ\",\n  \
            \"PhotoID\": \"http://fake-edx-s3.edx.org/\",\n  \"PhotoIDKey\": \"QUJD\\nREVG\\n\",\n  \
            \"SendResponseTo\": \"https://example.com/verify_student/results_callback\",\n  \
            \"UserPhoto\": \"http://fake-edx-s3.edx.org/\",\n  \"UserPhotoKey\": \"R0hJ\\n\"\n}";
        assert_eq!(String::from_utf8(request.body).unwrap(), body);
        let authorization = "SSI BBBBBBBBBBBBBBBBBBBB:s1e1GtLFD1Oy2dlDY9p70hOWjc8yDDxcj/70xgBDcaI=";
        let headers = [("Content-Type", "application/json"), ("Date", DATE), ("Authorization", authorization)];
        assert_eq!(request.headers, headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn the_vendor_can_check_the_signature_and_open_the_face_key() {
        let request = build(&FACTS).unwrap();

        let Json::Object(body) = parse(&request.body).unwrap() else { panic!("the body is an object") };
        let message =
            Message { method: "POST", content_type: Some("application/json"), date: Some(DATE), content_md5: None, body: &body };
        let credentials = split_authorization(&request.headers[2].1).unwrap();
        assert_eq!(find_matching_secret(&[message], credentials.signature, &[secret()]), Some(0));
        let Some(Json::Text(wrapped)) = Json::Object(body.clone()).find("UserPhotoKey").cloned() else {
            panic!("the face key is a text")
        };
        assert_eq!(private_key().unwrap(&wrapped).unwrap().expose(), k1().expose());
    }

    #[test]
    fn the_face_key_is_wrapped_afresh_for_each_submission() {
        assert_ne!(build(&FACTS).unwrap().body, build(&FACTS).unwrap().body);
    }

    #[test]
    fn quotes_and_control_characters_in_a_name_are_escaped_as_python_escapes_them() {
        let facts = RequestFacts { expected_name: "\"A\\\t\u{1}\u{7f}é/", ..FACTS };

        let body = String::from_utf8(build(&facts).unwrap().body).unwrap();
        assert!(body.contains("\"ExpectedName\": \"\\\"A\\\\\\t\\u0001\u{7f}é/\""));
    }

    #[test]
    fn a_line_break_where_none_belongs_is_refused_and_its_value_is_not_told() {
        let broken = "Eve\nResult:PASS";
        let cases = [
            ("EdX-ID", RequestFacts { receipt_id: broken, ..FACTS }),
            ("ExpectedName", RequestFacts { expected_name: broken, ..FACTS }),
            ("ExpectedName", RequestFacts { expected_name: "Eve\r", ..FACTS }),
            ("PhotoID", RequestFacts { photo_id_url: broken, ..FACTS }),
            ("SendResponseTo", RequestFacts { send_response_to: broken, ..FACTS }),
            ("UserPhoto", RequestFacts { user_photo_url: broken, ..FACTS }),
        ];
        for (name, facts) in cases {
            let error = build(&facts).err().unwrap();
            assert!(matches!(error, BuildRequestError::LineBreak { field } if field == name), "{name}");
            assert!(!error.to_string().contains("Eve"));
        }
    }

    #[test]
    fn an_id_photo_key_may_be_empty_or_base64_in_lines_but_nothing_else() {
        for key in ["", "QUJD\n", "fake-photo-id-key"] {
            assert!(build(&RequestFacts { photo_id_key: key, ..FACTS }).is_ok());
        }
        for key in ["QUJD\nSendResponseTo:x", "QUJD\r\n", "a b"] {
            let refused = build(&RequestFacts { photo_id_key: key, ..FACTS });
            assert!(matches!(refused, Err(BuildRequestError::PhotoKeyShape)));
        }
    }
}
