//! Where certificates are paid: the e-commerce service, or CyberSource from our own pages.

use std::time::Duration;

use url::Url;

use super::{read::Reader, settings::url};
use crate::secret::Secret;

/// The e-commerce service, which sells modes that have a SKU.
#[derive(Clone, Debug)]
pub struct Ecommerce {
    /// Its interface; our paths are added to it.
    pub api_url: Url,
    /// Signs our calls (HS256).
    pub signing_key: Secret,
    /// The issuer that our calls name.
    pub issuer: String,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// CyberSource, which takes payments for modes without a SKU.
#[derive(Clone, Debug)]
pub struct Cybersource {
    /// Names us to CyberSource.
    pub access_key: String,
    /// Our profile there.
    pub profile_id: String,
    /// Signs what we send and verifies what comes back.
    pub secret_key: Secret,
    /// Its payment page.
    pub purchase_url: Url,
}

/// Where certificates are paid; what is `None` is off.
#[derive(Clone, Debug, Default)]
pub struct Shop {
    /// The e-commerce service.
    pub ecommerce: Option<Ecommerce>,
    /// Where learners reach the shop, when they pay there instead of on our pages.
    pub checkout_url: Option<Url>,
    /// CyberSource.
    pub cybersource: Option<Cybersource>,
}

pub(super) fn read_shop(reader: &mut Reader<'_>) -> Option<Shop> {
    let ecommerce = read_ecommerce(reader);
    let checkout = read_checkout(reader);
    let cybersource = read_cybersource(reader);
    Some(Shop { ecommerce: ecommerce?, checkout_url: checkout?, cybersource: cybersource? })
}

/// In each of these the outer `None` is a fault; the inner one means off.
fn read_ecommerce(reader: &mut Reader<'_>) -> Option<Option<Ecommerce>> {
    let is_set = reader.text("VOUCH_ECOMMERCE_API_URL").is_some();
    let api_url = reader.parse("VOUCH_ECOMMERCE_API_URL", |text| url(text, &["http", "https"]));
    let signing_key = reader.text("VOUCH_ECOMMERCE_SIGNING_KEY");
    let issuer = reader.text("VOUCH_ECOMMERCE_ISSUER");
    let timeout = reader.duration("VOUCH_ECOMMERCE_TIMEOUT", Duration::from_mins(1));
    if !is_set {
        return Some(None);
    }
    if signing_key.is_none() {
        reader.fault("VOUCH_ECOMMERCE_SIGNING_KEY is missing: VOUCH_ECOMMERCE_API_URL is set".to_owned());
    }
    let signing_key = Secret::new(signing_key?);
    Some(Some(Ecommerce { api_url: api_url?, signing_key, issuer: issuer?, timeout: timeout? }))
}

fn read_checkout(reader: &mut Reader<'_>) -> Option<Option<Url>> {
    let is_set = reader.text("VOUCH_ECOMMERCE_PUBLIC_URL").is_some();
    let public_url = reader.parse("VOUCH_ECOMMERCE_PUBLIC_URL", |text| url(text, &["http", "https"]));
    let is_on = reader.switch("VOUCH_CHECKOUT_ON_ECOMMERCE")?;
    if is_on && !is_set {
        reader.fault("VOUCH_ECOMMERCE_PUBLIC_URL is missing: VOUCH_CHECKOUT_ON_ECOMMERCE is true".to_owned());
        return None;
    }
    if is_set { Some(Some(public_url?).filter(|_| is_on)) } else { Some(None) }
}

fn read_cybersource(reader: &mut Reader<'_>) -> Option<Option<Cybersource>> {
    const NAMES: [&str; 3] = ["VOUCH_CYBERSOURCE_ACCESS_KEY", "VOUCH_CYBERSOURCE_PROFILE_ID", "VOUCH_CYBERSOURCE_SECRET_KEY"];
    let [access_key, profile_id, secret_key] = NAMES.map(|name| reader.text(name));
    let is_url_set = reader.text("VOUCH_CYBERSOURCE_PURCHASE_URL").is_some();
    let purchase_url = reader.parse("VOUCH_CYBERSOURCE_PURCHASE_URL", |text| url(text, &["http", "https"]));
    match (access_key, profile_id, secret_key, is_url_set) {
        (None, None, None, false) => Some(None),
        (Some(access_key), Some(profile_id), Some(secret_key), true) => {
            Some(Some(Cybersource { access_key, profile_id, secret_key: Secret::new(secret_key), purchase_url: purchase_url? }))
        }
        _ => {
            reader.fault("the four VOUCH_CYBERSOURCE_ settings belong together: set all, or none".to_owned());
            None
        }
    }
}
