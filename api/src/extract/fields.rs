//! The text fields of a form: url-encoded, multipart or JSON.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use bytes::Bytes;
use poem::{Body, FromRequest, Request, RequestBody, web::Multipart};
use serde_json::Value;

use super::{
    body,
    form_kind::FormKind,
    json_members::{self, Member},
};
use crate::error::Fault;

/// Largest form of texts: far more than any of ours has.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Most fields of a form.
const FIELDS_MAX: usize = 200;

/// The fields of a form, by name.
#[derive(Default)]
pub struct Fields {
    values: BTreeMap<String, String>,
    twice: BTreeSet<String>,
}

impl Fields {
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

    /// A field; `None` when it was not sent.
    ///
    /// # Errors
    ///
    /// 400 when it was sent twice: which of them counts, nobody can say.
    pub fn find(&self, name: &str) -> Result<Option<&str>, Fault> {
        if self.twice.contains(name) {
            return Err(Fault::bad_request(format!("{name} was sent twice.")));
        }
        Ok(self.values.get(name).map(String::as_str))
    }

    /// All fields.
    ///
    /// # Errors
    ///
    /// 400 when any was sent twice.
    pub fn into_unique(self) -> Result<BTreeMap<String, String>, Fault> {
        if self.twice.is_empty() { Ok(self.values) } else { Err(Fault::bad_request("A field was sent twice.")) }
    }

    fn from_url_encoded(bytes: &[u8]) -> Result<Self, Fault> {
        let mut fields = Self::default();
        for (name, value) in url::form_urlencoded::parse(bytes) {
            fields.add(name.into_owned(), value.into_owned())?;
        }
        Ok(fields)
    }

    /// Numbers are read as they are written; null is absent.
    fn from_json(bytes: &[u8]) -> Result<Self, Fault> {
        let mut fields = Self::default();
        for Member { name, value, is_repeated } in json_members::read(bytes)? {
            if is_repeated {
                fields.twice.insert(name.clone());
            }
            match value {
                Value::String(text) => fields.add(name, text)?,
                Value::Number(number) => fields.add(name, number.to_string())?,
                Value::Null => {}
                Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                    return Err(Fault::bad_request("Every field must be a string or a number."));
                }
            }
        }
        Ok(fields)
    }

    async fn from_multipart(request: &Request, bytes: Bytes) -> Result<Self, Fault> {
        let broken = || Fault::bad_request("The multipart form can't be read.");
        let mut body = RequestBody::new(Body::from_bytes(bytes));
        let mut parts = Multipart::from_request(request, &mut body).await.map_err(|_| broken())?;
        let mut fields = Self::default();
        while let Some(part) = parts.next_field().await.map_err(|_| broken())? {
            let Some(name) = part.name().map(str::to_owned) else { continue };
            let bytes = part.bytes().await.map_err(|_| broken())?;
            fields.add(name, String::from_utf8(bytes).map_err(|_| Fault::bad_request("A field is not text."))?)?;
        }
        Ok(fields)
    }

    fn add(&mut self, name: String, value: String) -> Result<(), Fault> {
        if self.values.len() >= FIELDS_MAX {
            return Err(Fault::bad_request("The form has too many fields."));
        }
        if let Entry::Vacant(place) = self.values.entry(name.clone()) {
            place.insert(value);
        } else {
            self.twice.insert(name);
        }
        Ok(())
    }
}
