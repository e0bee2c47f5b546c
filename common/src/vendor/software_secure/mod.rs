//! The wire format `software-secure`, byte for byte as Open edX of mid-2016 speaks it, so that a contract goes on.
//!
//! | file | holds |
//! |---|---|
//! | `cipher` | how a photo is encrypted: AES-CBC, IV derived from the key |
//! | `rsa_keys` | how a photo's key is wrapped: RSA-OAEP-SHA1, in MIME base64 |
//! | `canonical`, `python` | the string that is signed, and Python's way of writing values in it |
//! | `signature` | HMAC-SHA256 over that string, and its check in constant time |
//! | `request` | the submission that goes to the vendor |
//! | `callback` | the verdict that comes back |
//!
//! The format is weak by today's measure (a constant IV for each key, no authentication of photos, an ambiguous string
//! to sign). What can be mended on one side is: values with a newline are neither signed nor accepted, and the
//! signature that Open edX ignores is enforced. Its successor is `sealed`. Source: reference 3.

pub mod callback;
pub mod canonical;
pub mod cipher;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod python;
pub mod request;
pub mod rsa_keys;
pub mod signature;

/// The vendor's name in event keys, settings and records.
pub const VENDOR: &str = "software-secure";
