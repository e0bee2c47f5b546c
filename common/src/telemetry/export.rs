//! Spans go to a collector by OTLP over HTTP, in batches, from a thread of their own.
//!
//! A collector that is away is no trouble: batches are dropped, and a line tells so once a minute.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracer, SdkTracerProvider},
};
use tokio::runtime::Handle;
use url::Url;

/// How long the collector may take for a batch.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long the last batch may take at the end of the process.
const LAST_TIMEOUT: Duration = Duration::from_secs(5);
/// So often at most it is told that the collector is away.
const WARN_INTERVAL: Duration = Duration::from_mins(1);
/// Longest answer of the collector that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Why spans can't be sent.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The client.
    #[error("the collector's client can't be made")]
    Client(#[source] reqwest::Error),
    /// The exporter.
    #[error("VOUCH_OTLP_ENDPOINT can't be used")]
    Exporter(#[source] ExporterBuildError),
}

/// What makes spans, and sends them if there is a collector.
pub(super) struct Spans(SdkTracerProvider);

impl Spans {
    /// Makes ids only, or sends everything to `collector` as the program `name`.
    pub(super) fn new(name: &'static str, collector: Option<&Url>, runtime: &Handle) -> Result<Self, ExportError> {
        let provider = SdkTracerProvider::builder().with_resource(Resource::builder_empty().with_service_name(name).build());
        let Some(collector) = collector else {
            return Ok(Self(provider.with_sampler(Sampler::AlwaysOff).build()));
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", collector.as_str().trim_end_matches('/')))
            .with_timeout(TIMEOUT)
            .with_http_client(Sender::new(runtime.clone())?)
            .build()
            .map_err(ExportError::Exporter)?;
        Ok(Self(provider.with_sampler(Sampler::AlwaysOn).with_batch_exporter(exporter).build()))
    }

    pub(super) fn tracer(&self) -> SdkTracer {
        self.0.tracer("vouch")
    }

    /// Sends what is left.
    pub(super) async fn stop(self) {
        // It blocks until the last batch is sent or given up.
        let stopped = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(LAST_TIMEOUT)).await;
        if !matches!(stopped, Ok(Ok(()))) {
            tracing::debug!("the last spans were not sent");
        }
    }
}

/// Sends batches with our own client, on the program's runtime.
#[derive(Debug)]
struct Sender {
    http: reqwest::Client,
    runtime: Handle,
    warned: Arc<Mutex<Option<Instant>>>,
}

impl Sender {
    fn new(runtime: Handle) -> Result<Self, ExportError> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(ExportError::Client)?;
        Ok(Self { http, runtime, warned: Arc::default() })
    }

    /// Counts a batch, and tells at most once a minute that the collector is away.
    fn note(&self, is_sent: bool) {
        let outcome = if is_sent { "sent" } else { "failed" };
        metrics::counter!("vouch_traces_sent_total", "outcome" => outcome).increment(1);
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_sent && warned.is_none_or(|at| at.elapsed() >= WARN_INTERVAL) {
            *warned = Some(Instant::now());
            tracing::warn!("the collector of traces does not take spans; they are dropped, all else goes on");
        }
    }
}

impl HttpClient for Sender {
    fn send_bytes<'me, 'sent>(
        &'me self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'sent>>
    where
        'me: 'sent,
        Self: 'sent,
    {
        let sending = self.runtime.spawn(send(self.http.clone(), request));
        Box::pin(async move {
            let answer = sending.await.map_err(HttpError::from).and_then(|answer| answer);
            self.note(answer.as_ref().is_ok_and(|answer| answer.status().is_success()));
            answer
        })
    }
}

async fn send(http: reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let mut answer = http.execute(request.try_into()?).await?;
    let status = answer.status();
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        let room = ANSWER_BYTES_MAX.saturating_sub(body.len());
        body.extend(chunk.iter().take(room));
        if room <= chunk.len() {
            break;
        }
    }
    Ok(Response::builder().status(status).body(body.into())?)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tracing::{Event, Subscriber};
    use tracing_subscriber::{
        layer::{Context, Layer, SubscriberExt},
        registry,
    };

    use super::*;

    /// Counts lines.
    struct Lines(Arc<AtomicUsize>);

    impl<S: Subscriber> Layer<S> for Lines {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            if event.metadata().target().starts_with("vouch") {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    #[tokio::test]
    async fn a_collector_that_is_away_is_told_of_once_a_minute() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sender = Sender::new(Handle::current()).expect("a client");
        let lines = Arc::new(AtomicUsize::new(0));
        let counting = tracing::subscriber::set_default(registry().with(Lines(Arc::clone(&lines))));
        for _ in 0..5 {
            let request = Request::post("http://127.0.0.1:9/v1/traces").body(Bytes::new()).expect("a request");
            assert!(sender.send_bytes(request).await.is_err());
        }
        drop(counting);
        assert_eq!(lines.load(Ordering::Relaxed), 1);
    }
}
