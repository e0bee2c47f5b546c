//! The vendor's RSA keys: reading them in every form that settings have, and wrapping photo keys with them.
//!
//! Wrapping is RSAES-OAEP with SHA-1, MGF1-SHA1 and an empty label; the wrapped key is written in MIME base64, with a
//! line feed after each 76 characters and after the last line. The private half exists for the simulator and tests:
//! Vouch never holds it. Source: reference 3.3.

use std::error::Error;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::TryCryptoRng;
use rsa::BoxedUint;
use rsa::pkcs1::{DecodeRsaPrivateKey as _, DecodeRsaPublicKey as _};
use rsa::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};
use sha1::Sha1;
use zeroize::Zeroizing;

use super::cipher::PhotoKey;

const MIME_LINE_CHARACTERS: usize = 76;

/// The key with which Vouch wraps the keys of photos, so that only the vendor can open them.
#[derive(Clone)]
pub struct VendorPublicKey(rsa::PublicKey);

impl VendorPublicKey {
    /// Reads PEM (`PUBLIC KEY` or `RSA PUBLIC KEY`), DER of either kind, base64 of DER, or an OpenSSH `ssh-rsa` line.
    ///
    /// # Errors
    /// [`RsaKeyError`] if it is none of them, not RSA, or not 1024 to 8192 bits; mend the setting.
    pub fn parse(bytes: &[u8]) -> Result<Self, RsaKeyError> {
        let key = match std::str::from_utf8(bytes).map(str::trim) {
            Ok(text) if text.starts_with("-----BEGIN RSA PUBLIC KEY") => {
                rsa::PublicKey::from_pkcs1_pem(text).map_err(RsaKeyError::public)?
            }
            Ok(text) if text.starts_with("-----") => rsa::PublicKey::from_public_key_pem(text).map_err(RsaKeyError::public)?,
            Ok(text) if text.starts_with("ssh-rsa ") => read_openssh(text)?,
            Ok(text) => match STANDARD.decode(without_white_space(text)) {
                Ok(der) => public_from_der(&der)?,
                Err(_) => public_from_der(bytes)?,
            },
            Err(_) => public_from_der(bytes)?,
        };
        Ok(Self(key))
    }

    pub(in crate::vendor) fn rsa(&self) -> &rsa::PublicKey {
        &self.0
    }

    /// Wraps a photo's key into the stored form; production passes `rand::rngs::SysRng`. No two results are equal.
    ///
    /// # Errors
    /// [`WrapKeyError`] if the generator fails; try again later.
    pub fn wrap<R: TryCryptoRng + ?Sized>(&self, key: &PhotoKey, rng: &mut R) -> Result<String, WrapKeyError> {
        self.0
            .oaep_encrypt_with_rng::<Sha1, R>(rng, key.expose())
            .map(|wrapped| mime_base64(&wrapped))
            .map_err(|cause| WrapKeyError { cause })
    }
}

impl fmt::Debug for VendorPublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("VendorPublicKey(…)")
    }
}

/// The vendor's own half of the key pair, for the simulator and tests.
#[derive(Clone)]
pub struct VendorPrivateKey(rsa::PrivateKey);

impl VendorPrivateKey {
    /// Reads unencrypted PEM or DER, PKCS#8 or PKCS#1.
    ///
    /// # Errors
    /// [`RsaKeyError`] if it is none of them; mend the setting.
    pub fn parse(bytes: &[u8]) -> Result<Self, RsaKeyError> {
        let key = match std::str::from_utf8(bytes).map(str::trim) {
            Ok(text) if text.starts_with("-----BEGIN RSA PRIVATE KEY") => {
                rsa::PrivateKey::from_pkcs1_pem(text).map_err(RsaKeyError::private)?
            }
            Ok(text) if text.starts_with("-----") => rsa::PrivateKey::from_pkcs8_pem(text).map_err(RsaKeyError::private)?,
            Ok(_) | Err(_) => rsa::PrivateKey::from_pkcs8_der(bytes)
                .or_else(|_| rsa::PrivateKey::from_pkcs1_der(bytes))
                .map_err(RsaKeyError::private)?,
        };
        Ok(Self(key))
    }

    /// Gives the public half, so that a development set-up needs one key file only.
    #[must_use]
    pub fn public_key(&self) -> VendorPublicKey {
        VendorPublicKey(rsa::PublicKey::from(&self.0))
    }

    pub(in crate::vendor) fn rsa(&self) -> &rsa::PrivateKey {
        &self.0
    }

