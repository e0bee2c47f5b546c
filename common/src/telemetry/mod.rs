//! Logs and numbers. Logs are one line an event: for people on a terminal, else JSON.
//!
//! Never in a log, a span, a metric or an error text: names, mail addresses, photos, keys, tokens, bodies.

pub mod catalogue;
pub mod numbers;

use std::{error::Error, fmt::Write, io::IsTerminal};

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Starts logging to standard error. `RUST_LOG` filters; the default tells the steps of the story.
#[expect(clippy::disallowed_methods, reason = "RUST_LOG is tracing's own variable")]
pub fn start_logging() {
    let wanted = std::env::var("RUST_LOG").unwrap_or_else(|_| "info,sqlx=warn,apalis=warn,apalis_core=warn".to_owned());
    let filter = EnvFilter::try_new(wanted).unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    let is_terminal = std::io::stderr().is_terminal();
    let done = if is_terminal {
        registry.with(fmt::layer().with_writer(std::io::stderr).with_target(false)).try_init()
    } else {
        registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init()
    };
    // A second start, as in tests, keeps the first.
    drop(done);
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
