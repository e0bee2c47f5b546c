//! `vouch simulate-vendor`: a vendor of one's own.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use vouch_common::{
    clock::{Clock, SystemClock},
    domain::vendor_format::VendorFormat,
    secret::Secret,
    vendor::{
        sealed::webhook::parse_secret,
        software_secure::{cipher::PhotoKey, rsa_keys::VendorPrivateKey},
    },
};

use crate::simulator::{Script, SimulatorConfig, WireFormat, start};

/// A vendor of one's own: verifies, downloads, decrypts, decodes, and calls back.
#[derive(Debug, clap::Args)]
#[command(after_help = "The script is JSON; GET and PUT /_script while it runs, GET /_journal to see what it saw. \
                        Without a script a name that contains FAIL is denied, one that contains SYSTEM fails, and all others pass.")]
pub struct SimulateVendor {
    /// Where it listens; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Names us to the vendor
    #[arg(long, env = "VOUCH_VENDOR_ACCESS_KEY")]
    access_key: String,
    /// The shared secret; of a list the first
    #[arg(long, env = "VOUCH_VENDOR_SECRET_KEYS", hide_env_values = true)]
    secret_key: String,
    /// The vendor's private key: PEM, or @path of a file
    #[arg(long, env = "VOUCH_SIMULATOR_PRIVATE_KEY", hide_env_values = true)]
    private_key: String,
    /// Key of the face photos, in hex; for software-secure only
    #[arg(long, env = "VOUCH_VENDOR_FACE_KEY", hide_env_values = true)]
    face_key: Option<String>,
    /// The wire format: sealed or software-secure; by default the latter if there is a face key
    #[arg(long, env = "VOUCH_VENDOR_FORMAT", value_parser = parse_format)]
    format: Option<VendorFormat>,
    /// A file to which what it sees is appended, one JSON object a line
    #[arg(long)]
    journal: Option<PathBuf>,
    /// How long a verdict takes
    #[arg(long, default_value = "1s", value_parser = humantime::parse_duration)]
    verdict_delay: Duration,
    /// A file that says how it behaves
    #[arg(long)]
    script: Option<PathBuf>,
}

/// Reads the name of a wire format.
pub(crate) fn parse_format(text: &str) -> Result<VendorFormat, String> {
    VendorFormat::parse(text).ok_or_else(|| "it must be sealed or software-secure".to_owned())
}

impl SimulateVendor {
    /// Serves until it is told to stop.
    ///
    /// # Errors
    ///
    /// When a key or the script can't be read, or the address is taken.
    pub async fn run(self) -> Result<()> {
        let simulator = start(self.config()?).await.context("the simulator can't start")?;
        println!("The simulated vendor listens on http://{}/ (its journal: http://{0}/_journal)", simulator.addr());
        super::super::dev::process::wait_for_signal().await?;
        simulator.shutdown().await.context("the simulator did not stop cleanly")?;
        Ok(())
    }

    fn config(&self) -> Result<SimulatorConfig> {
        let private_key = match self.private_key.strip_prefix('@') {
            Some(path) => std::fs::read(path).context("the private key's file can't be read")?,
            None => self.private_key.replace("\\n", "\n").into_bytes(),
        };
        let script = match &self.script {
            Some(path) => Script::parse(&std::fs::read(path).context("the script can't be read")?)?,
            None => Script::default(),
        };
        let secret = self.secret_key.split(',').next().unwrap_or_default().trim().to_owned();
        let by_default = if self.face_key.is_some() { VendorFormat::SoftwareSecure } else { VendorFormat::Sealed };
        let (secret_key, format) = match self.format.unwrap_or(by_default) {
            VendorFormat::Sealed => (parse_secret(&secret).context("the secret can't be used")?, WireFormat::Sealed),
            VendorFormat::SoftwareSecure => {
                let face_key = self.face_key.as_deref().context("software-secure needs --face-key")?.trim();
                let face_key = PhotoKey::parse_hex(face_key).context("the face key can't be used")?;
                (Secret::new(secret), WireFormat::SoftwareSecure { face_key })
            }
        };
        Ok(SimulatorConfig {
            listen: self.listen,
            access_key: self.access_key.clone(),
            secret_key,
            private_key: VendorPrivateKey::parse(&private_key).context("the private key can't be used")?,
            format,
            journal: self.journal.clone(),
            verdict_delay: self.verdict_delay,
            script,
            clock: Arc::new(|| SystemClock.now()),
        })
    }
}
