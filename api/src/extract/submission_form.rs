//! A submission of photos as it comes: url-encoded, multipart or JSON.

use bytes::Bytes;
use poem::{Body, FromRequest, Request, RequestBody, web::Multipart};
use serde_json::Value;
use vouch_common::domain::submission::{SentPhoto, Submission};

use super::{
    body, csrf,
    form_kind::FormKind,
    json_members::{self, Member},
};
use crate::error::Fault;

/// Largest request: two photos in base64 with room for the rest.
pub const BODY_BYTES_MAX: usize = 24 * 1024 * 1024;

/// A submission as it came: url-encoded, multipart or JSON.
#[derive(Default)]
pub struct SubmissionForm {
    /// What was sent.
    pub submission: Submission,
    /// The CSRF token in it, if there is one.
    pub csrf_token: Option<String>,
}

impl SubmissionForm {
    /// Reads the form of a request.
    ///
    /// # Errors
    ///
    /// 413 when it is too large, 415 when it is no form, 400 when it can't be read.
    pub async fn read(request: &Request, body: Body) -> Result<Self, Fault> {
        let bytes = body::read(request, body, BODY_BYTES_MAX).await?;
        match FormKind::of(request)? {
            FormKind::UrlEncoded => Self::from_url_encoded(&bytes),
            FormKind::Json => Self::from_json(&bytes),
            FormKind::Multipart => Self::from_multipart(request, bytes).await,
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
        let mut form = Self::default();
        for Member { name, value, is_repeated } in json_members::read(bytes)? {
            let is_known = FIELDS.contains(&name.as_str()) || name == csrf::FIELD;
            match value {
                _ if is_repeated && is_known => return Err(twice(&name)),
                Value::Null => {}
                Value::String(text) => form.set_text(&name, text)?,
                _ if is_known => return Err(Fault::bad_request(format!("{} must be a string.", field_name(&name)))),
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
            let is_unnamed = part.file_name() == Some("");
            let bytes = part.bytes().await.map_err(|_| broken())?;
            if is_unnamed && bytes.is_empty() {
                // A file field in which nobody chose a file.
                continue;
            }
            if PHOTOS.contains(&name.as_str()) {
                form.set_photo(&name, SentPhoto::of_part(bytes, is_file))?;
                continue;
            }
            let text = String::from_utf8(bytes).map_err(|_| Fault::bad_request(format!("{} is not text.", field_name(&name))))?;
            form.set_text(&name, text)?;
        }
        Ok(form)
    }

    fn set_photo(&mut self, name: &str, photo: SentPhoto) -> Result<(), Fault> {
        let is_face = name == FACE;
        let slot = if is_face { &mut self.submission.face_image } else { &mut self.submission.photo_id_image };
        if slot.replace(photo).is_some() { Err(twice(name)) } else { Ok(()) }
    }

    fn set_text(&mut self, name: &str, text: String) -> Result<(), Fault> {
        let slot = match name {
            FACE | PHOTO_ID => return self.set_photo(name, SentPhoto::DataUrl(text)),
            "full_name" => &mut self.submission.full_name,
            "course_key" => &mut self.submission.course_key,
            "checkpoint" => &mut self.submission.checkpoint,
            csrf::FIELD => &mut self.csrf_token,
            _ => return Ok(()),
        };
        if slot.replace(text).is_some() { Err(twice(name)) } else { Ok(()) }
    }
}

const FACE: &str = "face_image";
const PHOTO_ID: &str = "photo_id_image";
const PHOTOS: [&str; 2] = [FACE, PHOTO_ID];
const FIELDS: [&str; 5] = [FACE, PHOTO_ID, "full_name", "course_key", "checkpoint"];

/// The name of a field that we know; others are not repeated to the caller.
fn field_name(name: &str) -> &str {
    FIELDS.into_iter().find(|known| *known == name).unwrap_or("A field")
}

fn twice(name: &str) -> Fault {
    Fault::bad_request(format!("{} was sent twice.", field_name(name)))
}
