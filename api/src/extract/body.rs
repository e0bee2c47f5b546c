//! Bodies of bounded size.

use std::{io, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use poem::{Body, Request, http::StatusCode};
use tokio::time::timeout;

use crate::{error::Fault, limits::Room, state::AppState};

/// Bodies up to so many bytes need no room: connections are bounded, and so is what these take.
const SMALL_BYTES: usize = 64 * 1024;
/// How long a body may take where no setting says it.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long the client of a refused body may go on sending before its connection is cut.
const LINGER_MAX: Duration = Duration::from_secs(30);

/// A body as it comes in.
type Chunks = BoxStream<'static, io::Result<Bytes>>;

/// Reads a whole body of at most `bytes_max`, for as long as the settings let it come.
///
/// # Errors
///
/// 413 when it is longer, whether it says so or not; 400 when it breaks off; 408 when it takes too long; 503 when
/// there is no room for it.
pub async fn read(request: &Request, body: Body, bytes_max: usize) -> Result<Bytes, Fault> {
    let limits = request.data::<AppState>().and_then(|state| state.settings().limits.as_ref());
    read_within(request, body, bytes_max, limits.map_or(PATIENCE, |limits| limits.body_timeout)).await
}

async fn collect(request: &Request, body: &mut Chunks, bytes_max: usize) -> Result<Bytes, Fault> {
    let too_large = || Fault::too_large(format!("The request must not be larger than {}.", size(bytes_max)));
    let announced = request.header("content-length").and_then(|text| text.parse::<usize>().ok());
    if announced.is_some_and(|announced| announced > bytes_max) {
        return Err(too_large());
    }
    let mut room = (bytes_max > SMALL_BYTES).then(|| Room::of(request));
    let mut read = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| Fault::bad_request("The request broke off before its end."))?;
        let bytes = read.len() + chunk.len();
        if bytes > bytes_max {
            return Err(too_large());
        }
        if let Some(room) = &mut room {
            room.grow(bytes).await?;
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read.into())
}

/// Lets go by what still comes of a refused body, up to so many bytes: a connection that is closed while its client
/// sends is cut, and the client hears no answer.
async fn discard(mut body: Chunks, bytes_max: usize) {
    let mut bytes = 0;
    while bytes < bytes_max
        && let Some(Ok(chunk)) = body.next().await
    {
        bytes += chunk.len();
    }
}

/// Lets no request of more than `bytes_max` reach a handler.
///
/// # Errors
///
/// As [`read`].
pub async fn bounded(mut request: Request, bytes_max: usize) -> Result<Request, Fault> {
    let body = request.take_body();
    if body.is_empty() {
        return Ok(request);
    }
    let bytes = read(&request, body, bytes_max).await?;
    request.set_body(bytes);
    Ok(request)
}

/// As [`read`], but the whole body must be there within `patience`.
///
/// # Errors
///
/// Those of [`read`], once the client has sent the rest or 30 s are over, so that it hears them; 408 when it
/// takes longer.
pub async fn read_within(request: &Request, body: Body, bytes_max: usize, patience: Duration) -> Result<Bytes, Fault> {
    let mut body = body.into_bytes_stream().boxed();
    let Ok(collected) = timeout(patience, collect(request, &mut body, bytes_max)).await else {
        return Err(Fault::Refused(StatusCode::REQUEST_TIMEOUT, "The request took too long to arrive.".to_owned()));
    };
    if collected.is_err() {
        Room::give_back(request);
        // Who waits to be asked for the body is not asked.
        if request.header("expect").is_none() {
            let _ = timeout(LINGER_MAX, discard(body, bytes_max)).await;
        }
    }
    collected
}

fn size(bytes: usize) -> String {
    match bytes / (1024 * 1024) {
        0 => format!("{} KiB", bytes / 1024),
        mebibytes => format!("{mebibytes} MiB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_that_does_not_end_is_given_up() {
        let (reader, _writer) = tokio::io::duplex(8);
        let read = read_within(&Request::default(), Body::from_async_read(reader), 8, Duration::from_millis(1)).await;
        assert_eq!(read.err().map(|fault| fault.status()), Some(StatusCode::REQUEST_TIMEOUT));
    }
}
