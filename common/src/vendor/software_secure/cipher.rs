//! How a photo is encrypted for the vendor: AES-CBC with an IV made from the key, PKCS#7, URL-safe base64.
//!
//! The IV is the format's, not a choice of ours: the first 16 characters of `hex(md5(key ‖ hex(md5(key))))`, so equal
//! photos under the shared face key give equal texts. Nothing authenticates the ciphertext. What not: no storage, no
//! image checks. Source: reference 3.1.

use std::fmt;

use aes::{Aes128, Aes192, Aes256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use cbc::cipher::block_padding::{Error as PaddingError, Pkcs7};
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use md5::{Digest as _, Md5};
use rand::TryCryptoRng;
use zeroize::Zeroizing;

const IV_BYTES: usize = 16;

/// An AES key for photos, 16, 24 or 32 bytes long; it never prints and is wiped when dropped.
#[derive(Clone)]
pub struct PhotoKey(KeyBytes);

#[derive(Clone)]
enum KeyBytes {
    Aes128(Zeroizing<[u8; 16]>),
    Aes192(Zeroizing<[u8; 24]>),
    Aes256(Zeroizing<[u8; 32]>),
}

impl PhotoKey {
    /// Reads a key from the hexadecimal text of the settings; white space around it does not count.
    ///
    /// # Errors
    /// [`PhotoKeyError`] if the text is not hexadecimal or the length is none of AES; mend the setting.
    pub fn parse_hex(text: &str) -> Result<Self, PhotoKeyError> {
        let bytes = Zeroizing::new(hex::decode(text.trim()).map_err(|_| PhotoKeyError::NotHex)?);
        Self::parse_bytes(&bytes)
    }

    /// Takes a key from its raw bytes.
    ///
    /// # Errors
    /// [`PhotoKeyError::Length`] if there are not 16, 24 or 32 bytes.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, PhotoKeyError> {
        if let Ok(key) = <[u8; 16]>::try_from(bytes) {
            return Ok(Self(KeyBytes::Aes128(Zeroizing::new(key))));
        }
        if let Ok(key) = <[u8; 24]>::try_from(bytes) {
            return Ok(Self(KeyBytes::Aes192(Zeroizing::new(key))));
        }
        if let Ok(key) = <[u8; 32]>::try_from(bytes) {
            return Ok(Self(KeyBytes::Aes256(Zeroizing::new(key))));
        }
        Err(PhotoKeyError::Length)
    }

    /// Makes the fresh 256-bit key of one attempt's ID photo; production passes `rand::rngs::SysRng`.
    ///
    /// # Errors
    /// The generator's own error; try again later.
    pub fn generate<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<Self, R::Error> {
        let mut key = Zeroizing::new([0; 32]);
        rng.try_fill_bytes(&mut *key)?;
        Ok(Self(KeyBytes::Aes256(key)))
    }

    /// Gives the raw bytes to the one place that wraps or compares them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        match &self.0 {
            KeyBytes::Aes128(key) => key.as_slice(),
            KeyBytes::Aes192(key) => key.as_slice(),
            KeyBytes::Aes256(key) => key.as_slice(),
        }
    }

    fn iv(&self) -> [u8; IV_BYTES] {
        let first = hex::encode(Md5::digest(self.expose()));
        let second = hex::encode(Md5::new().chain_update(self.expose()).chain_update(first).finalize());
        let mut iv = [0; IV_BYTES];
        for (place, character) in iv.iter_mut().zip(second.bytes()) {
            *place = character;
        }
        iv
    }
}

impl fmt::Debug for PhotoKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PhotoKey(***)")
    }
}

/// Encrypts a photo into the text that is stored and that the vendor downloads.
#[must_use]
pub fn encrypt_photo(plain: &[u8], key: &PhotoKey) -> String {
    let iv = key.iv().into();
    let sealed = match &key.0 {
        KeyBytes::Aes128(key) => cbc::Encryptor::<Aes128>::new(&(**key).into(), &iv).encrypt_padded_vec::<Pkcs7>(plain),
        KeyBytes::Aes192(key) => cbc::Encryptor::<Aes192>::new(&(**key).into(), &iv).encrypt_padded_vec::<Pkcs7>(plain),
        KeyBytes::Aes256(key) => cbc::Encryptor::<Aes256>::new(&(**key).into(), &iv).encrypt_padded_vec::<Pkcs7>(plain),
    };
    URL_SAFE.encode(sealed)
}

