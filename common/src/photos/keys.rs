//! Master keys: each wraps the fresh key of a photo. The first is current; the others only open.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::{ids::random_bytes, secret::Secret};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 12;
/// Longest id of a master key, in bytes.
const ID_BYTES_MAX: usize = 64;

/// One master key.
#[derive(Clone, Debug)]
struct MasterKey {
    id: String,
    key: Secret,
}

/// The deployment's master keys, current first.
#[derive(Clone, Debug)]
pub struct MasterKeys(Vec<MasterKey>);

/// What is wrong with a list of master keys. The texts do not repeat it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MasterKeysFault {
    /// It has no key.
    #[error("at least one key is needed")]
    Empty,
    /// An entry is not `id:base64`.
    #[error("entry {0} is not `id:base64` of 32 bytes")]
    Malformed(usize),
    /// Two entries have one id.
    #[error("entry {0} has the id of another")]
    Twice(usize),
}

/// A photo's key, wrapped.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// The master key's id.
    pub master: String,
    /// The nonce.
    pub nonce: [u8; NONCE_BYTES],
    /// The wrapped key with its tag.
    pub bytes: Vec<u8>,
}

/// A sealed thing can't be opened: another key, another receipt or kind, or changed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed bytes can't be opened with the present keys")]
pub struct CannotOpen;

impl MasterKeys {
    /// Reads `id:base64,id:base64,…`, current first.
    ///
    /// # Errors
    ///
    /// [`MasterKeysFault`], which names the place of the entry and not its text.
    pub fn parse(text: &str) -> Result<Self, MasterKeysFault> {
        let mut keys: Vec<MasterKey> = Vec::new();
        for (entry, place) in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).zip(1..) {
            let malformed = MasterKeysFault::Malformed(place);
            let (id, encoded) = entry.split_once(':').ok_or(malformed.clone())?;
            let key = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| malformed.clone())?);
            if key.len() != KEY_BYTES || id.is_empty() || id.len() > ID_BYTES_MAX {
                return Err(malformed);
            }
            if keys.iter().any(|known| known.id == id) {
                return Err(MasterKeysFault::Twice(place));
            }
            keys.push(MasterKey { id: id.to_owned(), key: Secret::new(key.to_vec()) });
        }
        if keys.is_empty() { Err(MasterKeysFault::Empty) } else { Ok(Self(keys)) }
    }

    /// The id of the key that wraps.
    #[must_use]
    pub fn newest(&self) -> &str {
        self.0.first().map_or("", |key| &key.id)
    }

    /// The ids of all keys, newest first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| key.id.as_str())
    }

    /// Wraps a photo's key with the current master key; `context` must be given again to unwrap it.
    ///
    /// # Errors
    ///
    /// [`CannotOpen`] when the cipher refuses, which it does only for absurd lengths.
    pub fn wrap(&self, key: &[u8; KEY_BYTES], context: &[u8]) -> Result<WrappedKey, CannotOpen> {
        let current = self.0.first().ok_or(CannotOpen)?;
        let nonce = random_bytes::<NONCE_BYTES>();
        let bytes =
            cipher(current.key.expose())?.encrypt(&nonce.into(), Payload { msg: key, aad: context }).map_err(|_| CannotOpen)?;
        Ok(WrappedKey { master: current.id.clone(), nonce, bytes })
    }

    /// Unwraps a photo's key.
    ///
    /// # Errors
    ///
    /// [`CannotOpen`] when the master key is gone, or the context or the bytes are not those of the wrapping.
    pub fn unwrap(&self, wrapped: &WrappedKey, context: &[u8]) -> Result<Zeroizing<[u8; KEY_BYTES]>, CannotOpen> {
        let master = self.0.iter().find(|key| key.id == wrapped.master).ok_or(CannotOpen)?;
        let bytes = cipher(master.key.expose())?
            .decrypt(&wrapped.nonce.into(), Payload { msg: &wrapped.bytes, aad: context })
            .map(Zeroizing::new)
            .map_err(|_| CannotOpen)?;
        let key: [u8; KEY_BYTES] = bytes.as_slice().try_into().map_err(|_| CannotOpen)?;
        Ok(Zeroizing::new(key))
    }

    /// A key for another purpose, derived from each master key, current first.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Vec<Secret> {
        use hmac::{Hmac, Mac};
        let derive = |master: &MasterKey| {
            let mut mac = <Hmac<sha2::Sha256> as hmac::KeyInit>::new_from_slice(master.key.expose()).ok()?;
            mac.update(purpose.as_bytes());
            Some(Secret::new(mac.finalize().into_bytes().to_vec()))
        };
        self.0.iter().filter_map(derive).collect()
    }
}

pub(super) fn cipher(key: &[u8]) -> Result<Aes256Gcm, CannotOpen> {
    Aes256Gcm::new_from_slice(key).map_err(|_| CannotOpen)
}
