//! The vendor, as a client: encrypts photos for it, and posts attempts to it, in the deployment's format.

mod wire;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use reqwest::{Client, RequestBuilder, StatusCode, redirect};
use tracing::{Instrument, field::Empty};
use url::Url;
use vouch_common::{
    config::Settings,
    domain::{
        backoff::clamp_retry_after,
        ids::{JobId, ReceiptId},
        photo::PhotoKind,
        vendor_format::VendorFormat,
    },
    vendor::{
        sealed::photo::SealPhotoError,
        software_secure::{request::BuildRequestError, rsa_keys::WrapKeyError},
    },
};

use super::retry_after;
pub use wire::EncryptedPhoto;
use wire::Wire;

use crate::runtime::job::{Classify, FarSide, Verdict};

/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// How long the whole queue waits after a 429 that does not say how long.
const RATE_LIMIT_WAIT: Duration = Duration::from_secs(10);

/// What goes to the vendor about one attempt.
pub struct VendorRequest<'a> {
    /// The attempt's public name.
    pub receipt: ReceiptId,
    /// The job that sends it: what names this order to the vendor, at each try the same.
    pub job: JobId,
    /// The name that the ID must show.
    pub name: &'a str,
    /// The face.
    pub face: VendorPhoto<'a>,
    /// The ID.
    pub photo_id: VendorPhoto<'a>,
}

/// A photo that the vendor downloads.
pub struct VendorPhoto<'a> {
    /// Where.
    pub url: Url,
    /// Its key, wrapped.
    pub wrapped_key: &'a str,
    /// The attempt that it came with.
    pub receipt: ReceiptId,
}

/// Speaks with the vendor.
pub struct VendorClient {
    http: Client,
    url: Url,
    wire: Wire,
}

impl VendorClient {
    /// Prepares the client: certificates are verified, redirects are not followed.
    ///
    /// # Errors
    ///
    /// When a setting of the worker is missing.
    pub fn new(settings: &Settings) -> Result<Self, VendorError> {
        let vendor = &settings.vendor;
        let http = Client::builder()
            .timeout(vendor.timeout)
            .connect_timeout(vendor.timeout)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("vouch/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(VendorError::SetUp)?;
        let url = vendor.url.clone().ok_or(VendorError::Setting("VOUCH_VENDOR_URL"))?;
        Ok(Self { http, url, wire: Wire::new(settings)? })
    }

    /// The format that is spoken.
    #[must_use]
    pub const fn format(&self) -> VendorFormat {
        self.wire.format()
    }

    /// Encrypts a photo of an attempt for the vendor.
    ///
    /// # Errors
    ///
    /// When no fresh key can be had.
    pub fn encrypt(&self, receipt: ReceiptId, kind: PhotoKind, photo: &[u8]) -> Result<EncryptedPhoto, VendorError> {
        self.wire.encrypt(receipt, kind, photo)
    }

    /// Posts an attempt; `Ok` when the vendor has it.
    ///
    /// # Errors
    ///
    /// See [`VendorError`], which knows whether another try can help.
    pub async fn submit(&self, request: &VendorRequest<'_>, now: DateTime<Utc>) -> Result<(), VendorError> {
        let signed = self.wire.sign(request, now)?;
        let mut post = self.http.post(self.url.clone()).body(signed.body);
        for (name, value) in &signed.headers {
            post = post.header(name, value);
        }
        let started = Instant::now();
        let span = tracing::info_span!("far.post_attempt", otel.kind = "client", otel.status_code = Empty, answer.class = Empty);
        let answered = answer_to(post, now).instrument(span.clone()).await;
        span.record("answer.class", answer_class(&answered));
        if answered.is_err() {
            span.record("otel.status_code", "ERROR");
        }
        metrics::histogram!("vouch_vendor_seconds").record(started.elapsed().as_secs_f64());
        metrics::counter!("vouch_vendor_answers_total", "class" => answer_class(&answered)).increment(1);
        answered
    }
}

async fn answer_to(post: RequestBuilder, now: DateTime<Utc>) -> Result<(), VendorError> {
    let response = post.send().await.map_err(unreachable)?;
    let status = response.status();
    let wish = response.headers().get("retry-after").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let answer = match read_answer(response).await {
        Ok(answer) => answer,
        // Whether it took the attempt is open.
        Err(cut) if status.is_success() => return Err(cut),
        // What it refuses or asks for stands in the head.
        Err(_) => String::new(),
    };
    judge(status, retry_after(wish.as_deref(), now), answer)
}

/// The class under which an answer is counted.
fn answer_class(answered: &Result<(), VendorError>) -> &'static str {
    match answered {
        Err(VendorError::Unreachable(cause)) if cause.is_timeout() => "timeout",
        Err(VendorError::Busy { status, .. } | VendorError::Refused { status, .. }) => match status.as_u16() {
            429 => "429",
            300..400 => "3xx",
            400..500 => "4xx",
            _ => "5xx",
        },
        Err(_) => "unreachable",
        Ok(()) => "2xx",
    }
}

