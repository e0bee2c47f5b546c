//! The wire formats in which Vouch speaks with the vendor that compares the photos.
//!
//! Why here: the worker sends, the api receives and the simulator answers, so the formats live where all three see
//! them. What not: nothing here does I/O, asks a clock or logs; callers bring the bytes and the time.

pub mod sealed;
pub mod software_secure;
pub mod strict_json;

use crate::domain::vendor_format::VendorFormat;

/// A submission that is ready to be posted as it stands.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// The headers with their values; they name us and carry the signature, and are not for logs.
    pub headers: Vec<(String, String)>,
    /// The JSON document in UTF-8; it holds the learner's name and is not for logs.
    pub body: Vec<u8>,
}

/// What a kept callback gives as its reasons.
#[derive(Clone, PartialEq, Eq)]
pub struct Grounds {
    /// The reasons as an attempt keeps them: JSON text.
    pub reason_json: String,
    /// The vendor's message or code, at most 50 characters.
    pub message: String,
}

/// Reads a callback again that was checked when it came and kept since; `None` when it is none.
#[must_use]
pub fn read_kept(format: VendorFormat, raw_body: &[u8]) -> Option<Grounds> {
    match format {
        VendorFormat::SoftwareSecure => software_secure::callback::read_kept(raw_body)
            .map(|said| Grounds { reason_json: said.reason_json, message: said.message_type }),
        VendorFormat::Sealed => {
            sealed::callback::read_kept(raw_body).map(|said| Grounds { reason_json: said.reason_json, message: said.code })
        }
    }
}
