//! What the reference (3.4 and 3.7) gives for tests: keys, the wrapped key and the parts of its signature vectors.

use super::cipher::PhotoKey;
use super::rsa_keys::{VendorPrivateKey, VendorPublicKey};
use crate::secret::Secret;
use crate::vendor::strict_json::{Json, Members, parse};

pub(crate) const PRIVATE_PEM: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/keys/vendor-test-private.pem"));
pub(crate) const PUBLIC_PEM: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/keys/vendor-test-public.pem"));
pub(crate) const PUBLIC_OPENSSH: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/keys/vendor-test-public-openssh.txt"));
pub(crate) const WRAPPED_K1: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/keys/vendor-test-wrapped-k1.txt"));

pub(crate) const K1_HEX: &str = "32fe72aaf2abb44de9e161131b5435c8d37cbdb6f5df242ae860b283115f2dae";
pub(crate) const ACCESS_KEY: &str = "BBBBBBBBBBBBBBBBBBBB";
pub(crate) const DATE: &str = "Wed, 01 Jun 2016 12:00:00 GMT";
pub(crate) const RECEIPT: &str = "4dd1add9-6719-42f7-bea0-115c008c4fca";

pub(crate) fn secret() -> Secret {
    Secret::new("C".repeat(40))
}

pub(crate) fn k1() -> PhotoKey {
    PhotoKey::parse_hex(K1_HEX).unwrap()
}

pub(crate) fn private_key() -> VendorPrivateKey {
    VendorPrivateKey::parse(PRIVATE_PEM.as_bytes()).unwrap()
}

pub(crate) fn public_key() -> VendorPublicKey {
    VendorPublicKey::parse(PUBLIC_PEM.as_bytes()).unwrap()
}

pub(crate) fn members(text: &str) -> Members {
    let Json::Object(members) = parse(text.as_bytes()).unwrap() else { panic!("the body is an object") };
    members
}
