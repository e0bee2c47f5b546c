//! The format `sealed`: a Vouch that speaks it, and callbacks as its vendor signs them.

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use vouch_cli::simulator::Script;
use vouch_common::{
    secret::Secret,
    vendor::sealed::webhook::{Message, parse_secret, sign},
};

use crate::{SECRET, TestApp, Wishes, answer};

/// Wishes for a Vouch that speaks `sealed`.
pub fn wishes(script: &str) -> Wishes {
    Wishes {
        settings: vec![("VOUCH_VENDOR_FORMAT", "sealed".to_owned())],
        script: Script::parse(script.as_bytes()).unwrap(),
        ..Wishes::default()
    }
}

/// A callback on its way.
#[derive(Clone)]
pub struct SealedCallback {
    pub id: String,
    pub timestamp: String,
    pub body: Vec<u8>,
    pub secret: Secret,
}

impl SealedCallback {
    /// A verdict that was decided just now.
    pub fn new(app: &TestApp, id: &str, body: &Value) -> Self {
        let secret = parse_secret(SECRET).unwrap();
        Self { id: id.to_owned(), timestamp: app.now().timestamp().to_string(), body: body.to_string().into_bytes(), secret }
    }

    pub fn signature(&self) -> String {
        sign(Message { id: &self.id, timestamp: &self.timestamp, body: &self.body }, &self.secret)
    }

    /// With this value as its signature.
    pub fn request(&self, app: &TestApp, signature: &str) -> RequestBuilder {
        let request = self.bare(app).header("webhook-id", &self.id).header("webhook-timestamp", &self.timestamp);
        request.header("webhook-signature", signature)
    }

    /// Without any of the three headers.
    pub fn bare(&self, app: &TestApp) -> RequestBuilder {
        let url = format!("{}/callbacks/vendor", app.url);
        app.client.post(url).header("content-type", "application/json").body(self.body.clone())
    }

    /// Sends it signed; status and text of the answer.
    pub async fn send(&self, app: &TestApp) -> (u16, String) {
        answer(self.request(app, &self.signature()).send().await.unwrap()).await
    }
}

/// What the vendor says.
pub fn verdict(receipt: &str, result: &str) -> Value {
    json!({ "receipt_id": receipt, "result": result, "reasons": [], "code": "said so" })
}
