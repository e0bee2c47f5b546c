//! The listening side: connections that are bounded in number, in the size of their heads, and in patience.
//!
//! Who sends the head of a request too slowly, or is silent for too long between two, or does not take its answer,
//! loses the connection. Bodies have their own patience (`extract::body`).

use std::{convert::Infallible, future::Future, net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::BodyExt;
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use poem::{
    Addr, Endpoint, EndpointExt, Response,
    http::uri::Scheme,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use vouch_common::config::Limits;

/// A connection that asks nothing for so long is closed. Longer than the proxies before us keep theirs, which is
/// 60 seconds as a rule.
const IDLE: Duration = Duration::from_secs(75);
/// A connection that takes nothing of its answer for so long is closed.
const WRITE_PATIENCE: Duration = Duration::from_mins(1);
/// A connection that is never without a request is asked to end after so long.
const BUSY_MAX: Duration = Duration::from_mins(15);
/// How long requests that run may go on when their connection ends, or the program.
const GRACE: Duration = Duration::from_secs(30);
/// Largest head of a request: its line and headers.
const HEAD_BYTES_MAX: u32 = 32 * 1024;
/// Most headers of a request.
const HEADERS_MAX: usize = 100;
/// Most requests at a time on one connection of HTTP/2.
const STREAMS_MAX: u32 = 100;
/// How long to wait when no connection can be taken, for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves connections until `stop` is there; then finishes what runs, for 30 seconds at most.
pub async fn serve<E>(listener: TcpListener, endpoint: E, limits: &Limits, stop: impl Future<Output = ()>)
where
    E: Endpoint + 'static,
{
    let endpoint = Arc::new(endpoint.map_to_response());
    let places = Arc::new(Semaphore::new(usize::try_from(limits.connections).unwrap_or(Semaphore::MAX_PERMITS)));
    let (connections, stopping) = (TaskTracker::new(), CancellationToken::new());
    tokio::pin!(stop);
    loop {
        // Without a free place the next connection waits in the kernel's queue.
        let (place, socket, peer) = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let connection =
            Connection { endpoint: Arc::clone(&endpoint), peer, head: limits.header_timeout, stopping: stopping.clone() };
        connections.spawn(async move {
            connection.hold(socket).await;
            drop(place);
        });
    }
    drop(listener);
    stopping.cancel();
    connections.close();
    if timeout(GRACE, connections.wait()).await.is_err() {
        tracing::warn!("requests were cut off: they did not end in time");
    }
}

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (Option<OwnedSemaphorePermit>, TcpStream, SocketAddr) {
    // The semaphore is never closed.
    let place = Arc::clone(places).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => return (place, socket, peer),
            Err(error) => {
                tracing::warn!(%error, "a connection can't be taken");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

struct Connection<E> {
    endpoint: Arc<E>,
    peer: SocketAddr,
    head: Duration,
    stopping: CancellationToken,
}

impl<E: Endpoint<Output = Response> + 'static> Connection<E> {
    async fn hold(self, socket: TcpStream) {
        let Ok(local) = socket.local_addr() else { return };
        let running = watch::Sender::new(0_usize);
        let watched = running.subscribe();
        let service = service_fn(|request: Request<Incoming>| {
            let (endpoint, running) = (Arc::clone(&self.endpoint), Running::one(&running));
            let (local, remote) = (LocalAddr(Addr::SocketAddr(local)), RemoteAddr(Addr::SocketAddr(self.peer)));
            async move {
                let response = endpoint.get_response((request, local, remote, Scheme::HTTP).into()).await;
                // A request runs until the last of its answer is sent.
                let response = hyper::Response::from(response);
                Ok::<_, Infallible>(response.map(|body| {
                    body.map_frame(move |frame| {
                        let _ = &running;
                        frame
                    })
                }))
            }
        });
        let mut stream = TimeoutStream::new(socket);
        stream.set_write_timeout(Some(WRITE_PATIENCE));
        let builder = builder();
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(Box::pin(stream)), service);
        tokio::pin!(connection);
        tokio::select! {
            // What went wrong on a connection is its peer's affair.
            _ = &mut connection => return,
            () = until_tiresome(watched.clone(), self.head) => {}
            () = self.stopping.cancelled() => {}
        }
        if *watched.borrow() == 0 && !self.stopping.is_cancelled() {
            return;
        }
        connection.as_mut().graceful_shutdown();
        let _ = timeout(GRACE, connection).await;
    }
}

/// Waits until a connection is silent for too long, or busy for too long.
async fn until_tiresome(mut running: watch::Receiver<usize>, head: Duration) {
    let mut patience = head;
    loop {
        if timeout(patience, running.wait_for(|running| *running > 0)).await.is_err() {
            return;
        }
        if timeout(BUSY_MAX, running.wait_for(|running| *running == 0)).await.is_err() {
            return;
        }
        patience = IDLE;
    }
}

/// One more request that runs, until this is dropped.
struct Running(watch::Sender<usize>);

impl Running {
    fn one(running: &watch::Sender<usize>) -> Self {
        running.send_modify(|running| *running += 1);
        Self(running.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running = running.saturating_sub(1));
    }
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().max_buf_size(HEAD_BYTES_MAX as usize).max_headers(HEADERS_MAX);
    builder.http2().max_concurrent_streams(STREAMS_MAX).max_header_list_size(HEAD_BYTES_MAX);
    builder
}
