//! The api, as operators call it: one place for the address, the key, and what an answer means.

use std::{error::Error, time::Duration};

use anyhow::Result;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use url::Url;

use crate::failure::Failure;

/// How long an answer may take; a dry run over very many jobs takes its time.
const TIMEOUT: Duration = Duration::from_mins(1);
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Most items of a page.
pub const PAGE_MAX: u16 = 200;

/// Where the api is, who asks, and in which form.
#[derive(Debug, Clone, clap::Args)]
pub struct Access {
    /// The api
    #[arg(
        long,
        env = "VOUCH_API_URL",
        default_value = "http://127.0.0.1:8080",
        global = true,
        value_parser = parse_url,
        help_heading = "Every command"
    )]
    pub api_url: Url,
    /// A key of `vouch keys create`: attempts:read to look, attempts:operate to act
    #[arg(
        long,
        env = "VOUCH_API_KEY",
        hide_env_values = true,
        global = true,
        default_value = "",
        hide_default_value = true,
        help_heading = "Every command"
    )]
    pub api_key: String,
}

fn parse_url(text: &str) -> Result<Url, String> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| "it must be an address such as https://vouch.example.com".to_owned())
}

/// What a list is asked for; what was not given is left out.
#[derive(Debug, Clone, Default)]
pub struct Query(Vec<(&'static str, String)>);

impl Query {
    /// With this too, if there is one.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.0.extend(value.map(|value| (name, value.to_string())));
        self
    }
}

/// Calls the api.
#[derive(Debug)]
pub struct Api {
    base: Url,
    key: String,
    client: Client,
}

impl Api {
    /// Prepares the client.
    ///
    /// # Errors
    ///
    /// [`Failure::NoRight`] when there is no key.
    pub fn new(access: &Access) -> Result<Self> {
        let key = access.api_key.trim();
        if key.is_empty() {
            let text = "there is no api key; set VOUCH_API_KEY to one that `vouch keys create --name NAME --scope attempts:operate` makes";
            return Err(Failure::NoRight(text.to_owned()).into());
        }
        let client = Client::builder().timeout(TIMEOUT).connect_timeout(CONNECT_TIMEOUT).build()?;
        Ok(Self { base: access.api_url.clone(), key: key.to_owned(), client })
    }

    /// Reads; `path` is what stands after `/api/v1/`, in its parts.
    ///
    /// # Errors
    ///
    /// A [`Failure`].
    pub async fn get(&self, path: &[&str], query: &Query) -> Result<Value> {
        self.send(self.request(Method::GET, path, query)).await
    }

    /// Does something.
    ///
    /// # Errors
    ///
    /// A [`Failure`].
    pub async fn post(&self, path: &[&str], document: &Value) -> Result<Value> {
        self.send(self.request(Method::POST, path, &Query::default()).json(document)).await
    }

    /// Sets something.
    ///
    /// # Errors
    ///
    /// A [`Failure`].
    pub async fn put(&self, path: &[&str], document: &Value) -> Result<Value> {
        self.send(self.request(Method::PUT, path, &Query::default()).json(document)).await
    }

    /// Takes something away.
    ///
    /// # Errors
    ///
    /// A [`Failure`].
    pub async fn delete(&self, path: &[&str], reason: &str) -> Result<Value> {
        self.send(self.request(Method::DELETE, path, &Query::default().with("reason", Some(reason)))).await
    }

    fn request(&self, method: Method, path: &[&str], query: &Query) -> RequestBuilder {
        self.client.request(method, self.url(path, query)).bearer_auth(&self.key)
    }

    fn url(&self, path: &[&str], query: &Query) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        if !query.0.is_empty() {
            url.query_pairs_mut().extend_pairs(&query.0);
        }
        url
    }

    async fn send(&self, request: RequestBuilder) -> Result<Value> {
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| self.unreachable(&error))?;
        let document = serde_json::from_str::<Value>(&text);
        if !status.is_success() {
            return Err(self.failure_of(status, &document.unwrap_or_default()).into());
        }
        if text.is_empty() {
            return Ok(Value::Null);
        }
        document.map_err(|_| {
            Failure::Away(format!("{} answered what is no JSON; is VOUCH_API_URL an api of Vouch?", self.base)).into()
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let mut cause: &dyn Error = error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        Failure::Away(format!("the api at {} can't be reached ({cause}); is it running, and is VOUCH_API_URL right?", self.base))
    }

    fn failure_of(&self, status: StatusCode, problem: &Value) -> Failure {
        let detail = problem["detail"].as_str().unwrap_or_default().trim();
        let text = if detail.is_empty() { format!("{} answered {status}", self.base) } else { detail.to_owned() };
        match status.as_u16() {
            401 => Failure::NoRight(format!("{text} VOUCH_API_KEY must hold a live key; see `vouch keys list`.")),
            403 => Failure::NoRight(text),
            404 => Failure::NotFound(text),
            408 | 429 | 500.. => Failure::Away(text),
            _ => Failure::Refused(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(base: &str) -> Api {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let access = Access { api_url: parse_url(base).unwrap(), api_key: "vk_x".to_owned() };
        Api::new(&access).unwrap()
    }

    #[test]
    fn a_path_is_encoded_and_stands_behind_the_address_with_its_own_path() {
        let query = Query::default().with("status", Some("a,b")).with("cursor", None::<&str>);
        let url = api("http://x/vouch/").url(&["attempts", "a/b?c", "retry"], &query);
        assert_eq!(url.as_str(), "http://x/vouch/api/v1/attempts/a%2Fb%3Fc/retry?status=a%2Cb");
        assert_eq!(api("http://x").url(&["queues"], &Query::default()).as_str(), "http://x/api/v1/queues");
    }

    #[test]
    fn every_status_has_its_exit_code() {
        let code = |status: u16| api("http://x").failure_of(StatusCode::from_u16(status).unwrap(), &Value::Null).code();
        let expected = [(400, 3), (401, 5), (403, 5), (404, 4), (409, 3), (415, 3), (422, 3), (429, 1), (500, 1), (503, 1)];
        for (status, wanted) in expected {
            assert_eq!(code(status), wanted, "{status}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in ["", "x", "127.0.0.1:80", "ftp://x", "http://"] {
            assert!(parse_url(bad).is_err(), "{bad}");
        }
    }
}
