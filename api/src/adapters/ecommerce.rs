//! The e-commerce service, which sells tracks that have a product number (SKU).
//!
//! It is asked while the learner waits (`docs/adr/0009`): each call has one timeout, is tried once, and its
//! answer is bounded. Source: reference 5.3.

use std::{net::IpAddr, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{EncodingKey, Header, encode};
use poem::Request;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;
use url::Url;
use vouch_common::{config, store::users::User};

use crate::extract::{
    caller_address::{caller_address, connection_address},
    learner::cookies,
};

/// How long our token holds. Source: reference 5.3.
const TOKEN_LIFETIME: TimeDelta = TimeDelta::seconds(30);
/// How long the list of processors is used before it is asked for again.
const PROCESSORS_LIFETIME: TimeDelta = TimeDelta::minutes(1);
/// How long it is let alone after it did not answer: not every learner waits for the timeout.
const REST_AFTER_FAILURE: TimeDelta = TimeDelta::seconds(10);
/// Longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Most processors that are shown.
const PROCESSORS_MAX: usize = 20;

/// Why the service did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum EcommerceError {
    /// It can't be reached, or takes too long.
    #[error("the e-commerce service can't be reached")]
    Away(#[source] reqwest::Error),
    /// It refused.
    #[error("the e-commerce service answered {0}")]
    Status(u16),
    /// Its answer makes no sense.
    #[error("the e-commerce service's answer makes no sense")]
    Nonsense,
    /// Our token can't be made: a fault of the settings.
    #[error("the token for the e-commerce service can't be signed")]
    Token(#[source] jsonwebtoken::errors::Error),
    /// It did not answer a moment ago and is let alone.
    #[error("the e-commerce service did not answer a moment ago")]
    Resting,
}

impl EcommerceError {
    /// Whether it may be there again in a moment, by itself.
    #[must_use]
    pub const fn is_away(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Resting)
    }
}

/// For whom the service is asked. It has names and addresses, so it is never shown.
#[derive(Clone, Serialize)]
pub struct Claims {
    username: String,
    full_name: String,
    email: String,
    tracking_context: TrackingContext,
}

#[derive(Clone, Serialize)]
struct TrackingContext {
    #[serde(rename = "lms_user_id")]
    user_id: i64,
    #[serde(rename = "lms_client_id")]
    client_id: Option<String>,
    #[serde(rename = "lms_ip")]
    ip: Option<String>,
}

impl Claims {
    /// What we say of a learner who visits us.
    #[must_use]
    pub fn of_visit(request: &Request, learner: &User) -> Self {
        let ga_cookie = cookies(request).get("_ga").map(|cookie| cookie.value_str().to_owned());
        let address = caller_address(request).or_else(|| connection_address(request));
        Self::new(learner, ga_cookie.as_deref(), address)
    }

    /// What we say of a learner: who they are, and what the statistics of the shop know them by. `ga_cookie`
    /// is the cookie `_ga`, such as `GA1.2.1033501218.1368477899`.
    #[must_use]
    pub fn new(learner: &User, ga_cookie: Option<&str>, address: Option<IpAddr>) -> Self {
        let client_id = ga_cookie.and_then(|cookie| cookie.splitn(3, '.').nth(2)).filter(|id| !id.is_empty());
        Self {
            username: learner.username.clone(),
            full_name: learner.full_name.clone(),
            email: learner.email.clone(),
            tracking_context: TrackingContext {
                user_id: learner.id.0,
                client_id: client_id.map(str::to_owned),
                ip: address.map(|address| address.to_string()),
            },
        }
    }
}

#[derive(Serialize)]
struct SignedClaims<'a> {
    #[serde(flatten)]
    claims: &'a Claims,
    iss: &'a str,
    exp: i64,
}

/// What the browser takes to the payment page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaymentData<F = Map<String, Value>> {
    /// Who takes the money.
    #[serde(rename = "payment_processor_name")]
    pub processor_name: String,
    /// Its page.
    #[serde(rename = "payment_page_url")]
    pub page_url: String,
    /// The fields of the form.
    #[serde(rename = "payment_form_data")]
    pub form: F,
}

#[derive(Deserialize)]
struct BasketAnswer {
    payment_data: PaymentData,
}

/// The service. A clone is cheap and shares the list of processors.
#[derive(Clone)]
pub struct Ecommerce {
    client: reqwest::Client,
    settings: config::Ecommerce,
    processors: Arc<Mutex<Option<Processors>>>,
}

/// What the service said last, and when it last answered or failed to.
struct Processors {
    names: Option<Vec<String>>,
    answered_at: DateTime<Utc>,
    lifetime: TimeDelta,
}

