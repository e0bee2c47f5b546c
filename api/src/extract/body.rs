//! Bodies of bounded size.

use bytes::Bytes;
use poem::{Body, Request};

use crate::error::Fault;

/// Reads a whole body of at most `bytes_max`.
///
/// # Errors
///
/// 413 when it is longer, whether it says so or not; 400 when it breaks off.
pub async fn read(request: &Request, body: Body, bytes_max: usize) -> Result<Bytes, Fault> {
    let too_large = || Fault::too_large(format!("The request must not be larger than {}.", size(bytes_max)));
    let announced = request.header("content-length").and_then(|text| text.parse::<usize>().ok());
    if announced.is_some_and(|announced| announced > bytes_max) {
        return Err(too_large());
    }
    match body.into_bytes_limit(bytes_max).await {
        Ok(bytes) => Ok(bytes),
        Err(poem::error::ReadBodyError::PayloadTooLarge) => Err(too_large()),
        Err(_) => Err(Fault::bad_request("The request broke off before its end.")),
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

fn size(bytes: usize) -> String {
    match bytes / (1024 * 1024) {
        0 => format!("{} KiB", bytes / 1024),
        mebibytes => format!("{mebibytes} MiB"),
    }
}