    /// Unwraps a photo's key from its stored form, wherever its lines break.
    ///
    /// # Errors
    /// [`UnwrapKeyError`] if the text is no base64, was wrapped for another key, or holds no AES key.
    pub fn unwrap(&self, wrapped: &str) -> Result<PhotoKey, UnwrapKeyError> {
        let wrapped = STANDARD.decode(without_white_space(wrapped)).map_err(|cause| UnwrapKeyError::NotBase64 { cause })?;
        let key = self.0.oaep_decrypt::<Sha1>(&wrapped).map_err(|cause| UnwrapKeyError::NotOurs { cause })?;
        PhotoKey::parse_bytes(&Zeroizing::new(key)).map_err(|cause| UnwrapKeyError::NotAKey { cause })
    }
}

impl fmt::Debug for VendorPrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("VendorPrivateKey(***)")
    }
}

fn public_from_der(der: &[u8]) -> Result<rsa::PublicKey, RsaKeyError> {
    rsa::PublicKey::from_public_key_der(der).or_else(|_| rsa::PublicKey::from_pkcs1_der(der)).map_err(RsaKeyError::public)
}

/// Reads `ssh-rsa <base64> [comment]`: three fields, each after its length: the name, the exponent, the modulus.
fn read_openssh(line: &str) -> Result<rsa::PublicKey, RsaKeyError> {
    let encoded = line.split_ascii_whitespace().nth(1).ok_or(RsaKeyError::OpenSsh)?;
    let blob = STANDARD.decode(encoded).map_err(RsaKeyError::public)?;
    let (name, rest) = split_field(&blob).ok_or(RsaKeyError::OpenSsh)?;
    let (exponent, rest) = split_field(rest).ok_or(RsaKeyError::OpenSsh)?;
    let (modulus, rest) = split_field(rest).ok_or(RsaKeyError::OpenSsh)?;
    if name != b"ssh-rsa" || !rest.is_empty() {
        return Err(RsaKeyError::OpenSsh);
    }
    rsa::PublicKey::new(unsigned(modulus)?, unsigned(exponent)?).map_err(RsaKeyError::public)
}

fn split_field(blob: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = blob.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

fn unsigned(bytes: &[u8]) -> Result<BoxedUint, RsaKeyError> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = bytes.get(zeros..).unwrap_or_default();
    let bits = u32::try_from(digits.len().saturating_mul(8)).map_err(RsaKeyError::public)?;
    BoxedUint::from_be_slice(digits, bits).map_err(RsaKeyError::public)
}

fn without_white_space(text: &str) -> String {
    text.split_ascii_whitespace().collect()
}

