//! Learners' tokens: a JWT of the learning platform, by a shared secret or by its published keys.

use std::{
    sync::Arc,
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
const EARLY_SECONDS: i64 = 60;
/// Longest text taken from a token, in characters.
const CLAIM_LENGTH_MAX: usize = 255;

/// Why a token can't be verified at all.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Neither a secret nor published keys are set.
    #[error("neither a secret nor published keys are set")]
    NotSet,
    /// The keys can't be fetched.
    #[error("the published keys can't be fetched")]
    Fetch(#[source] reqwest::Error),
}

/// Verifies tokens.
#[derive(Clone)]
pub struct TokenVerifier(Arc<Source>, JwtClaims);

enum Source {
    Secrets(Vec<DecodingKey>),
    Published { url: Url, client: reqwest::Client, fetched: Mutex<Fetched> },
}

#[derive(Default)]
struct Fetched {
    at: Option<Instant>,
    keys: Option<JwkSet>,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
    nbf: Option<i64>,
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
                    .map_err(TokenError::Fetch)?;
                Source::Published { url: url.clone(), client, fetched: Mutex::default() }
            }
        };
        Ok(Self(Arc::new(source), claims))
    }

    /// Who a token speaks for at `now`; `None` when it is not valid.
    ///
    /// # Errors
    ///
    /// When the published keys can't be fetched.
    pub async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Option<Submitter>, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Ok(None);
        }
        let claims = match self.0.as_ref() {
            Source::Secrets(keys) => keys.iter().find_map(|key| self.read(token, key, Algorithm::HS256)),
            Source::Published { url, client, fetched } => {
                let Ok(header) = decode_header(token) else { return Ok(None) };
                if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
                    return Ok(None);
                }
                let key = published_key(url, client, fetched, header.kid.as_deref()).await?;
                key.and_then(|key| self.read(token, &key, header.alg))
            }
        };
        let is_in_time = |claims: &Claims| {
            claims.exp > now.timestamp() && claims.nbf.is_none_or(|from| from <= now.timestamp() + EARLY_SECONDS)
        };
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

async fn published_key(
    url: &Url,
    client: &reqwest::Client,
    fetched: &Mutex<Fetched>,
    kid: Option<&str>,
) -> Result<Option<DecodingKey>, TokenError> {
    let mut fetched = fetched.lock().await;
    let age = fetched.at.map(|at| at.elapsed());
    let is_known = fetched.keys.as_ref().is_some_and(|keys| find(keys, kid).is_some());
    let is_stale = age.is_none_or(|age| age > KEYS_LIFETIME);
    if is_stale || (!is_known && age.is_none_or(|age| age > FETCH_INTERVAL)) {
        match fetch(url, client).await {
            Ok(keys) => *fetched = Fetched { at: Some(Instant::now()), keys: Some(keys) },
            // What was fetched before goes on holding while the platform is away.
            Err(cause) if fetched.keys.is_some() => {
                tracing::warn!(error = %cause.without_url(), "the published token keys can't be fetched; the former ones hold");
                fetched.at = Some(Instant::now());
            }
            Err(cause) => return Err(TokenError::Fetch(cause.without_url())),
        }
    }
    Ok(fetched.keys.as_ref().and_then(|keys| find(keys, kid)))
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

async fn fetch(url: &Url, client: &reqwest::Client) -> Result<JwkSet, reqwest::Error> {
    client.get(url.clone()).send().await?.error_for_status()?.json().await
}
