//! Services and operators: an api key with a scope. Each scope is a type, so a handler that needs one can't
//! be called without it.

use poem::{Request, http::StatusCode};
use poem_openapi::{SecurityScheme, auth::Bearer};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use vouch_common::operations::api_keys;

use crate::{error::Fault, state::AppState};

/// Whom a key belongs to.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The key's name, for the audit.
    pub name: String,
}

/// A key that may push what the learning platform knows (`lms:write`).
#[derive(SecurityScheme)]
#[oai(ty = "bearer", rename = "lms:write", checker = "check_lms_write")]
pub struct LmsWriter(pub Caller);

/// A key that may read attempts (`attempts:read`).
#[derive(SecurityScheme)]
#[oai(ty = "bearer", rename = "attempts:read", checker = "check_attempts_read")]
pub struct AttemptsReader(pub Caller);

/// A key that may act on attempts, jobs and queues (`attempts:operate`).
#[derive(SecurityScheme)]
#[oai(ty = "bearer", rename = "attempts:operate", checker = "check_attempts_operate")]
pub struct Operator(pub Caller);

async fn check_lms_write(request: &Request, bearer: Bearer) -> poem::Result<Caller> {
    check(request, &bearer.token, &["lms:write"]).await
}

async fn check_attempts_read(request: &Request, bearer: Bearer) -> poem::Result<Caller> {
    check(request, &bearer.token, &["attempts:read", "attempts:operate"]).await
}

async fn check_attempts_operate(request: &Request, bearer: Bearer) -> poem::Result<Caller> {
    check(request, &bearer.token, &["attempts:operate"]).await
}

/// `admin` may do everything.
async fn check(request: &Request, key: &str, scopes: &[&str]) -> poem::Result<Caller> {
    let state = request.data::<AppState>().ok_or(Fault::Internal)?;
    if is_bootstrap_key(state, key) {
        return Ok(Caller { name: "bootstrap".to_owned() });
    }
    let found = api_keys::recognise(state.db(), key, state.now()).await.map_err(Fault::from)?;
    let Some((name, granted)) = found else { return Err(poem::Error::from_status(StatusCode::UNAUTHORIZED)) };
    let may = granted.iter().any(|scope| scope == "admin" || scopes.contains(&scope.as_str()));
    if may {
        Ok(Caller { name })
    } else {
        Err(Fault::forbidden(format!("This key may not do that; it needs the scope {}.", scopes.join(" or "))).into())
    }
}

fn is_bootstrap_key(state: &AppState, key: &str) -> bool {
    state.settings().bootstrap_api_key.as_ref().is_some_and(|bootstrap| {
        // Digests have one length, so the comparison tells nothing of the key's.
        bool::from(Sha256::digest(bootstrap.expose()).ct_eq(&Sha256::digest(key.as_bytes())))
    })
}
