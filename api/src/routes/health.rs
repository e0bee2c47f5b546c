//! Whether the process lives, whether it is ready, and its numbers.

use std::time::{Duration, Instant};

use poem::{
    Endpoint, IntoResponse, PathPattern, Request, Response, handler,
    http::{Method, StatusCode},
    web::{Data, Json},
};
use serde_json::json;
use tracing::{Instrument, Span, field::Empty};
use vouch_common::{
    operations::read_progress,
    telemetry::{numbers, trace},
};

use super::counted;
use crate::state::AppState;

/// Paths that machines ask again and again; a trace of each would hide the others.
const UNTRACED: [&str; 3] = ["/healthz", "/readyz", "/metrics"];
/// How often the servers are asked whether they are there.
const WATCH_INTERVAL: Duration = Duration::from_secs(15);

/// The process lives.
#[handler]
pub(super) fn healthz() -> &'static str {
    "ok"
}

/// Postgres (with this release's tables), Redis and the storage answer, and the ledger can be read.
///
/// How long the oldest job has been due is told and not judged: submissions are taken also while no worker is there.
#[handler]
pub(super) async fn readyz(state: Data<&AppState>) -> Response {
    let (database, redis, storage, progress) = tokio::join!(
        state.db().check(),
        state.redis().check(),
        state.objects().check(),
        read_progress::oldest_due_seconds(state.db())
    );
    let word = |is_well: bool| if is_well { "ok" } else { "away" };
    let database_word = match &database {
        Ok(()) => "ok".to_owned(),
        Err(vouch_common::store::StoreError::NotMigrated) => "not migrated: run `vouch migrate`".to_owned(),
        Err(_) => "away".to_owned(),
    };
    let is_ready = database.is_ok() && redis.is_ok() && storage.is_ok() && progress.is_ok();
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "ready": is_ready, "database": database_word, "redis": word(redis.is_ok()), "storage": word(storage.is_ok()),
        "progress": word(progress.is_ok()), "oldest_due_seconds": progress.ok(),
    });
    Json(body).with_status(status).into_response()
}

/// The process' numbers, as Prometheus reads them.
#[handler]
pub(super) fn metrics_page(Data(state): Data<&AppState>) -> Response {
    Response::builder().content_type("text/plain; version=0.0.4").body(state.numbers())
}

/// Tells of each request in one line, one span and two numbers: its route, never its path, which may name somebody.
///
/// # Errors
///
/// Those of the endpoint, untouched.
pub async fn told<E: Endpoint>(next: std::sync::Arc<E>, request: Request) -> poem::Result<Response> {
    let started = Instant::now();
    let method = request.method().clone();
    let span = if UNTRACED.contains(&request.uri().path()) { Span::none() } else { span_of(&method) };
    let result = next.call(request).instrument(span.clone()).await.map(IntoResponse::into_response);
    let (status, route) = match &result {
        Ok(response) => (response.status(), response.data::<PathPattern>().map(|pattern| pattern.0.to_string())),
        Err(error) => (error.status(), error.data::<PathPattern>().map(|pattern| pattern.0.to_string())),
    };
    let route = route.as_deref().map_or(counted::NONE, counted::name_of);
    let elapsed = started.elapsed();
    metrics::counter!("vouch_http_requests_total", "route" => route, "class" => class_of(status)).increment(1);
    metrics::histogram!("vouch_http_seconds", "route" => route).record(elapsed.as_secs_f64());
    span.record("http.route", route).record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    trace::rename(&span, format!("{method} {route}"));
    let _entered = span.enter();
    tracing::info!(http.method = %method, http.route = route, http.status = status.as_u16(), elapsed_ms = elapsed.as_millis(), "request served");
    result
}

fn span_of(method: &Method) -> Span {
    tracing::info_span!(
        "http.request",
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = %method,
        http.route = Empty,
        http.response.status_code = Empty,
        attempt.receipt = Empty,
    )
}

fn class_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        0..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}

/// Shows again and again whether the servers are there, as long as the runtime lives.
pub async fn watch_servers(state: AppState) {
    let mut ticks = tokio::time::interval(WATCH_INTERVAL);
    loop {
        ticks.tick().await;
        let (database, redis, storage) = tokio::join!(state.db().check(), state.redis().check(), state.objects().check());
        numbers::show_servers(database.is_ok(), redis.is_ok(), storage.is_ok());
    }
}
