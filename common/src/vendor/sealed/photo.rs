//! How a photo is encrypted: AES-256-GCM under a fresh key with a random nonce, in a small container.
//!
//! | bytes | are |
//! |---|---|
//! | 4 | `VSV1`, the version |
//! | 12 | the nonce |
//! | rest | the photo, encrypted, and its tag of 16 bytes |
//!
//! Bound in as associated data is `vouch-sealed-1/<receipt>/<kind>`, so a photo opens only as what it was stored as.
//! The key is not in the container: it comes in the signed request, so who can write into the store and knows the
//! vendor's public key still can't put a photo of their own there. Opening exists for the simulator and tests.

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _};
use rand::TryCryptoRng;

use super::key::{DataKey, WrapKeyError};
use crate::domain::photo::PhotoKind;
use crate::vendor::software_secure::rsa_keys::VendorPublicKey;

/// The first bytes of a container of this version.
pub const MAGIC: [u8; 4] = *b"VSV1";

/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 12;

/// What a photo is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding<'a> {
    /// The receipt of the attempt with which the photo came.
    pub receipt: &'a str,
    /// Which of its photos it is.
    pub kind: PhotoKind,
}

impl Binding<'_> {
    fn to_bytes(self) -> Vec<u8> {
        format!("vouch-sealed-1/{}/{}", self.receipt, self.kind.as_str()).into_bytes()
    }
}

/// A photo as it is stored, and its key as it is sent.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedPhoto {
    /// The container, which the vendor downloads.
    pub container: Vec<u8>,
    /// The key, wrapped for the vendor.
    pub wrapped_key: String,
}

/// Encrypts a photo under a fresh key; production passes `rand::rngs::SysRng`.
///
/// # Errors
/// [`SealPhotoError`] if there is no randomness, the key can't be wrapped, or the photo is absurdly long.
pub fn seal_photo<R: TryCryptoRng + ?Sized>(
    plain: &[u8],
    binding: Binding<'_>,
    public_key: &VendorPublicKey,
    rng: &mut R,
) -> Result<SealedPhoto, SealPhotoError> {
    let key = DataKey::generate(rng).map_err(|_| SealPhotoError::NoRandomness)?;
    let mut nonce = [0; NONCE_BYTES];
    rng.try_fill_bytes(&mut nonce).map_err(|_| SealPhotoError::NoRandomness)?;
    let container = seal_with(plain, binding, &key, nonce)?;
    let wrapped_key = key.wrap(public_key, rng).map_err(|cause| SealPhotoError::Wrap { cause })?;
    Ok(SealedPhoto { container, wrapped_key })
}

pub(super) fn seal_with(
    plain: &[u8],
    binding: Binding<'_>,
    key: &DataKey,
    nonce: [u8; NONCE_BYTES],
) -> Result<Vec<u8>, SealPhotoError> {
    let message = Payload { msg: plain, aad: &binding.to_bytes() };
    let sealed = Aes256Gcm::new(key.expose().into()).encrypt(&nonce.into(), message).map_err(|_| SealPhotoError::TooLong)?;
    Ok([MAGIC.as_slice(), &nonce, &sealed].concat())
}

/// Opens a container, as the vendor does.
///
/// # Errors
/// [`OpenPhotoError`] if it is no container of this version, or was changed, or belongs elsewhere.
pub fn open_photo(container: &[u8], binding: Binding<'_>, key: &DataKey) -> Result<Vec<u8>, OpenPhotoError> {
    let rest = container.strip_prefix(&MAGIC).ok_or(OpenPhotoError::NotSealed)?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(OpenPhotoError::NotSealed)?;
    let message = Payload { msg: sealed, aad: &binding.to_bytes() };
    Aes256Gcm::new(key.expose().into()).decrypt(&(*nonce).into(), message).map_err(|_| OpenPhotoError::NotAuthentic)
}

/// Why a photo was not encrypted.
#[derive(Debug, thiserror::Error)]
pub enum SealPhotoError {
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    NoRandomness,
    /// The photo is longer than the cipher takes, which is 64 GiB.
    #[error("the photo is too long to be encrypted")]
    TooLong,
    /// The key could not be wrapped.
    #[error("the key of the photo could not be wrapped")]
    Wrap {
        /// What the wrapping says.
        #[source]
        cause: WrapKeyError,
    },
}

