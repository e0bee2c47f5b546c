//! Traces: one from a learner's submission through the ledger to the mail.
//!
//! A span's place travels as a W3C `traceparent`: in the row of a job, and in that of the attempt for whoever
//! comes back to it. Ids are made even when nobody collects spans, so that logs, jobs and the API name the same.

use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The place of the present span, as a `traceparent`; `None` outside of any.
#[must_use]
pub fn current() -> Option<String> {
    present().map(|place| format!("00-{}-{}-{:02x}", place.trace_id(), place.span_id(), place.trace_flags().to_u8()))
}

/// The trace of the present span; `None` outside of any.
#[must_use]
pub fn current_id() -> Option<String> {
    present().map(|place| place.trace_id().to_string())
}

/// The trace that a `traceparent` names.
#[must_use]
pub fn id_of(traceparent: &str) -> Option<String> {
    parse(traceparent).map(|place| place.trace_id().to_string())
}

/// Makes a span that has not begun a child of a stored place; of none, it begins a trace.
pub fn continue_from(span: &Span, traceparent: Option<&str>) {
    if let Some(place) = traceparent.and_then(parse) {
        // Without a subscriber, as in tests, there is nothing to continue.
        let _ = span.set_parent(Context::new().with_remote_span_context(place));
    }
}

/// Says in a span that the present one led to it.
pub fn link_to_present(span: &Span) {
    if let Some(place) = present() {
        span.add_link(place);
    }
}

/// Gives a span that has begun a better name.
pub fn rename(span: &Span, name: String) {
    span.context().span().update_name(name);
}

fn present() -> Option<SpanContext> {
    Some(Context::map_current(|context| context.span().span_context().clone())).filter(SpanContext::is_valid)
}

/// Reads `00-<trace>-<span>-<flags>`.
fn parse(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if version != "00" || parts.next().is_some() || (trace.len(), span.len(), flags.len()) != (32, 16, 2) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?);
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    Some(SpanContext::new(trace, span, flags, true, TraceState::default())).filter(SpanContext::is_valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_makes_no_sense_is_none() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(id_of(good).as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
        for bad in [
            "",
            "00",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00-xyz7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(id_of(bad), None, "{bad}");
        }
        assert_eq!(current(), None, "outside of any span");
    }
}
