//! The settings as values.

use std::{fmt, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use super::{
    catalogue::Program,
    limits::{Limits, read_limits},
    read::{ConfigError, Reader, Source},
    shop::{Shop, read_shop},
    vendor::read_vendor,
};
use crate::{
    domain::{
        backoff::Backoff,
        renewal::Reminders,
        retention::{Period, Periods},
        vendor_format::VendorFormat,
        verification::Validity,
    },
    photos::keys::MasterKeys,
    receipts::ReceiptKey,
    secret::Secret,
    vendor::software_secure::{callback::SignatureMode, cipher::PhotoKey, rsa_keys::VendorPublicKey},
};

/// What a learner's token must say beside whom it is for; `None`: anything.
#[derive(Clone, Debug, Default)]
pub struct JwtClaims {
    /// The audience (`aud`).
    pub audience: Option<String>,
    /// The issuer (`iss`).
    pub issuer: Option<String>,
}

/// How learners' tokens are verified.
#[derive(Clone, Debug)]
pub enum Jwt {
    /// With shared secrets (HS256): that of the platform, and the one that it had before.
    Secrets(Vec<Secret>),
    /// With the platform's published keys (RS256, ES256).
    Jwks(Url),
}

/// The vendor. What only the worker needs is `None` in the api.
#[derive(Clone, Debug)]
pub struct Vendor {
    /// The wire format.
    pub format: VendorFormat,
    /// Where attempts are sent.
    pub url: Option<Url>,
    /// Names us to the vendor.
    pub access_key: String,
    /// What named us before, and is still taken in callbacks.
    pub former_access_keys: Vec<String>,
    /// Shared secrets as the format's signatures take them, newest first.
    pub secrets: Vec<Secret>,
    /// When all secrets but the first end (UTC); `None`: when they are taken off the list.
    pub former_secrets_until: Option<DateTime<Utc>>,
    /// The vendor's public key.
    pub public_key: Option<VendorPublicKey>,
    /// Key of the face photos, in `software-secure` only.
    pub face_key: Option<PhotoKey>,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Tries after which an operator decides.
    pub tries_max: u32,
    /// Waits between tries.
    pub backoff: Backoff,
    /// What happens to a callback with a bad signature.
    pub signature_mode: SignatureMode,
}

impl Vendor {
    /// The secrets that count at `now`, newest first.
    #[must_use]
    pub fn secrets_at(&self, now: DateTime<Utc>) -> &[Secret] {
        if self.has_ended_secrets(now) { self.secrets.get(..1).unwrap_or_default() } else { &self.secrets }
    }

    /// Whether secrets are on the list that count no more.
    #[must_use]
    pub fn has_ended_secrets(&self, now: DateTime<Utc>) -> bool {
        self.secrets.len() > 1 && self.former_secrets_until.is_some_and(|until| until <= now)
    }
}

/// Outgoing mail.
#[derive(Clone)]
pub struct Mail {
    /// The server, with its password if it needs one.
    pub smtp_url: Secret,
    /// The sender.
    pub from: String,
}

/// Outgoing events.
#[derive(Clone, Debug)]
pub struct Analytics {
    /// The write key.
    pub key: Secret,
    /// The service.
    pub url: Url,
}

/// Country rules.
#[derive(Clone, Debug, Default)]
pub struct EmbargoRules {
    /// Whether they hold.
    pub is_on: bool,
    /// Tells the country of an address.
    pub geoip_db: Option<PathBuf>,
}

/// All settings of a program.
#[derive(Clone)]
pub struct Settings {
    /// Postgres.
    pub database_url: Secret,
    /// Most connections to it.
    pub database_connections: u32,
    /// How many photos are inspected at a time; without it as many as there are cores.
    pub photos_at_once: Option<u32>,
    /// Redis.
    pub redis_url: Secret,
    /// The object store.
    pub storage_url: Url,
    /// Keys that seal photos.
    pub master_keys: MasterKeys,
    /// How others reach the api.
    pub public_url: Url,
    /// Where the api listens.
    pub listen: SocketAddr,
    /// The platform's name.
    pub platform_name: String,
    /// Where people sign in.
    pub login_url: String,
    /// The learner's dashboard.
    pub dashboard_url: String,
    /// The root of the courseware, without a slash at its end.
    pub courseware_url: String,
    /// Where learners can turn to.
    pub support_email: String,
    /// How long approvals count.
    pub validity: Validity,
    /// Mails about approvals that have expired.
    pub reminders: Reminders,
    /// How long what is known of people is kept; the worker only.
    pub retention: Periods,
    /// Signs receipts of erasures; without it nobody is erased.
    pub receipt_key: Option<Arc<ReceiptKey>>,
    /// How learners' tokens are verified; the api only.
    pub jwt: Option<Jwt>,
    /// What learners' tokens must say; the api only.
    pub jwt_claims: JwtClaims,
    /// An api key with every right.
    pub bootstrap_api_key: Option<Secret>,
    /// The vendor.
    pub vendor: Vendor,
    /// Outgoing mail; the worker only.
    pub mail: Option<Mail>,
    /// Outgoing events, if they are on.
    pub analytics: Option<Analytics>,
    /// Country rules; the api only.
    pub embargo: EmbargoRules,
    /// Where certificates are paid; the api only.
    pub shop: Shop,
    /// How much one caller may take; the api only.
    pub limits: Option<Limits>,
    /// Where spans are sent, if anywhere.
    pub otlp_endpoint: Option<Url>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("listen", &self.listen).finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads the settings of a program.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with everything that is wrong or missing; stop and show it.
    pub fn read(source: &Source, program: Program) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(source, program);
        let value = read_all(&mut reader, program);
        reader.finish(value)
    }
}

