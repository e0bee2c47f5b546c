//! The api of this world, as a learning platform and its learners call it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use jsonwebtoken::{EncodingKey, Header, encode};
use reqwest::Client;
use serde_json::{Value, json};
use vouch_common::clock::{Clock, SystemClock};

use super::cast::Learner;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How long a learner stays signed in.
pub const SESSION: TimeDelta = TimeDelta::hours(12);

/// Calls the api.
#[derive(Clone)]
pub struct Api {
    /// Where it is.
    pub url: String,
    key: String,
    jwt_secret: String,
    client: Client,
}

impl Api {
    /// Prepares the client.
    ///
    /// # Errors
    ///
    /// When no HTTP client can be made.
    pub fn new(url: &str, key: &str, jwt_secret: &str) -> Result<Self> {
        let client = Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).no_proxy().build()?;
        Ok(Self { url: url.to_owned(), key: key.to_owned(), jwt_secret: jwt_secret.to_owned(), client })
    }

    /// Pushes a document.
    ///
    /// # Errors
    ///
    /// When it is refused.
    pub async fn put(&self, path: &str, document: &Value) -> Result<()> {
        let url = format!("{}/api/v1/{path}", self.url);
        let response = self.client.put(url).bearer_auth(&self.key).json(document).send().await?;
        let status = response.status();
        ensure!(status.is_success(), "PUT {path} was answered {status}: {}", response.text().await.unwrap_or_default());
        Ok(())
    }

    /// Reads something.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let url = format!("{}/api/v1/{path}", self.url);
        Ok(self.client.get(url).bearer_auth(&self.key).send().await?.error_for_status()?.json().await?)
    }

    /// Submits photos as a learner; the receipt.
    ///
    /// # Errors
    ///
    /// When they are refused.
    pub async fn submit(&self, learner: i64, form: &Value) -> Result<String> {
        let url = format!("{}/verify_student/submit-photos/", self.url);
        let claims = json!({ "sub": learner.to_string() });
        let response = self.client.post(url).bearer_auth(self.token(claims)?).json(form).send().await?;
        let status = response.status();
        let receipt = response.headers().get("vouch-receipt-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
        ensure!(status.is_success(), "the submission was answered {status}: {}", response.text().await.unwrap_or_default());
        receipt.context("the answer has no Vouch-Receipt-Id")
    }

    /// The secret that signs sessions.
    #[must_use]
    pub fn jwt_secret(&self) -> &[u8] {
        self.jwt_secret.as_bytes()
    }

    /// The token with which a learner is signed in.
    ///
    /// # Errors
    ///
    /// When it can't be signed.
    pub fn session(&self, learner: &Learner) -> Result<String> {
        self.token(json!({
            "sub": learner.id.to_string(),
            "username": learner.username,
            "email": learner.email(),
            "name": learner.name,
        }))
    }

    fn token(&self, mut claims: Value) -> Result<String> {
        claims["exp"] = json!((SystemClock.now() + SESSION).timestamp());
        Ok(encode(&Header::default(), &claims, &EncodingKey::from_secret(self.jwt_secret.as_bytes()))?)
    }
}

/// A key as a part of a path.
#[must_use]
pub fn percent(key: &str) -> String {
    url::form_urlencoded::byte_serialize(key.as_bytes()).collect()
}

/// A JPEG as a data URL.
#[must_use]
pub fn data_url(jpeg: &[u8]) -> String {
    format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg))
}
