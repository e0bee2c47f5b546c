//! How a form is packed.

use poem::{Request, http::StatusCode};

use crate::error::Fault;

/// The packings that every form may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormKind {
    /// `application/x-www-form-urlencoded`, also when nothing is said.
    UrlEncoded,
    /// `application/json`.
    Json,
    /// `multipart/form-data`.
    Multipart,
}

impl FormKind {
    /// Reads how a request's form is packed.
    ///
    /// # Errors
    ///
    /// 415 when it is packed otherwise.
    pub fn of(request: &Request) -> Result<Self, Fault> {
        let Some(kind) = request.content_type() else { return Ok(Self::UrlEncoded) };
        match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/x-www-form-urlencoded" => Ok(Self::UrlEncoded),
            "application/json" => Ok(Self::Json),
            "multipart/form-data" => Ok(Self::Multipart),
            _ => Err(Fault::Refused(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Send the form url-encoded, as multipart/form-data or as application/json.".to_owned(),
            )),
        }
    }
}
