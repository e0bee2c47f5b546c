//! What seals, and where what is sealed lies: for who looks after the master keys.

use url::Url;

use super::{
    catalogue::Program,
    read::{ConfigError, Reader, Source},
    settings::url,
};
use crate::photos::keys::MasterKeys;

/// The settings of sealing alone.
#[derive(Clone, Debug)]
pub struct Sealing {
    /// The object store.
    pub storage_url: Url,
    /// Keys that seal photos.
    pub master_keys: MasterKeys,
}

impl Sealing {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with everything that is wrong or missing; stop and show it.
    pub fn read(source: &Source) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(source, Program::Worker);
        let storage_url = reader.parse("VOUCH_STORAGE_URL", |text| url(text, &["file", "s3"]));
        let master_keys = reader.parse("VOUCH_MASTER_KEYS", MasterKeys::parse);
        let value = storage_url.zip(master_keys).map(|(storage_url, master_keys)| Self { storage_url, master_keys });
        reader.finish(value)
    }
}