fn mime_base64(bytes: &[u8]) -> String {
    let line = STANDARD.encode(bytes);
    let mut text = String::with_capacity(line.len() + line.len() / MIME_LINE_CHARACTERS + 1);
    for (place, character) in line.chars().enumerate() {
        if place > 0 && place % MIME_LINE_CHARACTERS == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push('\n');
    text
}

/// Why an RSA key was not read; the texts never hold a part of it.
#[derive(Debug, thiserror::Error)]
pub enum RsaKeyError {
    /// The bytes are no RSA public key in PEM, DER or OpenSSH form.
    #[error("could not read the RSA public key")]
    Public {
        /// What the decoder says.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// The bytes are no unencrypted RSA private key in PEM or DER form.
    #[error("could not read the RSA private key")]
    Private {
        /// What the decoder says.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// The line starts as an OpenSSH key does, but its fields are not those of one.
    #[error("the OpenSSH line does not hold an RSA public key")]
    OpenSsh,
}

impl RsaKeyError {
    fn public(cause: impl Error + Send + Sync + 'static) -> Self {
        Self::Public { cause: Box::new(cause) }
    }

    fn private(cause: impl Error + Send + Sync + 'static) -> Self {
        Self::Private { cause: Box::new(cause) }
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
    /// The key was wrapped for another key pair, or was damaged.
    #[error("the wrapped photo key does not open with this private key")]
    NotOurs {
        /// What the cipher says.
        #[source]
        cause: rsa::Error,
    },
    /// What was wrapped is no AES key.
    #[error("the wrapped bytes are not a photo key")]
    NotAKey {
        /// What is wrong with it.
        #[source]
        cause: super::cipher::PhotoKeyError,
    },
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use rand::rngs::SysRng;
    use rsa::pkcs1::{EncodeRsaPrivateKey as _, EncodeRsaPublicKey as _};
    use rsa::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, LineEnding};

    use super::super::fixtures::{K1_HEX, PRIVATE_PEM, PUBLIC_OPENSSH, PUBLIC_PEM, WRAPPED_K1, k1, private_key, public_key};
    use super::{RsaKeyError, UnwrapKeyError, VendorPrivateKey, VendorPublicKey, without_white_space};

    #[test]
    fn the_wrapped_key_of_the_reference_opens_to_k1_in_both_of_its_forms() {
        for wrapped in [WRAPPED_K1.to_owned(), without_white_space(WRAPPED_K1)] {
            assert_eq!(hex::encode(private_key().unwrap(&wrapped).unwrap().expose()), K1_HEX);
        }
    }

    #[test]
    fn a_wrapped_key_takes_349_characters_in_lines_of_76() {
        let wrapped = public_key().wrap(&k1(), &mut SysRng).unwrap();

        assert_eq!(wrapped.len(), 349);
        assert_eq!(WRAPPED_K1.len(), 349);
        let lines: Vec<usize> = wrapped.split_terminator('\n').map(str::len).collect();
        assert_eq!(lines, [76, 76, 76, 76, 40]);
        assert!(wrapped.ends_with('\n'));
    }

    #[test]
    fn a_base64_text_that_fills_its_last_line_ends_in_one_line_feed() {
        assert_eq!(super::mime_base64(&[0; 57]), format!("{}\n", "A".repeat(76)));
        assert_eq!(super::mime_base64(&[0; 60]), format!("{}\nAAAA\n", "A".repeat(76)));
    }

    #[test]
    fn a_key_is_wrapped_differently_each_time_and_comes_back() {
        let first = public_key().wrap(&k1(), &mut SysRng).unwrap();
        let second = public_key().wrap(&k1(), &mut SysRng).unwrap();

        assert_ne!(first, second);
        assert_eq!(private_key().unwrap(&first).unwrap().expose(), k1().expose());
        assert_eq!(private_key().unwrap(&second).unwrap().expose(), k1().expose());
    }

    #[test]
    fn every_form_of_the_public_key_is_the_same_key() {
        let key = public_key().0;
        let spki = key.to_public_key_der().unwrap();
        let pkcs1 = key.to_pkcs1_der().unwrap();
        let forms = [
            PUBLIC_PEM.as_bytes().to_vec(),
            format!("\r\n  {}\n\n", PUBLIC_PEM.replace('\n', "\r\n")).into_bytes(),
            key.to_pkcs1_pem(LineEnding::LF).unwrap().into_bytes(),
            spki.as_bytes().to_vec(),
            pkcs1.as_bytes().to_vec(),
            STANDARD.encode(spki.as_bytes()).into_bytes(),
            PUBLIC_OPENSSH.as_bytes().to_vec(),
            format!("{} somebody@somewhere", PUBLIC_OPENSSH.trim()).into_bytes(),
        ];

        for form in forms {
            assert_eq!(VendorPublicKey::parse(&form).unwrap().0, key);
        }
        assert_eq!(private_key().public_key().0, key);
    }

    #[test]
    fn every_form_of_the_private_key_is_the_same_key() {
        let key = private_key().0;
        let forms = [
            PRIVATE_PEM.as_bytes().to_vec(),
            key.to_pkcs1_pem(LineEnding::LF).unwrap().as_bytes().to_vec(),
            key.to_pkcs8_der().unwrap().as_bytes().to_vec(),
            key.to_pkcs1_der().unwrap().as_bytes().to_vec(),
        ];

        for form in forms {
            assert_eq!(VendorPrivateKey::parse(&form).unwrap().0, key);
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_printing_it() {
        for text in ["", "hello", "ssh-rsa", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", PRIVATE_PEM] {
            assert!(VendorPublicKey::parse(text.as_bytes()).is_err());
        }
        for text in ["ssh-rsa ", "ssh-rsa AAAA", "ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB", "ssh-rsa AAAAB3NzaC1yc2H/////"] {
            assert!(VendorPublicKey::parse(text.as_bytes()).is_err(), "{text}");
        }
        let longer = STANDARD.decode(PUBLIC_OPENSSH.split(' ').nth(1).unwrap().trim()).unwrap();
        let longer = format!("ssh-rsa {}", STANDARD.encode([longer.as_slice(), b"more"].concat()));
        assert!(matches!(VendorPublicKey::parse(longer.as_bytes()), Err(RsaKeyError::OpenSsh)));
        assert!(VendorPrivateKey::parse(PUBLIC_PEM.as_bytes()).is_err());
        assert!(VendorPrivateKey::parse(b"hello").is_err());
        assert_eq!(format!("{:?}", private_key()), "VendorPrivateKey(***)");
        assert_eq!(format!("{:?}", public_key()), "VendorPublicKey(…)");
    }

    #[test]
    fn a_damaged_wrapped_key_is_refused() {
        let damaged = WRAPPED_K1.replacen('Z', "Y", 1);

        assert!(matches!(private_key().unwrap(&damaged), Err(UnwrapKeyError::NotOurs { .. })));
        assert!(matches!(private_key().unwrap("fake-photo-id-key"), Err(UnwrapKeyError::NotBase64 { .. })));
        let short = private_key().0;
        let wrapped = rsa::PublicKey::from(&short).oaep_encrypt::<sha1::Sha1>(b"short").unwrap();
        assert!(matches!(private_key().unwrap(&STANDARD.encode(wrapped)), Err(UnwrapKeyError::NotAKey { .. })));
    }
}
