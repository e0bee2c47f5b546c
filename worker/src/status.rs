//! A worker's own `/healthz`, `/readyz` and `/metrics`.

use std::{net::SocketAddr, time::Instant};

use poem::{
    EndpointExt, IntoResponse, Response, Route, Server, get, handler,
    http::StatusCode,
    listener::TcpListener,
    web::{Data, Json},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use vouch_common::telemetry::numbers::Numbers;

use crate::services::Services;

/// Serves until `stop`.
pub async fn serve(address: SocketAddr, services: Services, numbers: Numbers, stop: CancellationToken) {
    let app = Route::new()
        .at("/healthz", get(healthz))
        .at("/readyz", get(readyz))
        .at("/metrics", get(metrics_page))
        .data(services)
        .data(numbers);
    let served = Server::new(TcpListener::bind(address)).run_with_graceful_shutdown(app, stop.cancelled_owned(), None).await;
    if let Err(error) = served {
        tracing::error!(error = %error, "the worker's status can't be served");
    }
}

#[handler]
fn healthz() -> &'static str {
    "ok"
}

#[handler]
async fn readyz(services: Data<&Services>) -> Response {
    let (database, redis, storage) = tokio::join!(services.db().check(), services.redis().check(), services.objects().check());
    let word = |is_well: bool| if is_well { "ok" } else { "away" };
    let stalled = services.progress().find_stalled(Instant::now());
    let progress = stalled.map_or_else(|| "ok".to_owned(), |part| format!("stalled: {}", part.as_str()));
    let is_ready = database.is_ok() && redis.is_ok() && storage.is_ok() && stalled.is_none();
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "ready": is_ready, "database": word(database.is_ok()), "redis": word(redis.is_ok()), "storage": word(storage.is_ok()),
        "progress": progress,
    });
    Json(body).with_status(status).into_response()
}

#[handler]
fn metrics_page(Data(numbers): Data<&Numbers>) -> Response {
    Response::builder().content_type("text/plain; version=0.0.4").body(numbers.render())
}
