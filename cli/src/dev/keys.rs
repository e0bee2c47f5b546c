//! Keys for one development folder, made afresh and kept there.

use std::path::Path;

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use rsa::{
    PrivateKey,
    pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding},
};
use serde::{Deserialize, Serialize};
use vouch_common::{
    ids::random_bytes,
    vendor::software_secure::{cipher::PhotoKey, rsa_keys::VendorPrivateKey},
};

/// Bits of the vendor's key pair.
const VENDOR_KEY_BITS: usize = 2048;

/// The secrets of one development folder.
#[derive(Clone, Serialize, Deserialize)]
pub struct DevKeys {
    /// Seals photos.
    pub master_keys: String,
    /// Signs learners' tokens.
    pub jwt_secret: String,
    /// May do everything.
    pub api_key: String,
    /// Names us to the vendor.
    pub vendor_access_key: String,
    /// Shared with the vendor.
    pub vendor_secret: String,
    /// The vendor's key pair, public half.
    pub vendor_public_pem: String,
    /// The vendor's key pair, private half.
    pub vendor_private_pem: String,
    /// Key of the face photos.
    pub face_key_hex: String,
    /// Shared with the payment page; a folder that was made before there was one gets another at each start.
    #[serde(default = "new_secret")]
    pub cybersource_secret: String,
    /// Signs receipts of erasures; made as the one above.
    #[serde(default = "new_key")]
    pub erasure_key: String,
}

fn new_key() -> String {
    STANDARD.encode(random_bytes::<32>())
}

fn new_secret() -> String {
    hex::encode(random_bytes::<32>())
}

impl DevKeys {
    /// Reads the keys of a folder, or makes them.
    ///
    /// # Errors
    ///
    /// When the file can't be read or written.
    pub fn load_or_make(path: &Path) -> Result<Self> {
        if path.exists() {
            let text = std::fs::read_to_string(path).context("the development keys can't be read")?;
            return serde_json::from_str(&text).context("the development keys make no sense; delete the folder");
        }
        let keys = Self::make()?;
        std::fs::write(path, serde_json::to_string_pretty(&keys)?).context("the development keys can't be written")?;
        Ok(keys)
    }

    /// Makes keys.
    ///
    /// # Errors
    ///
    /// When no key pair can be made.
    pub fn make() -> Result<Self> {
        let pair = PrivateKey::new(&mut rand::rng(), VENDOR_KEY_BITS)?;
        Ok(Self {
            master_keys: format!("dev:{}", new_key()),
            jwt_secret: new_secret(),
            api_key: format!("vk_dev_{}", hex::encode(random_bytes::<16>())),
            vendor_access_key: hex::encode(random_bytes::<10>()),
            vendor_secret: hex::encode(random_bytes::<20>()),
            vendor_public_pem: pair.to_public_key().to_public_key_pem(LineEnding::LF)?,
            vendor_private_pem: pair.to_pkcs8_pem(LineEnding::LF)?.to_string(),
            face_key_hex: hex::encode(random_bytes::<32>()),
            cybersource_secret: new_secret(),
            erasure_key: new_key(),
        })
    }

    /// The vendor's private key.
    ///
    /// # Errors
    ///
    /// When it can't be read.
    pub fn vendor_private_key(&self) -> Result<VendorPrivateKey> {
        Ok(VendorPrivateKey::parse(self.vendor_private_pem.as_bytes())?)
    }

    /// The key of the face photos.
    ///
    /// # Errors
    ///
    /// When it can't be read.
    pub fn face_key(&self) -> Result<PhotoKey> {
        Ok(PhotoKey::parse_hex(&self.face_key_hex)?)
    }
}
