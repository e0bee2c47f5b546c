//! What must hold for any bytes from outside. Each function panics when it does not; `fuzz/` looks for such bytes, and
//! `corpus` tries again what was found worth keeping.

use std::{sync::LazyLock, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{EncodingKey, Header, encode};
use poem::{Body, Request, http::Method};
use tokio::runtime::{Builder, Runtime};
use vouch_api::extract::{fields::Fields, submission_form::SubmissionForm, token::TokenVerifier};
use vouch_common::{
    config::{Jwt, JwtClaims},
    domain::{
        ids::AttemptId,
        keys::{CourseKey, KEY_LENGTH_MAX, UsageKey},
        photo::PhotoFormat,
        price::Amount,
        submission::{Facts, PHOTO_BYTES_MAX, SentPhoto, Submission, check},
    },
    photos::inspect::{Limits, inspect},
    secret::Secret,
    vendor::{
        sealed::{callback as sealed, webhook},
        software_secure::{
            callback as software_secure,
            canonical::{Message, has_line_break, string_to_sign},
            signature::{format_date, sign},
        },
        strict_json::{Json, parse},
    },
};

/// Panics when what must hold does not.
pub type Property = fn(&[u8]);

/// Every target of `fuzz/`, by name.
pub const ALL: [(&str, Property); 9] = [
    ("data_url", data_url),
    ("photo", photo),
    ("callback_software_secure", callback_software_secure),
    ("callback_sealed", callback_sealed),
    ("canonical", canonical),
    ("keys", keys),
    ("amount", amount),
    ("multipart", multipart),
    ("token", token),
];

const ACCESS_KEY: &str = "BBBBBBBBBBBBBBBBBBBB";
const SECRET: &str = "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC";
const BOUNDARY: &str = "X";

/// Extractors are asynchronous, and wait for nothing here.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

/// A data URL that is taken is a photo by its first bytes, no larger than it may be, and the same when written plainly.
pub fn data_url(data: &[u8]) {
    let read = |text: String| {
        let submission = Submission { face_image: Some(SentPhoto::DataUrl(text)), ..Submission::default() };
        let facts = Facts { initial: Some(AttemptId(1)), profile_name: Some("Sofia Marek".to_owned()) };
        check(submission, &facts).map(|accepted| accepted.face)
    };
    if let Ok(face) = read(String::from_utf8_lossy(data).into_owned()) {
        assert!(PhotoFormat::sniff(&face).is_some() && face.len() <= PHOTO_BYTES_MAX);
        let plain = format!("data:image/png;base64,{}", STANDARD.encode(&face));
        assert!(read(plain).is_ok_and(|again| again == face), "written plainly it is another");
    }
}

/// A photo that passes is clean: inspected again it is what it was, and every decoder shows it.
pub fn photo(data: &[u8]) {
    let limits = Limits {
        pixels_max: 1_000_000,
        memory_bytes_max: 32 * 1024 * 1024,
        side_pixels_min: 4,
        time_max: Duration::from_secs(60),
    };
    if let Ok(clean) = inspect(data, &limits) {
        assert_eq!(PhotoFormat::sniff(&clean.bytes), Some(clean.format));
        assert!(u64::from(clean.width) * u64::from(clean.height) <= limits.pixels_max);
        assert!(inspect(&clean.bytes, &limits).is_ok_and(|again| again == clean), "cleaned again it is another");
        let decoded = image::load_from_memory(&clean.bytes).map(|image| (image.width(), image.height()));
        assert!(decoded.is_ok_and(|size| size == (clean.width, clean.height)), "it does not decode");
    }
}

/// Nothing unsigned is believed. What is signed is, when its values are texts of one line; and kept, it says the same.
pub fn callback_software_secure(data: &[u8]) {
    let secrets = [Secret::new(SECRET)];
    let keys = software_secure::CallbackKeys { access_key: ACCESS_KEY, secrets: &secrets };
    let read = |body: &[u8], authorization: Option<&str>, date: Option<&str>| {
        let headers = software_secure::CallbackHeaders { authorization, date, content_type: None };
        software_secure::read_callback(body, &headers, now(), &keys, software_secure::SignatureMode::Enforce)
    };
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let [authorization, date, body] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    let (authorization, date) = (std::str::from_utf8(authorization).ok(), std::str::from_utf8(date).ok());
    assert!(read(body, authorization, date).is_err(), "nobody signed this");

    let Ok(Json::Object(members)) = parse(data) else { return };
    let date = format_date(now());
    let message = Message { method: "POST", content_type: None, date: Some(&date), content_md5: None, body: &members };
    let signed = sign(&message, ACCESS_KEY, &secrets[0]);
    match read(data, Some(&signed), Some(&date)) {
        Ok(callback) => {
            assert!(!callback.receipt.as_deref().is_some_and(has_line_break), "it could imitate a line");
            assert!(callback.message_type.chars().count() <= software_secure::MESSAGE_TYPE_CHARACTERS_MAX);
            let kept = software_secure::read_kept(data).unwrap();
            let said = |callback: software_secure::Callback| {
                (callback.receipt, callback.result, callback.reason_json, callback.message_type)
            };
            assert!(said(callback) == said(kept), "kept, it says something else");
        }
        Err(refusal) => assert!(
            matches!(
                refusal,
                software_secure::Refusal::SignatureInvalid(software_secure::Doubt::LineBreak | software_secure::Doubt::NotText)
            ),
            "{refusal:?}"
        ),
    }
}

/// Nothing unsigned is believed. What is signed is, when it is an object; and kept, it says the same.
pub fn callback_sealed(data: &[u8]) {
    let secrets = [Secret::new(SECRET)];
    let read = |body: &[u8], id: Option<&str>, timestamp: Option<&str>, signature: Option<&str>| {
        sealed::read_callback(body, &sealed::CallbackHeaders { id, timestamp, signature }, now(), &secrets)
    };
    let mut parts = data.splitn(4, |byte| *byte == 0);
    let [id, timestamp, signature, body] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    let [id, timestamp, signature] = [id, timestamp, signature].map(|part| std::str::from_utf8(part).ok());
    assert!(read(body, id, timestamp, signature).is_err(), "nobody signed this");

    let timestamp = now().timestamp().to_string();
    let signed = webhook::sign(webhook::Message { id: "id", timestamp: &timestamp, body: data }, &secrets[0]);
    match read(data, Some("id"), Some(&timestamp), Some(&signed)) {
        Ok(callback) => {
            assert!(callback.decided_at <= now(), "it was decided after it was told");
            assert!(callback.said.code.chars().count() <= sealed::CODE_CHARACTERS_MAX);
            assert!(sealed::read_kept(data).unwrap() == callback.said, "kept, it says something else");
        }
        Err(refusal) => {
            assert_eq!(refusal, sealed::Refusal::InvalidJson);
            assert!(!matches!(parse(data), Ok(Json::Object(_))));
        }
    }
}

/// What is signed of a document does not depend on the order of its members.
pub fn canonical(data: &[u8]) {
    let Ok(Json::Object(mut members)) = parse(data) else { return };
    let text = |body: &[(String, Json)]| {
        string_to_sign(&Message { method: "POST", content_type: None, date: None, content_md5: None, body })
    };
    let forwards = text(&members);
    members.reverse();
    assert_eq!(forwards, text(&members));
    assert!(forwards.starts_with("POST\n\n"));
}

/// A key that is read is the text as it was written, short, and safe in a path and in a header.
pub fn keys(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let course = CourseKey::parse(&text).map(|key| key.to_string());
    let usage = UsageKey::parse(&text).map(|key| key.to_string());
    assert!(course.is_none() || usage.is_none(), "it is both");
    if let Some(key) = course.or(usage) {
        assert_eq!(key, text);
        assert!(key.chars().count() <= KEY_LENGTH_MAX);
        assert!(!key.chars().any(|c| c.is_control() || c.is_whitespace() || "?#\"'<>\\".contains(c)), "{key:?}");
    }
}

/// An amount that is read is the same after it was written, and after the database.
pub fn amount(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let read = Amount::parse(&text);
    if let Some(plain) = Amount::parse_plain(&text) {
        assert_eq!(read, Ok(plain));
        assert!(plain >= Amount::ZERO);
    }
    if let Ok(amount) = read {
        assert_eq!(Amount::parse(&amount.to_string()), Ok(amount));
        assert_eq!(Amount::from_decimal(amount.to_decimal()), Some(amount));
    }
}

/// A form that is read has in it what was sent, and nothing else.
pub fn multipart(data: &[u8]) {
    let request = Request::builder()
        .method(Method::POST)
        .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
        .body(());
    let body = || Body::from_vec(data.to_vec());
    if let Ok(form) = RUNTIME.block_on(SubmissionForm::read(&request, body())) {
        let Submission { face_image, photo_id_image, full_name, course_key, checkpoint } = form.submission;
        let photos = [face_image, photo_id_image].into_iter().flatten().map(|photo| photo.as_bytes().to_vec());
        let texts = [full_name, course_key, checkpoint, form.csrf_token].into_iter().flatten().map(String::into_bytes);
        for value in photos.chain(texts) {
            assert!(value.is_empty() || data.windows(value.len()).any(|sent| sent == value), "a value that nobody sent");
        }
    }
    if let Ok(fields) = RUNTIME.block_on(Fields::read(&request, body())) {
        let _ = fields.into_unique();
    }
}

/// No token is believed that we did not sign; one that is names a learner, with texts that are safe to show.
pub fn token(data: &[u8]) {
    static VERIFIER: LazyLock<TokenVerifier> = LazyLock::new(|| {
        TokenVerifier::new(Some(&Jwt::Secrets(vec![Secret::new(SECRET)])), JwtClaims::default())
            .unwrap_or_else(|_| unreachable!())
    });
    let verify = |token: &str| RUNTIME.block_on(VERIFIER.verify(token, now()));
    assert!(matches!(verify(&String::from_utf8_lossy(data)), Ok(None)), "nobody signed this");
    let Ok(claims) = serde_json::from_slice::<serde_json::Value>(data) else { return };
    let Ok(signed) = encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes())) else { return };
    if let Ok(Some(submitter)) = verify(&signed) {
        assert!(submitter.user.0 > 0);
        assert!(claims["exp"].as_i64().is_some_and(|end| end > now().timestamp()));
        if let Some(profile) = submitter.profile {
            let texts = [&profile.username, &profile.email, &profile.full_name];
            assert!(texts.iter().all(|text| !text.is_empty() && !text.chars().any(char::is_control)));
        }
    }
}
