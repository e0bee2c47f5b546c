//! Pages that keep themselves up to date: the same parts, rendered again and sent when they changed.
//!
//! A stream ends when the program stops, when its key is no longer good, and after some minutes; the browser then
//! comes again.

use std::{collections::HashMap, time::Duration};

use poem::{Body, Response, handler, http::StatusCode, web::Path};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncWriteExt, DuplexStream},
    sync::OwnedSemaphorePermit,
};
use vouch_common::telemetry::chain;

use super::{attempt, client::Refusal, errors, overview, retries, view, visit::Visit};

/// How often a page is looked at anew.
const PERIOD: Duration = Duration::from_secs(2);
/// Every how many looks the pictures of the last hours are drawn anew.
const LOOKS_PER_PICTURE: u32 = 10;
/// Said with each look: nobody on the way closes a stream that speaks, and a reader who is gone is noticed.
const HEARTBEAT: &[u8] = b":\n\n";
/// How many looks a stream lives: ten minutes.
const LOOKS_MAX: u32 = 300;
/// How much may wait for a slow reader, in bytes.
const BUFFER_BYTES: usize = 64 << 10;

/// A part of a page.
struct Part {
    region: &'static str,
    template: &'static str,
    facts: Value,
}

/// The stream of a page's parts.
#[handler]
pub(super) async fn stream(visit: Visit, Path(screen): Path<String>) -> Response {
    let Ok(permit) = visit.console.streams.clone().try_acquire_owned() else {
        return Response::builder()
            .status(StatusCode::SERVICE_UNAVAILABLE)
            .header("retry-after", "10")
            .body("Too many pages are open; reload to see what is new.");
    };
    if let Err(refusal) = parts(&visit, &screen, 0).await {
        return Response::builder().status(refusal.status).body(refusal.detail);
    }
    let (reader, writer) = tokio::io::duplex(BUFFER_BYTES);
    tokio::spawn(feed(visit, screen, writer, permit));
    Response::builder()
        .content_type("text/event-stream")
        // A proxy must not wait for the end.
        .header("x-accel-buffering", "no")
        .body(Body::from_async_read(reader))
}

async fn feed(visit: Visit, screen: String, mut writer: DuplexStream, permit: OwnedSemaphorePermit) {
    let stopped = visit.console.state.stopped();
    tokio::select! {
        () = stopped => {}
        result = tell(&visit, &screen, &mut writer) => {
            if let Err(error) = result {
                tracing::debug!(%error, "a reader of the console is gone");
            }
        }
    }
    drop(permit);
}

async fn tell(visit: &Visit, screen: &str, writer: &mut DuplexStream) -> std::io::Result<()> {
    let mut sent: HashMap<&'static str, String> = HashMap::new();
    let mut ticks = tokio::time::interval(PERIOD);
    for look in 0..LOOKS_MAX {
        ticks.tick().await;
        match parts(visit, screen, look).await {
            Ok(parts) => {
                for part in parts {
                    tell_part(visit, &part, &mut sent, writer).await?;
                }
            }
            Err(refusal) if refusal.status == StatusCode::UNAUTHORIZED => {
                return writer.write_all(b"event: gone\ndata: {}\n\n").await;
            }
            // A server of ours is away for a moment: the page stays as it is.
            Err(_) => {}
        }
        writer.write_all(HEARTBEAT).await?;
    }
    Ok(())
}

async fn tell_part(
    visit: &Visit,
    part: &Part,
    sent: &mut HashMap<&'static str, String>,
    writer: &mut DuplexStream,
) -> std::io::Result<()> {
    let html = match view::part(&visit.console.templates, &visit.frame(), part.template, &part.facts) {
        Ok(html) => html,
        Err(error) => {
            tracing::error!(error = %chain(&error), template = part.template, "a part of the console can't be shown");
            return Ok(());
        }
    };
    if sent.get(part.region) == Some(&html) {
        return Ok(());
    }
    let line = format!("data: {}\n\n", json!({ "region": part.region, "html": html }));
    sent.insert(part.region, html);
    writer.write_all(line.as_bytes()).await
}

async fn parts(visit: &Visit, screen: &str, look: u32) -> Result<Vec<Part>, Refusal> {
    let one = |region, template, facts| vec![Part { region, template, facts }];
    Ok(match screen.split_once('/').unwrap_or((screen, "")) {
        ("overview", "") => {
            let mut parts = one("now", "overview-now.html", json!({ "now": overview::now(visit).await? }));
            if look.is_multiple_of(LOOKS_PER_PICTURE) {
                let facts = json!({ "history": overview::history(visit, "").await? });
                parts.push(Part { region: "history", template: "history.html", facts });
            }
            parts
        }
        ("errors", "") => one("now", "errors-now.html", json!({ "now": errors::now(visit).await? })),
        ("retries", "") => one("now", "retries-now.html", json!({ "now": retries::now(visit).await? })),
        ("retries", id) => one("now", "retry-now.html", json!({ "retry": retries::one(visit, id).await? })),
        ("attempts", receipt) => one("now", "attempt-now.html", json!({ "attempt": attempt::now(visit, receipt).await? })),
        _ => return Err(Refusal::new(StatusCode::NOT_FOUND, "There is no such page.")),
    })
}
