//! What comes in: a submission, read and checked in the strictness of its wire format.

use poem::http::{HeaderMap, StatusCode, header};
use vouch_common::domain::photo::PhotoKind;
use vouch_common::vendor::sealed::key::DataKey;
use vouch_common::vendor::sealed::request::VERSION;
use vouch_common::vendor::sealed::webhook;
use vouch_common::vendor::software_secure::canonical::Message;
use vouch_common::vendor::software_secure::signature::{
    find_matching_secret, is_fresh, is_same_access_key, parse_date, split_authorization,
};
use vouch_common::vendor::strict_json::{self, Json};

use super::photos::{Lock, chain};
use super::{Shared, WireFormat};

const RECEIPT_CHARACTERS_MAX: usize = 255;

/// A submission whose signature was right.
pub(super) struct Submission {
    pub(super) receipt: String,
    /// What makes another submission a repeat of this one.
    pub(super) order: String,
    pub(super) name: String,
    pub(super) face: Photo,
    pub(super) photo_id: Photo,
    pub(super) send_response_to: String,
}

/// A photo that is to be downloaded.
pub(super) struct Photo {
    pub(super) address: String,
    wrapped_key: String,
    /// The receipt that is bound into it; only `sealed` says one.
    receipt: String,
}

/// A submission that a vendor would not take.
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) detail: String,
}

impl Refused {
    pub(super) fn new(status: StatusCode, detail: &str) -> Self {
        Self { status, detail: detail.to_owned() }
    }
}

fn denied(detail: &str) -> Refused {
    Refused::new(StatusCode::UNAUTHORIZED, detail)
}

fn odd(detail: &str) -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, detail)
}

/// Checks the signature before it looks at what the fields mean.
pub(super) fn read(shared: &Shared, headers: &HeaderMap, body: &[u8]) -> Result<Submission, Refused> {
    let submission = match &shared.config.format {
        WireFormat::SoftwareSecure { .. } => read_software_secure(shared, headers, body)?,
        WireFormat::Sealed => read_sealed(shared, headers, body)?,
    };
    if submission.receipt.chars().count() > RECEIPT_CHARACTERS_MAX {
        return Err(odd("the receipt is too long"));
    }
    Ok(submission)
}

fn read_software_secure(shared: &Shared, headers: &HeaderMap, body: &[u8]) -> Result<Submission, Refused> {
    let value = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let document = strict_json::parse(body).map_err(|_| odd("the body is not JSON"))?;
    let Json::Object(members) = &document else { return Err(odd("the body is not an object")) };
    let date = value(header::DATE);
    let credentials = value(header::AUTHORIZATION)
        .and_then(split_authorization)
        .ok_or_else(|| denied("the authorization is missing or malformed"))?;
    if !is_same_access_key(credentials.access_key, &shared.config.access_key) {
        return Err(denied("the access key is unknown"));
    }
    let message = Message { method: "POST", content_type: value(header::CONTENT_TYPE), date, content_md5: None, body: members };
    let secrets = std::slice::from_ref(&shared.config.secret_key);
    if find_matching_secret(&[message], credentials.signature, secrets).is_none() {
        return Err(denied("the signature is wrong"));
    }
    let signed_at = date.and_then(parse_date).ok_or_else(|| denied("the date is missing or unreadable"))?;
    if !is_fresh(signed_at, shared.now()) {
        return Err(denied("the date is too far from now"));
    }
    let receipt = text(&document, "EdX-ID")?;
    let photo = |address, key| {
        Ok(Photo { address: text(&document, address)?, wrapped_key: text(&document, key)?, receipt: receipt.clone() })
    };
    Ok(Submission {
        order: receipt.clone(),
        name: text(&document, "ExpectedName")?,
        face: photo("UserPhoto", "UserPhotoKey")?,
        photo_id: photo("PhotoID", "PhotoIDKey")?,
        send_response_to: text(&document, "SendResponseTo")?,
        receipt,
    })
}

