//! The key of one photo, and how it travels: RSAES-OAEP with SHA-256, MGF1-SHA256 and an empty label, in base64.
//!
//! Unwrapping exists for the simulator and tests: Vouch never holds the private key.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::TryCryptoRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::vendor::software_secure::rsa_keys::{VendorPrivateKey, VendorPublicKey};

/// Bytes of a photo's key.
pub const KEY_BYTES: usize = 32;

/// The AES-256 key of one photo; it never prints and is wiped when dropped.
#[derive(Clone)]
pub struct DataKey(Zeroizing<[u8; KEY_BYTES]>);

impl DataKey {
    /// Makes a fresh key; production passes `rand::rngs::SysRng`.
    ///
    /// # Errors
    /// The generator's own error; try again later.
    pub fn generate<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<Self, R::Error> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        rng.try_fill_bytes(&mut *key)?;
        Ok(Self(key))
    }

    /// Wraps the key for the vendor; no two results are equal.
    ///
    /// # Errors
    /// [`WrapKeyError`] if the generator fails, or the vendor's key is too short; try again later.
    pub fn wrap<R: TryCryptoRng + ?Sized>(&self, public_key: &VendorPublicKey, rng: &mut R) -> Result<String, WrapKeyError> {
        let wrapped = public_key.rsa().oaep_encrypt_with_rng::<Sha256, R>(rng, self.expose());
        wrapped.map(|bytes| STANDARD.encode(bytes)).map_err(|cause| WrapKeyError { cause })
    }

    /// Unwraps a key, as the vendor does.
    ///
    /// # Errors
    /// [`UnwrapKeyError`] if the text is no base64, was wrapped for another key, or holds no AES-256 key.
    pub fn unwrap(wrapped: &str, private_key: &VendorPrivateKey) -> Result<Self, UnwrapKeyError> {
        let wrapped = STANDARD.decode(wrapped).map_err(|cause| UnwrapKeyError::NotBase64 { cause })?;
        let key = private_key.rsa().oaep_decrypt::<Sha256>(&wrapped).map_err(|cause| UnwrapKeyError::NotOurs { cause })?;
        let key = Zeroizing::new(key);
        let bytes = <[u8; KEY_BYTES]>::try_from(key.as_slice()).map_err(|_| UnwrapKeyError::NotAKey)?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    pub(super) fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

#[cfg(test)]
impl From<[u8; KEY_BYTES]> for DataKey {
    fn from(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DataKey(***)")
    }
}

/// A photo's key could not be wrapped.
#[derive(Debug, thiserror::Error)]
#[error("could not wrap the photo key")]
pub struct WrapKeyError {
    /// What the cipher or its random generator says.
    #[source]
    cause: rsa::Error,
}

/// Why a photo's key was not unwrapped.
#[derive(Debug, thiserror::Error)]
pub enum UnwrapKeyError {
    /// The text is not standard base64.
    #[error("the wrapped photo key is not base64")]
    NotBase64 {
        /// What the decoder says.
        #[source]
        cause: base64::DecodeError,
    },
    /// The key was wrapped for another key pair, in another way, or was damaged.
    #[error("the wrapped photo key does not open with this private key")]
    NotOurs {
        /// What the cipher says.
        #[source]
        cause: rsa::Error,
    },
    /// What was wrapped is no AES-256 key.
    #[error("what was wrapped is not 32 bytes long")]
    NotAKey,
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;

    use super::super::super::software_secure::fixtures::{K1_HEX, WRAPPED_K1, private_key, public_key};
    use super::{DataKey, UnwrapKeyError};

    #[test]
    fn a_wrapped_key_opens_again_and_never_looks_the_same() {
        let key = DataKey::generate(&mut SysRng).unwrap();
        let (one, two) = (key.wrap(&public_key(), &mut SysRng).unwrap(), key.wrap(&public_key(), &mut SysRng).unwrap());
        assert_ne!(one, two);
        assert!(!one.contains('\n'), "one line");
        for wrapped in [one, two] {
            assert_eq!(DataKey::unwrap(&wrapped, &private_key()).unwrap().expose(), key.expose());
        }
        assert!(!format!("{key:?}").contains(char::is_numeric));
    }

    #[test]
    fn a_key_that_was_wrapped_in_the_old_way_or_changed_is_refused() {
        let old: String = WRAPPED_K1.split_ascii_whitespace().collect();
        assert!(matches!(DataKey::unwrap(&old, &private_key()), Err(UnwrapKeyError::NotOurs { .. })), "{}", K1_HEX.len());
        assert!(matches!(DataKey::unwrap("no base64!", &private_key()), Err(UnwrapKeyError::NotBase64 { .. })));
        let wrapped = DataKey::generate(&mut SysRng).unwrap().wrap(&public_key(), &mut SysRng).unwrap();
        let changed = format!("{}{}", if wrapped.starts_with('A') { 'B' } else { 'A' }, &wrapped[1..]);
        assert!(DataKey::unwrap(&changed, &private_key()).is_err());
    }
}
