//! Learners' tokens: a JWT of the learning platform, by a shared secret or by its published keys.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;
use vouch_common::{
    config::{Jwt, JwtClaims},
    domain::ids::UserId,
    operations::submit_photos::Submitter,
    store::users::User,
    telemetry::chain,
};

/// How long published keys are used before they are fetched again.
const KEYS_LIFETIME: Duration = Duration::from_mins(10);
/// Least time between two fetches, so that unknown key ids can't make us fetch all the time.
const FETCH_INTERVAL: Duration = Duration::from_secs(10);
/// How long a fetch may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 8192;
/// How much earlier than its begin a token is taken, in seconds: clocks differ.
const EARLY_SECONDS: f64 = 60.0;
/// Longest text taken from a token, in characters.
const CLAIM_LENGTH_MAX: usize = 255;

/// Why tokens can't be verified at all.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Neither a secret nor published keys are set.
    #[error("neither a secret nor published keys are set")]
    NotSet,
    /// The client that fetches keys can't be made.
    #[error("the HTTP client for the published keys can't be made")]
    SetUp(#[source] reqwest::Error),
}

/// No token can be judged: the published keys could not be fetched yet. Why was logged; try again in a moment.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the published keys can't be fetched")]
pub struct NoKeys;

/// Verifies tokens.
#[derive(Clone)]
pub struct TokenVerifier(Arc<Source>, JwtClaims);

enum Source {
    Secrets(Vec<DecodingKey>),
    Published(Published),
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    /// Seconds since 1970; they may have a fraction (RFC 7519, 2).
    exp: f64,
    nbf: Option<f64>,
    username: Option<String>,
    email: Option<String>,
    name: Option<String>,
}

impl TokenVerifier {
    /// Prepares the verifier.
    ///
    /// # Errors
    ///
    /// When the settings say of no way to verify.
    pub fn new(settings: Option<&Jwt>, claims: JwtClaims) -> Result<Self, TokenError> {
        let source = match settings.ok_or(TokenError::NotSet)? {
            Jwt::Secrets(secrets) => {
                Source::Secrets(secrets.iter().map(|secret| DecodingKey::from_secret(secret.expose())).collect())
            }
            Jwt::Jwks(url) => {
                let client = reqwest::Client::builder()
                    .timeout(FETCH_TIMEOUT)
                    .redirect(reqwest::redirect::Policy::none())
                    .build()
                    .map_err(TokenError::SetUp)?;
                Source::Published(Published { url: url.clone(), client, fetched: RwLock::default(), turn: Mutex::default() })
            }
        };
        Ok(Self(Arc::new(source), claims))
    }

    /// Who a token speaks for at `now`; `None` when it is not valid.
    ///
    /// # Errors
    ///
    /// [`NoKeys`] while the published keys can't be fetched.
    pub async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Option<Submitter>, NoKeys> {
        if token.len() > TOKEN_BYTES_MAX {
            return Ok(None);
        }
        let claims = match self.0.as_ref() {
            Source::Secrets(keys) => keys.iter().find_map(|key| self.read(token, key, Algorithm::HS256)),
            Source::Published(published) => {
                let Ok(header) = decode_header(token) else { return Ok(None) };
                if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
                    return Ok(None);
                }
                let key = published.key(header.kid.as_deref()).await?;
                key.and_then(|key| self.read(token, &key, header.alg))
            }
        };
        #[expect(clippy::cast_precision_loss, reason = "seconds of our age fit")]
        let now = now.timestamp() as f64;
        let is_in_time = |claims: &Claims| claims.exp > now && claims.nbf.is_none_or(|from| from <= now + EARLY_SECONDS);
        Ok(claims.filter(is_in_time).and_then(submitter))
    }

    /// The algorithm is ours to say, never the token's; and no key but ours is looked at, whatever the token offers.
    fn read(&self, token: &str, key: &DecodingKey, algorithm: Algorithm) -> Option<Claims> {
        let mut validation = Validation::new(algorithm);
        // Begin and end are compared with our own clock, above.
        validation.validate_exp = false;
        validation.validate_aud = self.1.audience.is_some();
        let mut required = vec!["exp", "sub"];
        if let Some(audience) = &self.1.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        if let Some(issuer) = &self.1.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        validation.set_required_spec_claims(&required);
        decode::<Claims>(token, key, &validation).ok().map(|data| data.claims)
    }
}

fn submitter(claims: Claims) -> Option<Submitter> {
    let user = UserId(claims.sub.parse().ok().filter(|id| *id > 0)?);
    let profile = match (claims.username, claims.email, claims.name) {
        (Some(username), Some(email), Some(full_name)) => {
            let is_sound = [&username, &email, &full_name]
                .iter()
                .all(|text| !text.is_empty() && text.chars().count() <= CLAIM_LENGTH_MAX && !text.chars().any(char::is_control));
            is_sound.then_some(User { id: user, username, email, full_name, is_active: true, country: None })
        }
        _ => None,
    };
    Some(Submitter { user, profile })
}