impl Ecommerce {
    /// Prepares the client; nothing is connected yet.
    ///
    /// # Errors
    ///
    /// When no HTTP client can be made.
    pub fn new(settings: &config::Ecommerce) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().timeout(settings.timeout).redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self { client, settings: settings.clone(), processors: Arc::default() })
    }

    /// Puts a product into a basket and checks out: what the browser takes to the payment page. Source:
    /// reference 5.3.
    ///
    /// # Errors
    ///
    /// [`EcommerceError`]; the learner may try again, a basket by itself costs nothing.
    pub async fn check_out(
        &self,
        claims: &Claims,
        sku: &str,
        processor: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<PaymentData, EcommerceError> {
        let body = json!({ "products": [{ "sku": sku }], "checkout": true, "payment_processor_name": processor });
        let request = self.client.post(self.address("baskets/")).json(&body);
        let answer: BasketAnswer = self.ask(request, claims, now).await?;
        // The browser will go there by itself.
        let page = Url::parse(&answer.payment_data.page_url).map_err(|_| EcommerceError::Nonsense)?;
        if matches!(page.scheme(), "http" | "https") { Ok(answer.payment_data) } else { Err(EcommerceError::Nonsense) }
    }

    /// The names of the processors that the shop offers. They are asked for once a minute by each process;
    /// while the service is away the former ones hold.
    ///
    /// # Errors
    ///
    /// [`EcommerceError`] when the service is away and was never heard.
    pub async fn processors(&self, claims: &Claims, now: impl Fn() -> DateTime<Utc>) -> Result<Vec<String>, EcommerceError> {
        // Held while asking, so that many learners who come at once are one question.
        let mut known = self.processors.lock().await;
        if let Some(fresh) = known.as_ref().filter(|known| now() - known.answered_at < known.lifetime) {
            return fresh.names.clone().ok_or(EcommerceError::Resting);
        }
        let request = self.client.get(self.address("payment/processors/"));
        let answer = self.ask::<Vec<String>>(request, claims, now()).await;
        // Those who waited for the answer use it, however long it took.
        let answered_at = now();
        match answer {
            Ok(mut names) => {
                names.truncate(PROCESSORS_MAX);
                *known = Some(Processors { names: Some(names.clone()), answered_at, lifetime: PROCESSORS_LIFETIME });
                Ok(names)
            }
            Err(error) => {
                let names = known.take().and_then(|former| former.names);
                *known = Some(Processors { names: names.clone(), answered_at, lifetime: REST_AFTER_FAILURE });
                names.ok_or(error)
            }
        }
    }

    fn address(&self, path: &str) -> String {
        format!("{}/{path}", self.settings.api_url.as_str().trim_end_matches('/'))
    }

    async fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        request: reqwest::RequestBuilder,
        claims: &Claims,
        now: DateTime<Utc>,
    ) -> Result<T, EcommerceError> {
        let away = |error: reqwest::Error| EcommerceError::Away(error.without_url());
        let token = self.sign(claims, now)?;
        let mut answer = request.header("authorization", format!("JWT {token}")).send().await.map_err(away)?;
        if !answer.status().is_success() {
            return Err(EcommerceError::Status(answer.status().as_u16()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(away)? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(EcommerceError::Nonsense);
            }
            bytes.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&bytes).map_err(|_| EcommerceError::Nonsense)
    }

    fn sign(&self, claims: &Claims, now: DateTime<Utc>) -> Result<String, EcommerceError> {
        let claims = SignedClaims { claims, iss: &self.settings.issuer, exp: (now + TOKEN_LIFETIME).timestamp() };
        let key = EncodingKey::from_secret(self.settings.signing_key.expose());
        encode(&Header::default(), &claims, &key).map_err(EcommerceError::Token)
    }
}

#[cfg(test)]
mod tests {
    use vouch_common::domain::ids::UserId;

    use super::*;

    fn client_id(cookie: &str) -> Option<String> {
        let learner = User {
            id: UserId(7),
            username: "s".to_owned(),
            email: "s@example.com".to_owned(),
            full_name: "S".to_owned(),
            is_active: true,
            country: None,
        };
        Claims::new(&learner, Some(cookie), None).tracking_context.client_id
    }

    #[test]
    fn the_client_id_is_what_follows_the_second_point_of_the_cookie() {
        assert_eq!(client_id("GA1.2.1033501218.1368477899").as_deref(), Some("1033501218.1368477899"));
        for nonsense in ["", "GA1", "GA1.2", "GA1.2."] {
            assert_eq!(client_id(nonsense), None);
        }
    }
}