/// Why a photo was not opened.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenPhotoError {
    /// It does not begin as a container of this version, or ends too early.
    #[error("the stored photo is no container of the format sealed")]
    NotSealed,
    /// Another key, another receipt, another kind, or changed bytes.
    #[error("the stored photo is not authentic: its key, its receipt, its kind or its bytes are others")]
    NotAuthentic,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::rngs::SysRng;

    use super::super::super::software_secure::fixtures::{private_key, public_key};
    use super::*;

    const FACE: Binding<'static> = Binding { receipt: "4dd1add9-6719-42f7-bea0-115c008c4fca", kind: PhotoKind::Face };

    fn key() -> DataKey {
        DataKey::from([7; 32])
    }

    #[test]
    fn a_photo_opens_with_its_wrapped_key_and_shows_nothing_before() {
        let plain = b"a face that nobody may see";
        let sealed = seal_photo(plain, FACE, &public_key(), &mut SysRng).unwrap();
        assert!(!sealed.container.windows(6).any(|window| window == b"a face"));
        let key = DataKey::unwrap(&sealed.wrapped_key, &private_key()).unwrap();
        assert_eq!(open_photo(&sealed.container, FACE, &key).unwrap(), plain);
    }

    #[test]
    fn the_same_photo_twice_has_another_key_and_another_nonce() {
        let seal = || seal_photo(b"a face", FACE, &public_key(), &mut SysRng).unwrap();
        let (one, two) = (seal(), seal());
        assert_ne!(one.container[4..16], two.container[4..16]);
        let other = DataKey::unwrap(&two.wrapped_key, &private_key()).unwrap();
        assert_eq!(open_photo(&one.container, FACE, &other), Err(OpenPhotoError::NotAuthentic));
    }

    #[test]
    fn a_photo_does_not_open_as_another_kind_or_for_another_receipt() {
        let container = seal_with(b"a face", FACE, &key(), [1; 12]).unwrap();
        let elsewhere = [Binding { kind: PhotoKind::PhotoId, ..FACE }, Binding { receipt: "another", ..FACE }];
        for binding in elsewhere {
            assert_eq!(open_photo(&container, binding, &key()), Err(OpenPhotoError::NotAuthentic), "{binding:?}");
        }
    }

    #[test]
    fn what_is_no_container_is_told_from_what_was_changed() {
        let old = crate::vendor::software_secure::fixtures::k1();
        let old = crate::vendor::software_secure::cipher::encrypt_photo(b"a face", &old);
        for text in [b"".as_slice(), b"VSV1", b"VSV2aaaaaaaaaaaaaaaa", old.as_bytes()] {
            assert_eq!(open_photo(text, FACE, &key()), Err(OpenPhotoError::NotSealed));
        }
        assert_eq!(open_photo(b"VSV1aaaaaaaaaaaa", FACE, &key()), Err(OpenPhotoError::NotAuthentic));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_come_back_as_they_were(plain in proptest::collection::vec(any::<u8>(), 0..2_000), nonce in any::<[u8; 12]>()) {
            let container = seal_with(&plain, FACE, &key(), nonce).unwrap();
            prop_assert_eq!(container.len(), plain.len() + 32);
            prop_assert_eq!(open_photo(&container, FACE, &key()).unwrap(), plain);
        }

        #[test]
        fn a_flipped_bit_or_a_missing_end_anywhere_is_found(place in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let container = seal_with(b"a face that nobody may change", FACE, &key(), [1; 12]).unwrap();
            let place = place.index(container.len());
            let mut changed = container.clone();
            changed[place] ^= 1_u8 << bit;
            prop_assert!(open_photo(&changed, FACE, &key()).is_err());
            prop_assert!(open_photo(&container[..place], FACE, &key()).is_err());
        }

        #[test]
        fn nothing_makes_opening_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = open_photo(&bytes, FACE, &key());
            let _ = open_photo(&[MAGIC.as_slice(), &bytes].concat(), FACE, &key());
        }
    }
}