fn read_sealed(shared: &Shared, headers: &HeaderMap, body: &[u8]) -> Result<Submission, Refused> {
    let value = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let value = values.next().and_then(|value| value.to_str().ok()).filter(|_| values.next().is_none());
        value.ok_or_else(|| denied("a header is missing, comes twice or is no text"))
    };
    let access_key = value("authorization")?.strip_prefix("Bearer ").unwrap_or_default();
    if !is_same_access_key(access_key, &shared.config.access_key) {
        return Err(denied("the access key is unknown"));
    }
    let (id, timestamp) = (value(webhook::ID_HEADER)?, value(webhook::TIMESTAMP_HEADER)?);
    let secrets = std::slice::from_ref(&shared.config.secret_key);
    let message = webhook::Message { id, timestamp, body };
    if !webhook::is_id(id) || webhook::find_matching_secret(message, value(webhook::SIGNATURE_HEADER)?, secrets).is_none() {
        return Err(denied("the signature is wrong"));
    }
    let moment = webhook::parse_timestamp(timestamp).ok_or_else(|| denied("the timestamp is unreadable"))?;
    if !webhook::is_fresh(moment, shared.now().timestamp()) {
        return Err(denied("the timestamp is too far from now"));
    }
    let document = strict_json::parse(body).map_err(|_| odd("the body is not JSON"))?;
    if document.find("version") != Some(&Json::Number(VERSION.to_string())) {
        return Err(odd("the version is another"));
    }
    let photos = document.find("photos").ok_or_else(|| odd("photos are missing"))?;
    let photo = |kind: PhotoKind| {
        let photo = photos.find(kind.as_str()).ok_or_else(|| odd("a photo is missing"))?;
        Ok(Photo { address: text(photo, "url")?, wrapped_key: text(photo, "key")?, receipt: text(photo, "receipt_id")? })
    };
    let receipt = text(&document, "receipt_id")?;
    let face = photo(PhotoKind::Face)?;
    if face.receipt != receipt {
        return Err(odd("the face is another attempt's"));
    }
    Ok(Submission {
        order: id.to_owned(),
        name: text(&document, "name")?,
        face,
        photo_id: photo(PhotoKind::PhotoId)?,
        send_response_to: text(&document, "callback_url")?,
        receipt,
    })
}

fn text(document: &Json, key: &str) -> Result<String, Refused> {
    match document.find(key) {
        Some(Json::Text(text)) if !text.is_empty() => Ok(text.clone()),
        Some(_) | None => Err(odd(&format!("{key} is missing, empty or no string"))),
    }
}

/// Opens the keys of both photos, face first.
pub(super) fn unlock(shared: &Shared, submission: &Submission) -> Result<(Lock, Lock), Refused> {
    let refuse = |what: &str, detail: &str| Refused::new(StatusCode::UNPROCESSABLE_ENTITY, &format!("{what}: {detail}"));
    let private_key = &shared.config.private_key;
    match &shared.config.format {
        WireFormat::SoftwareSecure { face_key: shared_key } => {
            let unwrap =
                |what: &str, photo: &Photo| private_key.unwrap(&photo.wrapped_key).map_err(|error| refuse(what, &chain(&error)));
            let face_key = unwrap("face", &submission.face)?;
            if face_key.expose() != shared_key.expose() {
                return Err(refuse("face", "the key is not the shared face key"));
            }
            Ok((Lock::SoftwareSecure(face_key), Lock::SoftwareSecure(unwrap("ID photo", &submission.photo_id)?)))
        }
        WireFormat::Sealed => {
            let unlock = |what: &str, photo: &Photo, kind| {
                let key = DataKey::unwrap(&photo.wrapped_key, private_key).map_err(|error| refuse(what, &chain(&error)))?;
                Ok(Lock::Sealed { key, receipt: photo.receipt.clone(), kind })
            };
            let face = unlock("face", &submission.face, PhotoKind::Face)?;
            Ok((face, unlock("ID photo", &submission.photo_id, PhotoKind::PhotoId)?))
        }
    }
}
