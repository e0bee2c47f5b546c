//! Analytics, by Segment's HTTP interface. Source: reference 9.

use std::time::Duration;

use chrono::SecondsFormat;
use reqwest::{Client, StatusCode, redirect};
use serde_json::{Value, json};
use url::Url;
use vouch_common::{
    config,
    domain::{
        effect::AnalyticsEvent,
        ids::{ReceiptId, UserId},
    },
    operations::load_work::EventFacts,
    secret::Secret,
};

use crate::runtime::job::{Classify, Verdict};

/// How long the service may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An event with what it says.
#[derive(Debug, Clone)]
pub struct Event {
    /// What happened.
    pub event: AnalyticsEvent,
    /// To whom.
    pub user: UserId,
    /// The attempt.
    pub receipt: ReceiptId,
    /// When and where.
    pub facts: EventFacts,
}

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
        let url = settings.url.join("v1/track").map_err(|_| AnalyticsError::Address)?;
        Ok(Self { http, url, key: settings.key.clone() })
    }

    /// Sends an event.
    ///
    /// # Errors
    ///
    /// See [`AnalyticsError`].
    pub async fn track(&self, event: &Event) -> Result<(), AnalyticsError> {
        let key = String::from_utf8_lossy(self.key.expose());
        let post = self.http.post(self.url.clone()).basic_auth(key, Some("")).json(&document(event));
        let status = post.send().await.map_err(|error| AnalyticsError::Unreachable(error.without_url()))?.status();
        if status.is_success() { Ok(()) } else { Err(AnalyticsError::Status(status)) }
    }
}

/// The event as the service reads it.
fn document(event: &Event) -> Value {
    let name = match event.event {
        AnalyticsEvent::VerifySubmitted => "edx.bi.verify.submitted",
        AnalyticsEvent::ReverifySubmitted => "edx.bi.reverify.submitted",
    };
    let mut properties = json!({ "category": "verification" });
    if let (AnalyticsEvent::ReverifySubmitted, Some((course, checkpoint))) = (event.event, &event.facts.checkpoint) {
        properties["label"] = json!(course);
        properties["checkpoint"] = json!(checkpoint);
    }
    json!({
        "userId": event.user.to_string(),
        "event": name,
        "properties": properties,
        "messageId": format!("vouch-{}-{name}", event.receipt),
        "timestamp": event.facts.at.to_rfc3339_opts(SecondsFormat::Millis, true),
    })
}

/// Why an event was not sent.
#[derive(Debug, thiserror::Error)]
pub enum AnalyticsError {
    /// The service's address.
    #[error("the analytics address can't be used")]
    Address,
    /// The network or a timeout.
    #[error("the analytics service gave no answer")]
    Unreachable(#[source] reqwest::Error),
    /// It did not take the event.
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

    fn verdict(&self) -> Verdict {
        match self {
            Self::Status(status) if status.is_client_error() && !matches!(status.as_u16(), 408 | 425 | 429) => Verdict::GiveUp,
            Self::Status(_) | Self::Unreachable(_) => Verdict::Retry,
            Self::Address => Verdict::GiveUp,
        }
    }
}