fn read_all(reader: &mut Reader<'_>, program: Program) -> Option<Settings> {
    // Every part is read before any `?`, so that all faults are found.
    let database_url = reader.parse("DATABASE_URL", |text| address(text, &["postgres", "postgresql"]));
    let redis_url = reader.parse("REDIS_URL", |text| address(text, &["redis", "rediss"]));
    let storage_url = reader.parse("VOUCH_STORAGE_URL", |text| url(text, &["file", "s3"]));
    let master_keys = reader.parse("VOUCH_MASTER_KEYS", MasterKeys::parse);
    let public_url = reader.parse("VOUCH_PUBLIC_URL", |text| url(text, &["http", "https"]));
    let listen = reader.parse("VOUCH_LISTEN", |text| text.parse().map_err(|_| "it must be address:port"));
    let connections = reader.number("VOUCH_DATABASE_CONNECTIONS", 2..=500);
    let photos_at_once = reader.number("VOUCH_PHOTOS_AT_ONCE", 1..=256);
    let texts = read_texts(reader);
    let validity = read_validity(reader);
    let reminders = if program == Program::Worker { read_reminders(reader) } else { Some(Reminders::NONE) };
    let retention = read_retention(reader);
    let receipt_key = read_receipt_key(reader);
    let vendor = read_vendor(reader, program);
    let mail = (program == Program::Worker).then(|| read_mail(reader));
    let analytics = read_analytics(reader);
    let jwt = (program == Program::Api).then(|| read_jwt(reader));
    let embargo = if program == Program::Api { read_embargo(reader) } else { Some(EmbargoRules::default()) };
    let shop = if program == Program::Api { read_shop(reader) } else { Some(Shop::default()) };
    let jwt_claims = JwtClaims { audience: reader.text("VOUCH_JWT_AUDIENCE"), issuer: reader.text("VOUCH_JWT_ISSUER") };
    let limits = (program == Program::Api).then(|| read_limits(reader));
    let otlp_endpoint = reader.parse("VOUCH_OTLP_ENDPOINT", |text| url(text, &["http", "https"]));
    let bootstrap = reader.text("VOUCH_BOOTSTRAP_API_KEY");
    if bootstrap.as_ref().is_some_and(|key| key.len() < 16) {
        reader.fault("VOUCH_BOOTSTRAP_API_KEY is not right: it must have at least 16 characters".to_owned());
    }
    let [platform_name, login_url, dashboard_url, courseware_url, support_email] = texts?;
    Some(Settings {
        database_url: database_url?,
        database_connections: connections?,
        photos_at_once,
        redis_url: redis_url?,
        storage_url: storage_url?,
        master_keys: master_keys?,
        public_url: public_url?,
        listen: listen?,
        platform_name,
        login_url,
        dashboard_url,
        courseware_url: courseware_url.trim_end_matches('/').to_owned(),
        support_email,
        validity: validity?,
        reminders: reminders?,
        retention: Periods { days_good_for: validity?.days_good_for, ..retention? },
        receipt_key: receipt_key?,
        jwt: jwt.flatten(),
        jwt_claims,
        bootstrap_api_key: bootstrap.map(Secret::new),
        vendor: vendor?,
        mail: mail.flatten(),
        analytics: analytics?,
        embargo: embargo?,
        shop: shop?,
        limits: limits.flatten(),
        otlp_endpoint,
    })
}

fn read_texts(reader: &mut Reader<'_>) -> Option<[String; 5]> {
    let names = ["VOUCH_PLATFORM_NAME", "VOUCH_LOGIN_URL", "VOUCH_DASHBOARD_URL", "VOUCH_COURSEWARE_URL", "VOUCH_SUPPORT_EMAIL"];
    let [platform, login, dashboard, courseware, support] = names.map(|name| reader.text(name));
    Some([platform?, login?, dashboard?, courseware?, support?])
}

fn read_validity(reader: &mut Reader<'_>) -> Option<Validity> {
    let days_good_for = reader.number("VOUCH_DAYS_GOOD_FOR", 1..=36_500);
    let expiring_soon_days = reader.number("VOUCH_EXPIRING_SOON_DAYS", 0..=36_500);
    Some(Validity { days_good_for: days_good_for?, expiring_soon_days: expiring_soon_days? })
}

