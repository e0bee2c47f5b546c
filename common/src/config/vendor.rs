//! How the vendor is spoken to.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};

use super::{
    catalogue::Program,
    read::Reader,
    settings::{Vendor, url},
};
use crate::{
    domain::{backoff::Backoff, vendor_format::VendorFormat},
    secret::Secret,
    vendor::{
        sealed::webhook::parse_secret,
        software_secure::{callback::SignatureMode, cipher::PhotoKey, rsa_keys::VendorPublicKey},
    },
};

/// Most secrets that are live at once: each costs a signature of every callback.
const SECRETS_MAX: usize = 10;

pub(super) fn read_vendor(reader: &mut Reader<'_>, program: Program) -> Option<Vendor> {
    let format =
        reader.parse("VOUCH_VENDOR_FORMAT", |text| VendorFormat::parse(text).ok_or("it must be sealed or software-secure"));
    let vendor_url = reader.parse("VOUCH_VENDOR_URL", |text| url(text, &["http", "https"]));
    let access_keys = reader.parse("VOUCH_VENDOR_ACCESS_KEY", read_access_keys);
    let secrets = reader.parse("VOUCH_VENDOR_SECRET_KEYS", |text| read_secrets(text, format));
    let former_secrets_until = reader.parse("VOUCH_VENDOR_FORMER_SECRETS_UNTIL", |text| {
        let moment = DateTime::parse_from_rfc3339(text).map(|moment| moment.with_timezone(&Utc));
        moment.map_err(|_| "it must be a moment such as 2026-12-31T00:00:00Z")
    });
    let public_key = reader.parse("VOUCH_VENDOR_RSA_PUBLIC_KEY", public_key);
    let face_key = read_face_key(reader, program, format);
    let timeout = reader.duration("VOUCH_VENDOR_TIMEOUT", Duration::from_mins(1));
    let tries_max = reader.number("VOUCH_VENDOR_MAX_TRIES", 1..=1000);
    let base = reader.duration("VOUCH_VENDOR_BACKOFF_BASE", Duration::from_hours(24));
    let cap = reader.duration("VOUCH_VENDOR_BACKOFF_CAP", Duration::from_hours(24 * 7));
    let signature_mode = reader.parse("VOUCH_CALLBACK_SIGNATURE", |text| match text {
        "enforce" => Ok(SignatureMode::Enforce),
        "audit" if format == Some(VendorFormat::Sealed) => {
            Err("audit is for the format software-secure only; the format sealed always enforces")
        }
        "audit" => Ok(SignatureMode::Audit),
        _ => Err("it must be enforce or audit"),
    });
    let (access_key, former_access_keys) = access_keys?;
    Some(Vendor {
        format: format?,
        url: vendor_url,
        access_key,
        former_access_keys,
        secrets: secrets?,
        former_secrets_until,
        public_key,
        face_key,
        timeout: timeout?,
        tries_max: tries_max?,
        backoff: Backoff { base: base?, cap: cap? },
        signature_mode: signature_mode?,
    })
}

/// The first, and those before it.
fn read_access_keys(text: &str) -> Result<(String, Vec<String>), &'static str> {
    let mut keys = text.split(',').map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned);
    let first = keys.next().ok_or("at least one is needed")?;
    let former: Vec<String> = keys.collect();
    let is_plain = |key: &String| key.chars().all(|c| c.is_ascii_graphic() && c != ':');
    if former.iter().chain([&first]).all(is_plain) { Ok((first, former)) } else { Err("it must have neither blanks nor colons") }
}

/// Only `sealed` knows the form of Standard Webhooks; `software-secure` takes every text as it is.
fn read_secrets(text: &str, format: Option<VendorFormat>) -> Result<Vec<Secret>, String> {
    let texts: Vec<&str> = text.split(',').map(str::trim).filter(|secret| !secret.is_empty()).collect();
    if texts.is_empty() {
        return Err("at least one secret is needed".to_owned());
    }
    if texts.len() > SECRETS_MAX {
        return Err(format!("at most {SECRETS_MAX} secrets may be live; take the oldest away"));
    }
    let read = |(secret, place): (&str, usize)| match format {
        Some(VendorFormat::Sealed) => parse_secret(secret).map_err(|fault| format!("secret {place}: {fault}")),
        Some(VendorFormat::SoftwareSecure) | None => Ok(Secret::new(secret)),
    };
    texts.into_iter().zip(1..).map(read).collect()
}

/// Faces have one key in `software-secure`, and each its own in `sealed`.
fn read_face_key(reader: &mut Reader<'_>, program: Program, format: Option<VendorFormat>) -> Option<PhotoKey> {
    let name = "VOUCH_VENDOR_FACE_KEY";
    if format == Some(VendorFormat::Sealed) {
        return None;
    }
    let is_missing = reader.text(name).is_none();
    if is_missing && program == Program::Worker && format == Some(VendorFormat::SoftwareSecure) {
        reader.fault(format!("{name} is missing: the format software-secure has one key for all face photos, in hex"));
    }
    reader.parse(name, PhotoKey::parse_hex)
}