/// Reads an answer up to its bound.
async fn read_answer(mut response: reqwest::Response) -> Result<String, VendorError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        let room = ANSWER_BYTES_MAX.saturating_sub(bytes.len());
        bytes.extend(chunk.iter().take(room));
        if room <= chunk.len() {
            break;
        }
    }
    // Postgres keeps no U+0000 in a text.
    bytes.retain(|byte| *byte != 0);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The address may hold what nobody should read in a log.
fn unreachable(error: reqwest::Error) -> VendorError {
    VendorError::Unreachable(error.without_url())
}

/// What an answer means. Source: reference 3.6 and appendix D.3.
fn judge(status: StatusCode, wait: Option<Duration>, answer: String) -> Result<(), VendorError> {
    if status.is_success() {
        return Ok(());
    }
    let may_pass = matches!(status.as_u16(), 408 | 425 | 429) || status.is_server_error();
    if may_pass { Err(VendorError::Busy { status, wait, answer }) } else { Err(VendorError::Refused { status, answer }) }
}

/// Why the vendor does not have an attempt. The texts repeat nothing that it said.
#[derive(Debug, thiserror::Error)]
pub enum VendorError {
    /// A setting is missing.
    #[error("the setting {0} is missing")]
    Setting(&'static str),
    /// The client can't be made.
    #[error("the HTTP client can't be made")]
    SetUp(#[source] reqwest::Error),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    NoRandomness,
    /// A key can't be wrapped.
    #[error("a photo's key can't be wrapped for the vendor")]
    Wrap(#[source] WrapKeyError),
    /// A photo can't be sealed.
    #[error("a photo can't be sealed for the vendor")]
    Seal(#[source] SealPhotoError),
    /// The request can't be built.
    #[error("the request to the vendor can't be built")]
    Build(#[source] BuildRequestError),
    /// No answer: the network, a timeout, TLS, or an answer that broke off.
    #[error("the vendor gave no answer")]
    Unreachable(#[source] reqwest::Error),
    /// It may take it later.
    #[error("the vendor answered {status}")]
    Busy {
        /// Its status.
        status: StatusCode,
        /// How long it asks us to wait.
        wait: Option<Duration>,
        /// What it said.
        answer: String,
    },
    /// It will not take it.
    #[error("the vendor refused with {status}")]
    Refused {
        /// Its status.
        status: StatusCode,
        /// What it said.
        answer: String,
    },
}

impl Classify for VendorError {
    fn class(&self) -> &'static str {
        match self {
            Self::Setting(_) | Self::SetUp(_) => "settings",
            Self::NoRandomness | Self::Wrap(_) | Self::Seal(_) => "encryption",
            Self::Build(_) => "unsendable",
            Self::Unreachable(cause) if cause.is_timeout() => "vendor_timeout",
            Self::Unreachable(_) => "vendor_unreachable",
            Self::Busy { status, .. } if status.as_u16() == 429 => "vendor_rate_limited",
            Self::Busy { .. } => "vendor_busy",
            Self::Refused { .. } => "vendor_refused",
        }
    }

    fn code(&self) -> String {
        match self {
            Self::Busy { status, .. } | Self::Refused { status, .. } => status.as_str().to_owned(),
            _ => String::new(),
        }
    }

    fn far_side(&self) -> FarSide {
        match self {
            // A request that could not be made never left.
            Self::Unreachable(cause) if cause.is_builder() => FarSide::NotAsked,
            Self::Unreachable(_) => FarSide::Out,
            Self::Busy { status, .. } if status.is_server_error() => FarSide::Out,
            Self::Busy { .. } | Self::Refused { .. } => FarSide::Answered,
            Self::Setting(_) | Self::SetUp(_) | Self::NoRandomness | Self::Wrap(_) | Self::Seal(_) | Self::Build(_) => {
                FarSide::NotAsked
            }
        }
    }

    fn verdict(&self) -> Verdict {
        match self {
            Self::Busy { status, wait, .. } if status.as_u16() == 429 => {
                Verdict::RetryAfter { wait: clamp_retry_after(wait.unwrap_or(RATE_LIMIT_WAIT)), is_for_all: true }
            }
            Self::Busy { wait: Some(wait), .. } => Verdict::RetryAfter { wait: clamp_retry_after(*wait), is_for_all: false },
            Self::NoRandomness
            | Self::Unreachable(_)
            | Self::Busy { .. }
            | Self::Wrap(_)
            | Self::Seal(_)
            | Self::Build(BuildRequestError::WrapFaceKey { .. }) => Verdict::Retry,
            Self::Setting(_) | Self::SetUp(_) | Self::Build(_) | Self::Refused { .. } => Verdict::GiveUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    fn verdict(status: u16) -> Option<Verdict> {
        let status = StatusCode::from_u16(status).expect("a status");
        judge(status, None, String::new()).err().map(|error| error.verdict())
    }

    #[test]
    fn a_success_is_accepted_and_what_may_pass_is_tried_again() {
        for status in [200, 201, 202, 204] {
            assert_eq!(verdict(status), None, "{status}");
        }
        for status in [408, 425, 500, 502, 503, 504, 599] {
            assert_eq!(verdict(status), Some(Verdict::Retry), "{status}");
        }
        for status in [301, 302, 307, 400, 401, 403, 404, 409, 410, 422] {
            assert_eq!(verdict(status), Some(Verdict::GiveUp), "{status}");
        }
    }

    /// What is made of an answer that breaks off after this head.
    async fn cut_after(head: &str) -> Result<(), VendorError> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let vendor = async {
            let (mut line, _) = listener.accept().await.expect("a call");
            let mut request = [0; 1024];
            let _ = line.read(&mut request).await.expect("a request");
            line.write_all(format!("HTTP/1.1 {head}content-length: 100\r\n\r\nhalf of").as_bytes()).await.expect("a line");
        };
        let (answer, ()) = tokio::join!(answer_to(Client::new().get(url), DateTime::UNIX_EPOCH), vendor);
        answer
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_refuses_what_its_head_refuses_and_accepts_nothing() {
        let verdict = async |head| cut_after(head).await.expect_err("nothing is accepted").verdict();
        let wait = Duration::from_secs(30);
        assert_eq!(verdict("429 Too Many Requests\r\nretry-after: 30\r\n").await, Verdict::RetryAfter { wait, is_for_all: true });
        assert_eq!(verdict("422 Unprocessable Entity\r\n").await, Verdict::GiveUp);
        assert!(matches!(cut_after("200 OK\r\n").await, Err(VendorError::Unreachable(_))));
    }

    #[test]
    fn a_fault_of_the_vendor_is_an_outage_and_whatever_else_it_says_shows_that_it_lives() {
        let far_side = |status| {
            let status = StatusCode::from_u16(status).expect("a status");
            judge(status, None, String::new()).err().map(|error| error.far_side())
        };
        for status in [500, 502, 503, 504, 599] {
            assert_eq!(far_side(status), Some(FarSide::Out), "{status}");
        }
        for status in [302, 400, 401, 404, 408, 422, 425, 429] {
            assert_eq!(far_side(status), Some(FarSide::Answered), "{status}");
        }
        assert_eq!(VendorError::Setting("VOUCH_VENDOR_URL").far_side(), FarSide::NotAsked);
        assert_eq!(VendorError::NoRandomness.far_side(), FarSide::NotAsked);
    }

    #[test]
    fn too_many_requests_hold_all_and_another_wish_holds_one() {
        let with_wish = |status| {
            let status = StatusCode::from_u16(status).expect("a status");
            judge(status, Some(Duration::from_secs(30)), String::new()).err().map(|error| error.verdict())
        };
        let wait = Duration::from_secs(30);
        assert_eq!(with_wish(429), Some(Verdict::RetryAfter { wait, is_for_all: true }));
        assert_eq!(with_wish(503), Some(Verdict::RetryAfter { wait, is_for_all: false }));
        assert_eq!(verdict(429), Some(Verdict::RetryAfter { wait: RATE_LIMIT_WAIT, is_for_all: true }));
    }
}
