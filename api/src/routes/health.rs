//! Whether the process lives, whether it is ready, and its numbers.

use std::time::Instant;

use poem::{
    Endpoint, IntoResponse, PathPattern, Request, Response, handler,
    http::StatusCode,
    web::{Data, Json},
};
use serde_json::json;

use crate::state::AppState;

/// The process lives.
#[handler]
pub(super) fn healthz() -> &'static str {
    "ok"
}

/// Postgres (with this release's tables), Redis and the storage answer.
#[handler]
pub(super) async fn readyz(state: Data<&AppState>) -> Response {
    let (database, redis, storage) = tokio::join!(state.db().check(), state.redis().check(), state.objects().check());
    let word = |is_well: bool| if is_well { "ok" } else { "away" };
    let database_word = match &database {
        Ok(()) => "ok".to_owned(),
        Err(vouch_common::store::StoreError::NotMigrated) => "not migrated: run `vouch migrate`".to_owned(),
        Err(_) => "away".to_owned(),
    };
    let is_ready = database.is_ok() && redis.is_ok() && storage.is_ok();
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body =
        json!({ "ready": is_ready, "database": database_word, "redis": word(redis.is_ok()), "storage": word(storage.is_ok()) });
    Json(body).with_status(status).into_response()
}

/// The process' numbers, as Prometheus reads them.
#[handler]
pub(super) fn numbers(Data(state): Data<&AppState>) -> Response {
    Response::builder().content_type("text/plain; version=0.0.4").body(state.numbers())
}

/// Tells of each request in one line: its route, never its path, which may name somebody.
///
/// # Errors
///
/// Those of the endpoint, untouched.
pub async fn told<E: Endpoint>(next: std::sync::Arc<E>, request: Request) -> poem::Result<Response> {
    let started = Instant::now();
    let method = request.method().clone();
    let result = next.call(request).await.map(IntoResponse::into_response);
    let (status, route) = match &result {
        Ok(response) => (response.status(), response.data::<PathPattern>().map(|pattern| pattern.0.to_string())),
        Err(error) => (error.status(), error.data::<PathPattern>().map(|pattern| pattern.0.to_string())),
    };
    let route = route.unwrap_or_else(|| "none".to_owned());
    let elapsed = started.elapsed();
    metrics::histogram!("vouch_http_seconds", "route" => route.clone(), "status" => status.as_u16().to_string())
        .record(elapsed.as_secs_f64());
    tracing::info!(http.method = %method, http.route = route, http.status = status.as_u16(), elapsed_ms = elapsed.as_millis(), "request served");
    result
}