/// The key itself, or `@path` of a file that holds it; DER may stand in base64.
fn public_key(text: &str) -> Result<VendorPublicKey, String> {
    let bytes = match text.strip_prefix('@') {
        Some(path) => std::fs::read(path).map_err(|error| format!("the file can't be read: {error}"))?,
        None if text.starts_with("-----") || text.starts_with("ssh-") => text.replace("\\n", "\n").into_bytes(),
        None => STANDARD.decode(text).map_err(|_| "it is neither PEM, OpenSSH, DER in base64 nor @path".to_owned())?,
    };
    VendorPublicKey::parse(&bytes).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::{Program, Settings, Source};
    use crate::domain::vendor_format::VendorFormat;

    const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// Reads settings that lack a few on purpose; gives the faults about the vendor.
    fn faults(program: Program, pairs: &[(&str, &str)]) -> Vec<String> {
        let usual =
            [("VOUCH_VENDOR_URL", "http://vendor/"), ("VOUCH_VENDOR_ACCESS_KEY", "key"), ("VOUCH_VENDOR_SECRET_KEYS", WHSEC)];
        let source = Source::from_pairs(usual.into_iter().chain(pairs.iter().copied()));
        let error = Settings::read(&source, program).expect_err("other settings are missing");
        let is_asked = |fault: &String| fault.contains("VOUCH_VENDOR") || fault.contains("VOUCH_CALLBACK");
        error.faults.into_iter().filter(|fault| is_asked(fault) && !fault.contains("RSA_PUBLIC_KEY")).collect()
    }

    #[test]
    fn sealed_is_the_default_and_needs_no_face_key() {
        assert!(faults(Program::Worker, &[]).is_empty());
        assert!(faults(Program::Api, &[]).is_empty());
        assert!(faults(Program::Worker, &[("VOUCH_VENDOR_FORMAT", "sealed"), ("VOUCH_VENDOR_FACE_KEY", "not hex")]).is_empty());
    }

    #[test]
    fn software_secure_needs_a_face_key_in_the_worker_only() {
        let format = ("VOUCH_VENDOR_FORMAT", VendorFormat::SoftwareSecure.as_str());
        let missing = faults(Program::Worker, &[format]);
        assert_eq!(missing.len(), 1);
        assert!(missing[0].starts_with("VOUCH_VENDOR_FACE_KEY is missing: "), "{missing:?}");
        assert!(faults(Program::Api, &[format]).is_empty());
        let odd = faults(Program::Worker, &[format, ("VOUCH_VENDOR_FACE_KEY", "xyz")]);
        assert_eq!(odd, ["VOUCH_VENDOR_FACE_KEY is not right: the photo key is not hexadecimal"]);
    }

    #[test]
    fn another_format_is_named_with_those_that_are_known() {
        let odd = faults(Program::Worker, &[("VOUCH_VENDOR_FORMAT", "fax")]);
        assert_eq!(odd, ["VOUCH_VENDOR_FORMAT is not right: it must be sealed or software-secure"]);
    }

    #[test]
    fn audit_is_refused_with_sealed() {
        let audit = ("VOUCH_CALLBACK_SIGNATURE", "audit");
        let odd = faults(Program::Api, &[audit]);
        assert!(odd.len() == 1 && odd[0].starts_with("VOUCH_CALLBACK_SIGNATURE is not right: audit is for"), "{odd:?}");
        assert!(faults(Program::Api, &[audit, ("VOUCH_VENDOR_FORMAT", "software-secure")]).is_empty());
    }

    #[test]
    fn a_weak_or_broken_secret_of_sealed_is_named_by_its_place_and_never_repeated() {
        for (secrets, place) in [("hush-hush", 1), (&*format!("{WHSEC},whsec_!!!"), 2), ("whsec_aHVzaA==", 1)] {
            let odd = faults(Program::Api, &[("VOUCH_VENDOR_SECRET_KEYS", secrets)]);
            let expected = format!("VOUCH_VENDOR_SECRET_KEYS is not right: secret {place}: ");
            assert!(odd.len() == 1 && odd[0].starts_with(&expected), "{odd:?}");
            assert!(!odd[0].contains("hush") && !odd[0].contains("!!!"), "{odd:?}");
        }
        let many = [WHSEC; 11].join(",");
        assert!(faults(Program::Api, &[("VOUCH_VENDOR_SECRET_KEYS", &many)])[0].contains("at most 10"));
        assert!(
            faults(Program::Api, &[("VOUCH_VENDOR_FORMAT", "software-secure"), ("VOUCH_VENDOR_SECRET_KEYS", "hush")]).is_empty()
        );
    }
}