/// The keys that the platform publishes, fetched when they are asked for.
struct Published {
    url: Url,
    client: reqwest::Client,
    fetched: RwLock<Fetched>,
    /// Who has it fetches; nobody who needs no other keys waits for that.
    turn: Mutex<()>,
}

/// What was fetched last, and when that was tried last.
#[derive(Default)]
struct Fetched {
    at: Option<Instant>,
    keys: Option<Arc<JwkSet>>,
}

impl Fetched {
    fn is_older_than(&self, age: Duration) -> bool {
        self.at.is_none_or(|at| at.elapsed() > age)
    }

    /// Whether it is time to fetch, for a token whose key is known or not.
    fn is_due(&self, is_known: bool) -> bool {
        self.is_older_than(if is_known { KEYS_LIFETIME } else { FETCH_INTERVAL })
    }
}

impl Published {
    /// The key of that id; fetches when it is time.
    ///
    /// A platform that is away is asked once in [`FETCH_INTERVAL`], however many tokens come: those whose key is known
    /// pass meanwhile, and the others are told at once.
    async fn key(&self, kid: Option<&str>) -> Result<Option<DecodingKey>, NoKeys> {
        if let Some((key, is_due)) = self.look(kid) {
            let turn = if is_due { self.turn.try_lock().ok() } else { None };
            if turn.is_none() {
                return Ok(Some(key));
            }
            self.fetch().await;
        } else {
            let _turn = self.turn.lock().await;
            if self.read(|fetched| fetched.is_due(false)) {
                self.fetch().await;
            }
        }
        if self.read(|fetched| fetched.keys.is_none()) {
            return Err(NoKeys);
        }
        Ok(self.look(kid).map(|(key, _)| key))
    }

    /// A key that is known, and whether it is time to fetch again.
    fn look(&self, kid: Option<&str>) -> Option<(DecodingKey, bool)> {
        self.read(|fetched| Some((find(fetched.keys.as_ref()?, kid)?, fetched.is_due(true))))
    }

    fn read<T>(&self, of: impl FnOnce(&Fetched) -> T) -> T {
        of(&self.fetched.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Fetches; what was fetched before goes on holding while the platform is away.
    async fn fetch(&self) {
        let answer = self.ask().await;
        let mut fetched = self.fetched.write().unwrap_or_else(PoisonError::into_inner);
        fetched.at = Some(Instant::now());
        match answer {
            Ok(keys) => fetched.keys = Some(Arc::new(keys)),
            Err(cause) => {
                let has_former = fetched.keys.is_some();
                tracing::warn!(error = %chain(&cause.without_url()), has_former, "the published token keys can't be fetched");
            }
        }
    }

    async fn ask(&self) -> Result<JwkSet, reqwest::Error> {
        self.client.get(self.url.clone()).send().await?.error_for_status()?.json().await
    }
}

fn find(keys: &JwkSet, kid: Option<&str>) -> Option<DecodingKey> {
    let key = match kid {
        Some(kid) => keys.find(kid),
        None => keys.keys.first().filter(|_| keys.keys.len() == 1),
    };
    // A published secret would let anybody who reads it sign.
    key.and_then(|key| match key.algorithm {
        jsonwebtoken::jwk::AlgorithmParameters::RSA(_) | jsonwebtoken::jwk::AlgorithmParameters::EllipticCurve(_) => {
            DecodingKey::from_jwk(key).ok()
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use serde_json::{from_value, json};

    use super::*;

    /// Keys that were fetched so long ago.
    fn fetched(age: Duration) -> Published {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let key = json!({ "kty": "RSA", "kid": "ours", "n": "AQAB", "e": "AQAB" });
        let keys = Some(Arc::new(from_value(json!({ "keys": [key] })).expect("a set of keys")));
        let fetched = RwLock::new(Fetched { at: Instant::now().checked_sub(age), keys });
        let url = Url::parse("http://127.0.0.1:9/").expect("an address");
        Published { url, client: reqwest::Client::new(), fetched, turn: Mutex::default() }
    }

    #[test]
    fn while_somebody_fetches_a_key_that_is_known_is_used_and_an_unknown_one_waits() {
        for age in [FETCH_INTERVAL * 2, KEYS_LIFETIME * 2] {
            let published = fetched(age);
            let turn = published.turn.try_lock().expect("nobody fetches");
            assert!(matches!(published.key(Some("ours")).now_or_never(), Some(Ok(Some(_)))), "{age:?}");
            assert!(published.key(Some("other")).now_or_never().is_none(), "{age:?}");
            drop(turn);
        }
    }

    #[test]
    fn an_unknown_key_is_asked_for_once_in_a_while() {
        let published = fetched(FETCH_INTERVAL / 2);
        assert!(matches!(published.key(Some("other")).now_or_never(), Some(Ok(None))));
    }
}
