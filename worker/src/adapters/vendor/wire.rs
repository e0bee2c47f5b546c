//! The wire formats, as the client needs them: a photo encrypted, a submission signed.

use chrono::{DateTime, Utc};
use rand::rngs::SysRng;
use vouch_common::{
    config::Settings,
    domain::{ids::ReceiptId, photo::PhotoKind, vendor_format::VendorFormat},
    secret::Secret,
    vendor::{
        SignedRequest,
        sealed::{self, photo::Binding, photo::seal_photo},
        software_secure::{
            cipher::{PhotoKey, encrypt_photo},
            request::{RequestFacts, RequestKeys, build_request},
            rsa_keys::VendorPublicKey,
        },
    },
};

use super::{VendorError, VendorPhoto, VendorRequest};

/// A photo as the vendor downloads it.
pub struct EncryptedPhoto {
    /// What is stored.
    pub body: Vec<u8>,
    /// Its key, wrapped; empty where all faces have one key.
    pub wrapped_key: String,
}

/// What this deployment speaks.
pub(super) struct Wire {
    keys: Keys,
    access_key: String,
    secret: Secret,
    public_key: VendorPublicKey,
    callback_url: String,
}

enum Keys {
    SoftwareSecure { face_key: PhotoKey },
    Sealed,
}

impl Wire {
    /// Takes what the settings say.
    ///
    /// # Errors
    ///
    /// When a setting of the worker is missing.
    pub(super) fn new(settings: &Settings) -> Result<Self, VendorError> {
        let vendor = &settings.vendor;
        let (keys, path) = match vendor.format {
            VendorFormat::SoftwareSecure => {
                let face_key = vendor.face_key.clone().ok_or(VendorError::Setting("VOUCH_VENDOR_FACE_KEY"))?;
                (Keys::SoftwareSecure { face_key }, "/verify_student/results_callback")
            }
            VendorFormat::Sealed => (Keys::Sealed, "/callbacks/vendor"),
        };
        Ok(Self {
            keys,
            access_key: vendor.access_key.clone(),
            secret: vendor.secrets.first().cloned().ok_or(VendorError::Setting("VOUCH_VENDOR_SECRET_KEYS"))?,
            public_key: vendor.public_key.clone().ok_or(VendorError::Setting("VOUCH_VENDOR_RSA_PUBLIC_KEY"))?,
            callback_url: format!("{}{path}", settings.public_url.as_str().trim_end_matches('/')),
        })
    }

    pub(super) const fn format(&self) -> VendorFormat {
        match self.keys {
            Keys::SoftwareSecure { .. } => VendorFormat::SoftwareSecure,
            Keys::Sealed => VendorFormat::Sealed,
        }
    }

    pub(super) fn encrypt(&self, receipt: ReceiptId, kind: PhotoKind, photo: &[u8]) -> Result<EncryptedPhoto, VendorError> {
        match (&self.keys, kind) {
            (Keys::SoftwareSecure { face_key }, PhotoKind::Face) => {
                Ok(EncryptedPhoto { body: encrypt_photo(photo, face_key).into_bytes(), wrapped_key: String::new() })
            }
            (Keys::SoftwareSecure { .. }, PhotoKind::PhotoId) => {
                let key = PhotoKey::generate(&mut SysRng).map_err(|_| VendorError::NoRandomness)?;
                let wrapped_key = self.public_key.wrap(&key, &mut SysRng).map_err(VendorError::Wrap)?;
                Ok(EncryptedPhoto { body: encrypt_photo(photo, &key).into_bytes(), wrapped_key })
            }
            (Keys::Sealed, kind) => {
                let binding = Binding { receipt: &receipt.to_string(), kind };
                let sealed = seal_photo(photo, binding, &self.public_key, &mut SysRng).map_err(VendorError::Seal)?;
                Ok(EncryptedPhoto { body: sealed.container, wrapped_key: sealed.wrapped_key })
            }
        }
    }

    pub(super) fn sign(&self, request: &VendorRequest<'_>, now: DateTime<Utc>) -> Result<SignedRequest, VendorError> {
        let receipt = request.receipt.to_string();
        match &self.keys {
            Keys::SoftwareSecure { face_key } => {
                let facts = RequestFacts {
                    receipt_id: &receipt,
                    expected_name: request.name,
                    photo_id_url: request.photo_id.url.as_str(),
                    photo_id_key: request.photo_id.wrapped_key,
                    send_response_to: &self.callback_url,
                    user_photo_url: request.face.url.as_str(),
                };
                let (access_key, secret, public_key) = (&self.access_key, &self.secret, &self.public_key);
                let keys = RequestKeys { access_key, secret, public_key, face_key };
                build_request(&facts, &keys, now, &mut SysRng).map_err(VendorError::Build)
            }
            Keys::Sealed => {
                let id_receipt = request.photo_id.receipt.to_string();
                let facts = sealed::request::RequestFacts {
                    receipt_id: &receipt,
                    order: &request.job.to_string(),
                    name: request.name,
                    face: facts_of(&request.face, &receipt),
                    photo_id: facts_of(&request.photo_id, &id_receipt),
                    callback_url: &self.callback_url,
                };
                Ok(sealed::request::build_request(&facts, &self.access_key, &self.secret, now))
            }
        }
    }
}

fn facts_of<'a>(photo: &'a VendorPhoto<'_>, receipt_id: &'a str) -> sealed::request::PhotoFacts<'a> {
    sealed::request::PhotoFacts { url: photo.url.as_str(), wrapped_key: photo.wrapped_key, receipt_id }
}