/// Decrypts a stored photo and checks its padding, as a vendor or the simulator does; Vouch itself never needs it.
///
/// # Errors
/// [`DecryptPhotoError`] if the text is no URL-safe base64 or the padding is wrong, which mostly means another key.
pub fn decrypt_photo(stored: &[u8], key: &PhotoKey) -> Result<Vec<u8>, DecryptPhotoError> {
    let sealed = URL_SAFE.decode(stored).map_err(|cause| DecryptPhotoError::NotBase64 { cause })?;
    let iv = key.iv().into();
    let plain = match &key.0 {
        KeyBytes::Aes128(key) => cbc::Decryptor::<Aes128>::new(&(**key).into(), &iv).decrypt_padded_vec::<Pkcs7>(&sealed),
        KeyBytes::Aes192(key) => cbc::Decryptor::<Aes192>::new(&(**key).into(), &iv).decrypt_padded_vec::<Pkcs7>(&sealed),
        KeyBytes::Aes256(key) => cbc::Decryptor::<Aes256>::new(&(**key).into(), &iv).decrypt_padded_vec::<Pkcs7>(&sealed),
    };
    plain.map_err(|PaddingError| DecryptPhotoError::Padding)
}

/// Why a key was not taken; the texts never hold a part of it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhotoKeyError {
    /// The text has an odd length or a character that is no hexadecimal digit.
    #[error("the photo key is not hexadecimal")]
    NotHex,
    /// The key is not 16, 24 or 32 bytes long.
    #[error("the photo key is not 16, 24 or 32 bytes long")]
    Length,
}

/// Why a photo was not decrypted.
#[derive(Debug, thiserror::Error)]
pub enum DecryptPhotoError {
    /// The stored text is not URL-safe base64 with padding.
    #[error("the stored photo is not url-safe base64")]
    NotBase64 {
        /// What the decoder says.
        #[source]
        cause: base64::DecodeError,
    },
    /// The length is no multiple of 16, or the last bytes are no PKCS#7 padding.
    #[error("the stored photo does not end in a valid padding under this key")]
    Padding,
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE;
    use rand::rngs::SysRng;

    use super::super::fixtures::K1_HEX;
    use super::{DecryptPhotoError, PhotoKey, PhotoKeyError, decrypt_photo, encrypt_photo};

    const K3_HEX: &str = "f82400259e3b4f88821cd89838758292";

    fn keys() -> [PhotoKey; 3] {
        [K1_HEX, &"a".repeat(64), K3_HEX].map(|text| PhotoKey::parse_hex(text).unwrap())
    }

    #[test]
    fn the_iv_is_made_from_the_key_as_open_edx_makes_it() {
        let ivs = keys().map(|key| String::from_utf8(key.iv().to_vec()).unwrap());

        assert_eq!(ivs, ["e8fbd26ddb5bf0e7", "1fca4a04d61e6efd", "add900f5ebbe69b1"]);
    }

