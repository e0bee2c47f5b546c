//! `POST /verify_student/submit-photos/`: a learner sends a face and an ID.
//!
//! Source: reference 6.1 for the order of the checks and their texts. Unlike there, nothing is changed when
//! any check fails, and nothing far away is waited for: photos are sealed and stored, then one transaction
//! writes the attempt with its jobs.

use bytes::Bytes;
use poem::{
    Body, FromRequest, Request, RequestBody, Response, handler,
    http::StatusCode,
    web::{Data, Multipart},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use vouch_common::{
    domain::{
        course::courseware_url,
        ids::ReceiptId,
        photo::PhotoKind,
        submission::{self, Accepted, Refusal, SentPhoto, Submission},
    },
    ids,
    operations::submit_photos::{self, StoredUploads, SubmissionKey, ToSubmit},
    photos::{
        names,
        seal::{seal, with_context},
    },
    store::submission_keys::Answered,
};

use crate::{
    error::Fault,
    extract::{body, csrf, idempotency_key, learner::Learner},
    state::AppState,
};

/// Largest request: two photos in base64 with room for the rest.
const BODY_BYTES_MAX: usize = 24 * 1024 * 1024;
/// The header of the answer that names the attempt.
const RECEIPT_HEADER: &str = "vouch-receipt-id";

/// Takes a submission.
#[handler]
pub(super) async fn submit(request: &Request, learner: Learner, body: Body, state: Data<&AppState>) -> Result<Response, Fault> {
    let bytes = body::read(request, body, BODY_BYTES_MAX).await?;
    let form = Form::read(request, bytes).await?;
    csrf::check(request, &learner, form.csrf_token.as_deref())?;
    let (state, who) = (state.0, &learner.submitter);
    let caller = format!("user:{}", who.user);
    let key = idempotency_key::read(request)?.map(|key| SubmissionKey { caller, key, digest: digest(&form.submission) });
    if let Some(key) = &key
        && let Some(answered) = submit_photos::find_answered(state.db(), key).await?
    {
        return repeated(key, &answered);
    }
    let now = state.now();
    let facts = submit_photos::load_facts(state.db(), who, now, state.settings().validity.days_good_for).await?;
    let accepted = submission::check(form.submission, &facts).map_err(refused)?;
    let answer = answer(state, &accepted).await?;
    let uploads = store_sealed(state, &accepted).await?;
    let new = ToSubmit { accepted: &accepted, uploads: &uploads, key: key.as_ref(), answer: &answer };
    if let Some(answered) = submit_photos::submit(state.db(), who, new, now).await? {
        return key.map_or(Err(Fault::Internal), |key| repeated(&key, &answered));
    }
    state.wake();
    metrics::counter!("vouch_submissions_total").increment(1);
    tracing::info!(attempt.receipt = %uploads.receipt, "submission committed");
    respond(uploads.receipt, &answer)
}

/// What was answered to the key before, if what came with it is the same.
fn repeated(key: &SubmissionKey, answered: &Answered) -> Result<Response, Fault> {
    if key.digest != answered.digest {
        let text = "This Idempotency-Key was used for another submission. Send a new one.";
        return Err(Fault::Refused(StatusCode::UNPROCESSABLE_ENTITY, text.to_owned()));
    }
    respond(answered.receipt, &answered.answer)
}

fn respond(receipt: ReceiptId, answer: &Value) -> Result<Response, Fault> {
    let text = serde_json::to_string_pretty(answer).map_err(|_| Fault::Internal)?;
    Ok(Response::builder()
        .status(StatusCode::OK)
        .content_type("application/json")
        .header(RECEIPT_HEADER, receipt.to_string())
        .body(text))
}

/// A digest of what was sent, however it was packed.
fn digest(submission: &Submission) -> Vec<u8> {
    let parts = [
        submission.face_image.as_ref().map(SentPhoto::as_bytes),
        submission.photo_id_image.as_ref().map(SentPhoto::as_bytes),
        submission.full_name.as_deref().map(str::as_bytes),
        submission.course_key.as_deref().map(str::as_bytes),
        submission.checkpoint.as_deref().map(str::as_bytes),
    ];
    let mut hash = Sha256::new();
    for part in parts {
        // Lengths keep the parts apart; an absent part has one that no other has.
        hash.update(part.map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
        hash.update(part.unwrap_or_default());
    }
    hash.finalize().to_vec()
}

fn refused(refusal: Refusal) -> Fault {
    match refusal {
        Refusal::PhotoTooLarge => Fault::too_large(refusal.to_string()),
        other => Fault::bad_request(other.to_string()),
    }
}

/// `{}`, or for a re-verification inside a course the way back to its checkpoint. Source: reference 6.1, 11a.
///
/// A checkpoint must be one of that course: a place that nobody told of would wait for ever.
async fn answer(state: &AppState, accepted: &Accepted) -> Result<Value, Fault> {
    if let Some((course, usage)) = &accepted.checkpoint
        && !submit_photos::is_checkpoint(state.db(), course, usage).await?
    {
        return Err(refused(Refusal::InvalidCheckpoint));
    }
    let Some((course, usage)) = accepted.checkpoint.as_ref().filter(|_| accepted.is_reverification()) else {
        return Ok(json!({}));
    };
    let place = submit_photos::find_block(state.db(), course, usage).await?;
    let place = place.ok_or_else(|| refused(Refusal::InvalidCheckpoint))?;
    Ok(json!({ "url": courseware_url(&state.settings().courseware_url, course, usage, &place) }))
}

/// Seals the photos and stores them. What is stored and then not committed is nobody's, and goes after a day.
async fn store_sealed(state: &AppState, accepted: &Accepted) -> Result<StoredUploads, Fault> {
    let receipt = ids::new_receipt();
    let store = async |kind: PhotoKind, photo: &[u8]| {
        let sealed = with_context(receipt, kind.as_str(), |context| seal(&state.settings().master_keys, context, photo))
            .map_err(|error| {
                tracing::error!(error = %error, "a photo can't be sealed");
                Fault::Internal
            })?;
        let name = names::upload(receipt, kind);
        state.objects().put(&name, sealed).await?;
        Ok::<String, Fault>(name)
    };
    let photo_id = async {
        match &accepted.photo_id {
            Some(photo) => store(PhotoKind::PhotoId, photo).await.map(Some),
            None => Ok(None),
        }
    };
    let (face, photo_id) = tokio::try_join!(store(PhotoKind::Face, &accepted.face), photo_id)?;
    Ok(StoredUploads { receipt, face, photo_id })
}

/// A submission as it came: url-encoded, multipart or JSON.
#[derive(Default)]
struct Form {
    submission: Submission,
    csrf_token: Option<String>,
}

impl Form {
    async fn read(request: &Request, bytes: Bytes) -> Result<Self, Fault> {
        let kind = request.content_type().unwrap_or("application/x-www-form-urlencoded");
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "application/x-www-form-urlencoded" => Self::from_url_encoded(&bytes),
            "application/json" => Self::from_json(&bytes),
            "multipart/form-data" => Self::from_multipart(request, bytes).await,
            _ => Err(Fault::Refused(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Send the form url-encoded, as multipart/form-data or as application/json.".to_owned(),
            )),
        }
    }

    fn from_url_encoded(bytes: &[u8]) -> Result<Self, Fault> {
        let mut form = Self::default();
        for (name, value) in url::form_urlencoded::parse(bytes) {
            form.set_text(&name, value.into_owned())?;
        }
        Ok(form)
    }

    fn from_json(bytes: &[u8]) -> Result<Self, Fault> {
        let document = serde_json::from_slice(bytes).map_err(|_| Fault::bad_request("The request is not valid JSON."))?;
        let Value::Object(fields) = document else {
            return Err(Fault::bad_request("The request must be a JSON object."));
        };
        let mut form = Self::default();
        for (name, value) in fields {
            match value {
                Value::Null => {}
                Value::String(text) => form.set_text(&name, text)?,
                _ if FIELDS.contains(&name.as_str()) => {
                    return Err(Fault::bad_request(format!("{name} must be a string.")));
                }
                _ => {}
            }
        }
        Ok(form)
    }

    async fn from_multipart(request: &Request, bytes: Bytes) -> Result<Self, Fault> {
        let broken = || Fault::bad_request("The multipart form can't be read.");
        let mut body = RequestBody::new(Body::from_bytes(bytes));
        let mut parts = Multipart::from_request(request, &mut body).await.map_err(|_| broken())?;
        let mut form = Self::default();
        while let Some(part) = parts.next_field().await.map_err(|_| broken())? {
            let Some(name) = part.name().map(str::to_owned) else { continue };
            let is_file = part.file_name().is_some() || part.content_type().is_some_and(|kind| kind.starts_with("image/"));
            let bytes = part.bytes().await.map_err(|_| broken())?;
            if is_file && form.set_photo(&name, SentPhoto::Bytes(bytes.clone()))? {
                continue;
            }
            let text = String::from_utf8(bytes).map_err(|_| Fault::bad_request(format!("{} is not text.", field_name(&name))))?;
            form.set_text(&name, text)?;
        }
        Ok(form)
    }

    /// Sets a photo; `false` when the field is none.
    fn set_photo(&mut self, name: &str, photo: SentPhoto) -> Result<bool, Fault> {
        let slot = match name {
            "face_image" => &mut self.submission.face_image,
            "photo_id_image" => &mut self.submission.photo_id_image,
            _ => return Ok(false),
        };
        if slot.replace(photo).is_some() { Err(twice(name)) } else { Ok(true) }
    }

    fn set_text(&mut self, name: &str, text: String) -> Result<(), Fault> {
        let slot = match name {
            "face_image" | "photo_id_image" => return self.set_photo(name, SentPhoto::DataUrl(text)).map(|_| ()),
            "full_name" => &mut self.submission.full_name,
            "course_key" => &mut self.submission.course_key,
            "checkpoint" => &mut self.submission.checkpoint,
            csrf::FIELD => &mut self.csrf_token,
            _ => return Ok(()),
        };
        if slot.replace(text).is_some() { Err(twice(name)) } else { Ok(()) }
    }
}

const FIELDS: [&str; 5] = ["face_image", "photo_id_image", "full_name", "course_key", "checkpoint"];

/// The name of a field that we know; others are not repeated to the caller.
fn field_name(name: &str) -> &str {
    FIELDS.into_iter().find(|known| *known == name).unwrap_or("A field")
}

fn twice(name: &str) -> Fault {
    Fault::bad_request(format!("{} was sent twice.", field_name(name)))
}
