//! Analytics, by Segment's HTTP interface. Source: reference 9.

use std::time::Duration;

use chrono::SecondsFormat;
use reqwest::{Client, StatusCode, redirect};
use serde_json::{Value, json};
use url::Url;
use vouch_common::{
    config,
    domain::{event::is_page_view, ids::UserId},
    secret::Secret,
    store::analytics_events::KeptEvent,
};

use crate::runtime::job::{Classify, Verdict};

/// How long the service may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Speaks with Segment.
pub struct Analytics {
    http: Client,
    url: Url,
    key: Secret,
}

impl Analytics {
    /// Prepares the client.
    ///
    /// # Errors
    ///
    /// When the address can't be used.
    pub fn new(settings: &config::Analytics) -> Result<Self, AnalyticsError> {
        let http =
            Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none()).build().map_err(AnalyticsError::Unreachable)?;
        let url = settings.url.join("v1/batch").map_err(|_| AnalyticsError::Address)?;
        Ok(Self { http, url, key: settings.key.clone() })
    }

    /// Sends a learner's events, oldest first, in one request: the service takes all of them or none.
    ///
    /// # Errors
    ///
    /// See [`AnalyticsError`].
    pub async fn send(&self, user: UserId, events: &[KeptEvent]) -> Result<(), AnalyticsError> {
        let key = String::from_utf8_lossy(self.key.expose());
        let batch: Vec<Value> = events.iter().map(|event| document(user, event)).collect();
        let post = self.http.post(self.url.clone()).basic_auth(key, Some("")).json(&json!({ "batch": batch }));
        let status = post.send().await.map_err(|error| AnalyticsError::Unreachable(error.without_url()))?.status();
        if status.is_success() { Ok(()) } else { Err(AnalyticsError::Status(status)) }
    }
}

/// The event as the service reads it. The address and the visitor's id at Google are not kept, so the
/// context has them as null. Source: reference 9.
fn document(user: UserId, event: &KeptEvent) -> Value {
    let mut document = json!({
        "type": "track",
        "userId": user.to_string(),
        "event": event.name,
        "properties": event.properties,
        "context": { "ip": null, "Google Analytics": { "clientId": null } },
        "messageId": event.message_id,
        "timestamp": event.at.to_rfc3339_opts(SecondsFormat::Millis, true),
    });
    if is_page_view(&event.name) {
        document["type"] = json!("page");
        document["category"] = event.properties["category"].clone();
        document["name"] = document["event"].take();
    }
    document
}

/// Why events were not sent.
#[derive(Debug, thiserror::Error)]
pub enum AnalyticsError {
    /// The service's address.
    #[error("the analytics address can't be used")]
    Address,
    /// The network or a timeout.
    #[error("the analytics service gave no answer")]
    Unreachable(#[source] reqwest::Error),
    /// It did not take the events.
    #[error("the analytics service answered {0}")]
    Status(StatusCode),
}

impl Classify for AnalyticsError {
    fn class(&self) -> &'static str {
        match self {
            Self::Address => "settings",
            Self::Unreachable(_) => "analytics_unreachable",
            Self::Status(_) => "analytics_status",
        }
    }

    fn code(&self) -> String {
        if let Self::Status(status) = self { status.as_str().to_owned() } else { String::new() }
    }

    fn verdict(&self) -> Verdict {
        match self {
            Self::Status(status) if status.is_client_error() && !matches!(status.as_u16(), 408 | 425 | 429) => Verdict::GiveUp,
            Self::Status(_) | Self::Unreachable(_) => Verdict::Retry,
            Self::Address => Verdict::GiveUp,
        }
    }
}
