//! The country of an address, from a file in MaxMind's format.

use std::{net::IpAddr, path::Path};

use maxminddb::{MaxMindDbError, Reader, geoip2};

/// Tells countries; without a file it knows none.
pub struct Countries(Option<Reader<Vec<u8>>>);

impl Countries {
    /// Opens the file.
    ///
    /// # Errors
    ///
    /// When it can't be read, or is no such file.
    pub fn open(path: Option<&Path>) -> Result<Self, MaxMindDbError> {
        path.map(Reader::open_readfile).transpose().map(Self)
    }

    /// The ISO code of an address' country, if the file knows it.
    #[must_use]
    pub fn find(&self, address: IpAddr) -> Option<String> {
        let found = self.0.as_ref()?.lookup(address).ok()?;
        let country = found.decode::<geoip2::Country<'_>>().ok()??;
        country.country.iso_code.map(str::to_owned)
    }
}
