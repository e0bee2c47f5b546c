//! Who is signed in: the key, sealed under the master keys, in a cookie that only `/ops` gets back.
//!
//! Nothing is kept on our side. Each request asks the api again, so a revoked key is out at once.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use poem::{
    Request, Response,
    http::{HeaderValue, header},
};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use vouch_common::{
    ids,
    photos::{
        keys::MasterKeys,
        seal::{SealContext, open, seal},
    },
    secret::Secret,
};

/// The cookie of the session.
pub(super) const SESSION_COOKIE: &str = "vouch_ops";
/// The cookie of what is to be said once on the next page.
pub(super) const FLASH_COOKIE: &str = "vouch_ops_flash";
/// The cookie of the chosen colours.
pub(super) const THEME_COOKIE: &str = "vouch_ops_theme";

/// How long somebody stays signed in: a shift.
const SESSION: TimeDelta = TimeDelta::hours(8);
/// How long a message waits for the page that shows it, in seconds.
const FLASH_SECONDS: i64 = 60;
/// How long the colours are remembered, in seconds: a year.
const THEME_SECONDS: i64 = 31_536_000;

/// Somebody who is signed in.
pub(super) struct Session {
    pub(super) key: Secret,
    pub(super) csrf: String,
    until: DateTime<Utc>,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    key: String,
    csrf: String,
    until: i64,
}

impl Session {
    /// A fresh one.
    pub(super) fn begin(key: &str, now: DateTime<Utc>) -> Self {
        Self { key: Secret::new(key), csrf: URL_SAFE_NO_PAD.encode(ids::random_bytes::<24>()), until: now + SESSION }
    }

    pub(super) fn of(request: &Request, keys: &MasterKeys, now: DateTime<Utc>) -> Option<Self> {
        let cookie = request.cookie().get(SESSION_COOKIE)?;
        let plain = unseal(cookie.value_str(), "session", keys)?;
        let sealed: Sealed = serde_json::from_slice(&plain).ok()?;
        let until = DateTime::from_timestamp(sealed.until, 0)?;
        (now < until).then(|| Self { key: Secret::new(sealed.key), csrf: sealed.csrf, until })
    }

    pub(super) fn key(&self) -> &str {
        std::str::from_utf8(self.key.expose()).unwrap_or_default()
    }

    /// Whether a form carries this session's token.
    pub(super) fn owns(&self, token: &str) -> bool {
        bool::from(self.csrf.as_bytes().ct_eq(token.as_bytes()))
    }

    fn to_cookie(&self, keys: &MasterKeys) -> Option<String> {
        let sealed = Sealed { key: self.key().to_owned(), csrf: self.csrf.clone(), until: self.until.timestamp() };
        sealed_text(&serde_json::to_vec(&sealed).ok()?, "session", keys)
    }
}

/// What is to be said once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Flash {
    /// What happened.
    pub(super) text: String,
    /// What comes next.
    pub(super) more: String,
}

impl Flash {
    pub(super) fn of(request: &Request, keys: &MasterKeys) -> Option<Self> {
        let cookie = request.cookie().get(FLASH_COOKIE)?;
        serde_json::from_slice(&unseal(cookie.value_str(), "flash", keys)?).ok()
    }
}

fn sealed_text(plain: &[u8], kind: &str, keys: &MasterKeys) -> Option<String> {
    let context = SealContext { receipt: "console", kind };
    seal(keys, context, plain).ok().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}

fn unseal(text: &str, kind: &str, keys: &MasterKeys) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    open(keys, SealContext { receipt: "console", kind }, &bytes).ok().map(|plain| plain.to_vec())
}

/// Sets and takes away the console's cookies.
pub(super) struct Cookies<'a> {
    pub(super) keys: &'a MasterKeys,
    pub(super) is_https: bool,
}

impl Cookies<'_> {
    pub(super) fn sign_in(&self, response: &mut Response, session: &Session) {
        if let Some(value) = session.to_cookie(self.keys) {
            self.set(response, SESSION_COOKIE, &value, SESSION.num_seconds());
        }
    }

    pub(super) fn sign_out(&self, response: &mut Response) {
        self.set(response, SESSION_COOKIE, "", 0);
    }

    pub(super) fn tell(&self, response: &mut Response, flash: &Flash) {
        let value = serde_json::to_vec(flash).ok().and_then(|plain| sealed_text(&plain, "flash", self.keys));
        if let Some(value) = value {
            self.set(response, FLASH_COOKIE, &value, FLASH_SECONDS);
        }
    }

    pub(super) fn told(&self, response: &mut Response) {
        self.set(response, FLASH_COOKIE, "", 0);
    }

    pub(super) fn remember_theme(&self, response: &mut Response, theme: &'static str) {
        self.set(response, THEME_COOKIE, theme, THEME_SECONDS);
    }

    fn set(&self, response: &mut Response, name: &str, value: &str, seconds: i64) {
        let secure = if self.is_https { "; Secure" } else { "" };
        let cookie = format!("{name}={value}; Path=/ops; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
}

/// The colours that were chosen: `light`, `dark`, or `auto` as the system has it.
pub(super) fn theme(text: &str) -> &'static str {
    match text {
        "light" => "light",
        "dark" => "dark",
        _ => "auto",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(byte: u8) -> MasterKeys {
        use base64::engine::general_purpose::STANDARD;
        MasterKeys::parse(&format!("m:{}", STANDARD.encode([byte; 32]))).unwrap()
    }

    #[test]
    fn a_sealed_session_does_not_show_its_key_and_opens_with_the_same_master_key_only() {
        let session = Session::begin("vk_secret", DateTime::UNIX_EPOCH);
        let cookie = session.to_cookie(&keys(1)).unwrap();
        assert!(!cookie.contains("vk_secret"));
        let plain = unseal(&cookie, "session", &keys(1)).unwrap();
        assert!(String::from_utf8(plain).unwrap().contains("vk_secret"));
        assert!(unseal(&cookie, "session", &keys(2)).is_none());
        assert!(unseal(&cookie, "flash", &keys(1)).is_none(), "a cookie can't stand in for another");
    }

    #[test]
    fn a_form_of_another_session_is_not_taken() {
        let (one, two) = (Session::begin("a", DateTime::UNIX_EPOCH), Session::begin("a", DateTime::UNIX_EPOCH));
        assert!(one.owns(&one.csrf) && !one.owns(&two.csrf) && !one.owns(""));
    }
}
