//! Logs, numbers and traces. Logs are one line an event: for people on a terminal, else JSON.
//!
//! Never in a log, a span, a metric or an error text: names, mail addresses, photos, keys, tokens, bodies.

pub mod catalogue;
mod export;
pub mod numbers;
pub mod trace;

use std::{
    error::Error,
    fmt::{self, Write},
    io::IsTerminal,
};

use tokio::runtime::Handle;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, filter_fn},
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{Format, Json, JsonFields, Writer},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};
use url::Url;

pub use export::ExportError;

/// What tells of this process until it ends.
pub struct Telemetry(export::Spans);

/// Starts logging to standard error, and traces, as the program `name`. `RUST_LOG` filters the log; the default
/// tells the steps of the story. Spans go to `collector`, if there is one.
///
/// # Errors
///
/// When the collector's address can't be used.
#[expect(clippy::disallowed_methods, reason = "RUST_LOG is tracing's own variable")]
pub fn start(name: &'static str, collector: Option<&Url>, runtime: &Handle) -> Result<Telemetry, ExportError> {
    let wanted = std::env::var("RUST_LOG").unwrap_or_else(|_| "info,sqlx=warn,apalis=warn,apalis_core=warn".to_owned());
    let filter = EnvFilter::try_new(wanted).unwrap_or_else(|_| EnvFilter::new("info"));
    let spans = export::Spans::new(name, collector, runtime)?;
    let traces = tracing_opentelemetry::layer()
        .with_tracer(spans.tracer())
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(is_traced));
    // Lines tell of events; what spans know of them is in the trace.
    let lines = filter.and(filter_fn(is_line));
    let registry = tracing_subscriber::registry().with(traces);
    let done = if std::io::stderr().is_terminal() {
        let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
        registry.with(layer.with_filter(lines)).try_init()
    } else {
        let layer = tracing_subscriber::fmt::layer()
            .fmt_fields(JsonFields::new())
            .event_format(WithTraceId(tracing_subscriber::fmt::format().json().flatten_event(true)))
            .with_writer(std::io::stderr);
        registry.with(layer.with_filter(lines)).try_init()
    };
    // A second start, as in tests, keeps the first.
    drop(done);
    Ok(Telemetry(spans))
}

impl Telemetry {
    /// Ends the traces: what is left is sent, for a few seconds at most.
    pub async fn stop(self) {
        self.0.stop().await;
    }
}

/// Our own spans only: what others say may hold anything.
fn is_traced(what: &Metadata<'_>) -> bool {
    what.is_span() && what.target().starts_with("vouch")
}

fn is_line(what: &Metadata<'_>) -> bool {
    what.is_event()
}

/// A JSON line with the trace that it belongs to.
struct WithTraceId(Format<Json>);

impl<S, N> FormatEvent<S, N> for WithTraceId
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(id) = trace::current_id() else { return self.0.format_event(context, writer, event) };
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        match line.strip_prefix('{') {
            Some(rest) => write!(writer, "{{\"trace_id\":\"{id}\",{rest}"),
            None => writer.write_str(&line),
        }
    }
}

/// An error with all its causes in one line: `step: cause: cause of the cause`.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // An error that shows its cause as its own text would say it twice.
        if !text.ends_with(&cause_text) {
            // Writing to a string can't fail.
            let _ = write!(text, ": {cause_text}");
        }
        source = cause.source();
    }
    text
}
