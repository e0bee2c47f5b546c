//! `GET /photos/…`: the vendor downloads what the folder store holds, by signed URL.

use poem::{
    Request, Response, handler,
    http::StatusCode,
    web::{Data, Path, Query},
};
use serde::Deserialize;
use vouch_common::adapters::objects::ObjectsError;

use crate::{error::Fault, limits, state::AppState};

/// What a signed URL carries.
#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    expires: String,
    #[serde(default)]
    signature: String,
}

/// Serves an object to whom holds a valid URL.
#[handler]
pub(super) async fn download(
    request: &Request,
    state: Data<&AppState>,
    Path(name): Path<String>,
    Query(link): Query<Link>,
) -> Result<Response, Fault> {
    if !state.objects().is_link_valid(&name, &link.expires, &link.signature, state.now()) {
        let refused = || Fault::forbidden("This link is not valid, or not any more.");
        return Err(limits::failed(request, refused)?);
    }
    limits::proven(request);
    let bytes = match state.objects().get(&name).await {
        Ok(bytes) => bytes,
        Err(ObjectsError::Missing(_)) => return Err(Fault::not_found("There is no such photo.")),
        Err(error) => return Err(error.into()),
    };
    Ok(Response::builder()
        .status(StatusCode::OK)
        .content_type("application/octet-stream")
        .header("cache-control", "no-store")
        .header("x-content-type-options", "nosniff")
        .body(bytes))
}