    #[test]
    fn every_known_answer_of_the_reference_is_met_in_both_directions() {
        let vectors: [(&[u8], [&str; 3]); 6] = [
            (b"Hello World!", ["QOzGLCbc5DR8LZvr4Q0ZTg==", "GZbzPXIbK8Yf7tduX-giLA==", "EB94FVoKMusJVVxAl5znKA=="]),
            (
                b"1234567890123456",
                [
                    "SYT13Y7nnwEJmOwQ2ARndWx9TeqTkKwrznrPseiaf3U=",
                    "muj6L1yJNG_lS0KyV-kjX7oNvV7OOqaBHoBkWPV92-U=",
                    "se2ccJZaMrDdqIJ1_dAmwP6auFhC9-ly-N5E0nRSnkY=",
                ],
            ),
            (
                b"12345678901234561234567890123456123456789012345601",
                [
                    "SYT13Y7nnwEJmOwQ2ARndUjKc_pNZ-8nFQpxEKBvdsDZXvrhcOywgUL0RJO_pt_AthM8G_BrpyESA5HBprX8-A==",
                    "muj6L1yJNG_lS0KyV-kjX5GDTVQvIi5e5XZDJuD1PgjJL3pAVAhmbj-m2eAEK4XQwEma3oQe2i2IiJuqKwo4bA==",
                    "se2ccJZaMrDdqIJ1_dAmwDwlYnwMaHgxkNRKhRLv2HYHJ1YTJAVz6H9qKpisuRXIynfUTtKPNUFRl0YAsar6Qw==",
                ],
            ),
            (b"", ["_LgBTRyepui-rjXHABCXlA==", "DFeYp-iorhDcfojH8ZjtMw==", "Ils9TzkL8GJxEfQfYtyCKQ=="]),
            (
                b"\xe9\xe1\x61\x13\x1b\x54\x35\xc8",
                ["l-apHAjlQPS0Fg-0uxsKNg==", "liuXthcL5ntTUJUJqXX3kw==", "RZxDp9MG_51ixZ-4M8I7sw=="],
            ),
            (
                b"Just pretend this is image data",
                [
                    "A3Aiy0JuAPY3H9wk_IN2uOHwn3H4HoAyQP9si-rXZtU=",
                    "QOzX_q5fMFSixD0UH5glyF8As4HQWzNpahl_ssgYZkU=",
                    "deUvE6_4BQU0TjPNHarTVihJdS3NiWrgoi2mbvIpdw0=",
                ],
            ),
        ];

        for (plain, texts) in vectors {
            for (key, text) in keys().iter().zip(texts) {
                assert_eq!(encrypt_photo(plain, key), text);
                assert_eq!(decrypt_photo(text.as_bytes(), key).unwrap(), plain);
            }
        }
    }

    #[test]
    fn a_photo_comes_back_under_every_key_length() {
        let photo: Vec<u8> = (0..=255).cycle().take(100_003).collect();
        for bytes in [16, 24, 32] {
            let key = PhotoKey::parse_bytes(&vec![7; bytes]).unwrap();
            assert_eq!(decrypt_photo(encrypt_photo(&photo, &key).as_bytes(), &key).unwrap(), photo);
        }
    }

    #[test]
    fn a_key_of_another_length_or_alphabet_is_refused() {
        assert_eq!(PhotoKey::parse_hex("abc").unwrap_err(), PhotoKeyError::NotHex);
        assert_eq!(PhotoKey::parse_hex(&"zz".repeat(32)).unwrap_err(), PhotoKeyError::NotHex);
        for bytes in [0, 15, 17, 33, 64] {
            assert_eq!(PhotoKey::parse_bytes(&vec![7; bytes]).unwrap_err(), PhotoKeyError::Length);
        }
    }

    #[test]
    fn fresh_keys_differ_and_never_print() {
        let first = PhotoKey::generate(&mut SysRng).unwrap();
        let second = PhotoKey::generate(&mut SysRng).unwrap();

        assert_eq!(first.expose().len(), 32);
        assert_ne!(first.expose(), second.expose());
        assert_eq!(format!("{first:?}"), "PhotoKey(***)");
    }

    #[test]
    fn a_damaged_photo_is_refused_instead_of_trusting_its_last_byte() {
        let [key, other, _] = keys();
        let stored = encrypt_photo(b"Hello World!", &key);

        assert!(matches!(decrypt_photo(stored.as_bytes(), &other), Err(DecryptPhotoError::Padding)));
        assert!(matches!(decrypt_photo(b"a+b/", &key), Err(DecryptPhotoError::NotBase64 { .. })));
        let short = URL_SAFE.encode([1; 15]);
        assert!(matches!(decrypt_photo(short.as_bytes(), &key), Err(DecryptPhotoError::Padding)));
        assert!(matches!(decrypt_photo(b"", &key), Err(DecryptPhotoError::Padding)));
    }
}