fn read_reminders(reader: &mut Reader<'_>) -> Option<Reminders> {
    let mails = reader.number("VOUCH_EXPIRY_MAILS", 0..=100);
    let every = reader.duration("VOUCH_EXPIRY_MAIL_EVERY", Duration::from_hours(24 * 365));
    Some(Reminders { mails: mails?, every: TimeDelta::from_std(every?).unwrap_or(TimeDelta::MAX) })
}

/// Callbacks are kept as long as the vendor may repeat them.
fn read_retention(reader: &mut Reader<'_>) -> Option<Periods> {
    let mut days = |period: Period, least| reader.number(period.setting(), least..=36_500);
    let (photos, callbacks, details) = (days(Period::Photos, 1), days(Period::Callbacks, 30), days(Period::Details, 1));
    let (payers, audit) = (days(Period::Payers, 30), days(Period::Audit, 30));
    Some(Periods { photos: photos?, callbacks: callbacks?, details: details?, payers: payers?, audit: audit?, days_good_for: 0 })
}

/// The outer `None` is a fault; the inner one means off.
fn read_receipt_key(reader: &mut Reader<'_>) -> Option<Option<Arc<ReceiptKey>>> {
    if reader.text("VOUCH_ERASURE_KEY").is_none() {
        return Some(None);
    }
    reader.parse("VOUCH_ERASURE_KEY", ReceiptKey::parse).map(|key| Some(Arc::new(key)))
}

fn read_jwt(reader: &mut Reader<'_>) -> Option<Jwt> {
    let secret = reader.text("VOUCH_JWT_SECRET");
    let former = reader.text("VOUCH_JWT_FORMER_SECRET");
    if former.is_some() && secret.is_none() {
        reader.fault("VOUCH_JWT_FORMER_SECRET is set without VOUCH_JWT_SECRET: take it away".to_owned());
    }
    let jwks = reader.parse("VOUCH_JWT_JWKS_URL", |text| url(text, &["http", "https"]));
    match (secret, jwks) {
        (Some(_), Some(_)) => {
            reader.fault("VOUCH_JWT_SECRET and VOUCH_JWT_JWKS_URL are both set: take one away".to_owned());
            None
        }
        (Some(secret), None) => Some(Jwt::Secrets([Some(secret), former].into_iter().flatten().map(Secret::new).collect())),
        (None, Some(url)) => Some(Jwt::Jwks(url)),
        (None, None) => {
            reader.fault("VOUCH_JWT_SECRET or VOUCH_JWT_JWKS_URL is missing: how learners' tokens are verified".to_owned());
            None
        }
    }
}

fn read_mail(reader: &mut Reader<'_>) -> Option<Mail> {
    let smtp_url = reader.parse("VOUCH_SMTP_URL", |text| address(text, &["smtp", "smtps"]));
    let from = reader.parse("VOUCH_MAIL_FROM", sender);
    Some(Mail { smtp_url: smtp_url?, from: from? })
}

/// The outer `None` is a fault; the inner one means off.
fn read_analytics(reader: &mut Reader<'_>) -> Option<Option<Analytics>> {
    let url = reader.parse("VOUCH_SEGMENT_URL", |text| url(text, &["http", "https"]))?;
    Some(reader.text("VOUCH_SEGMENT_KEY").map(|key| Analytics { key: Secret::new(key), url }))
}

fn read_embargo(reader: &mut Reader<'_>) -> Option<EmbargoRules> {
    let is_on = reader.switch("VOUCH_EMBARGO");
    let geoip_db = reader.text("VOUCH_GEOIP_DB").map(PathBuf::from);
    Some(EmbargoRules { is_on: is_on?, geoip_db })
}

pub(super) fn url(text: &str, schemes: &[&str]) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "it must be a whole address".to_owned())?;
    if schemes.contains(&url.scheme()) { Ok(url) } else { Err(format!("it must start with {}://", schemes.join(":// or "))) }
}

/// A sender, as far as it can be told without a mailer: `name@host`, or `Name <name@host>`.
fn sender(text: &str) -> Result<String, &'static str> {
    let address = text.strip_suffix('>').map_or(Some(text), |named| named.rsplit_once('<').map(|(_, address)| address));
    let is_address = |address: &str| {
        let parts = address.rsplit_once('@');
        parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty()) && !address.contains([' ', '<', '>', ','])
    };
    let found = address.filter(|address| is_address(address));
    found.map(|_| text.to_owned()).ok_or("it must be name@host, or Name <name@host>")
}

/// An address that may hold a password.
fn address(text: &str, schemes: &[&str]) -> Result<Secret, String> {
    url(text, schemes).map(|_| Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::sender;

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        for good in ["vouch@example.com", "Vouch <vouch@example.com>", "\"Vouch, Inc.\" <vouch@localhost>"] {
            assert_eq!(sender(good).as_deref(), Ok(good));
        }
        for bad in
            ["vouch", "Vouch <vouch>", "vouch@", "@example.com", "Vouch vouch@example.com", "a@b, c@d", "vouch@example.com>"]
        {
            assert!(sender(bad).is_err(), "{bad}");
        }
    }
}
