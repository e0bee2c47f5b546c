//! Services and operators: an api key with a scope. Each scope is a type, so a handler that needs one can't
//! be called without it.

use poem::{Request, http::StatusCode};
use poem_openapi::{SecurityScheme, auth::Bearer};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use vouch_common::{operations::api_keys, secret::Secret};

use super::learner::bearer;
use crate::{error::Fault, limits, state::AppState};

/// Whom a key belongs to.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The key's number; none for the key that the settings give.
    pub id: Option<i64>,
    /// The key's name, for the audit.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
}

impl Caller {
    /// Whose `Idempotency-Key`s they are: two keys of one name are two callers.
    #[must_use]
    pub fn owner(&self) -> String {
        self.id.map_or_else(|| "bootstrap".to_owned(), |id| format!("key:{id}"))
    }
}

/// What a key may do, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Admin,
    /// Sees and acts.
    Operator,
    /// Sees.
    Viewer,
    /// Pushes; sees nothing of attempts.
    Service,
}

impl Role {
    /// The role of a key with these scopes.
    #[must_use]
    pub fn of(scopes: &[String]) -> Self {
        let has = |wanted: &str| scopes.iter().any(|scope| scope == wanted);
        match () {
            () if has("admin") => Self::Admin,
            () if has("attempts:operate") => Self::Operator,
            () if has("attempts:read") => Self::Viewer,
            () => Self::Service,
        }
    }

    /// The role's name in the api.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::Viewer => "viewer",
            Self::Service => "service",
        }
    }
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

/// A key that may do everything (`admin`).
#[derive(SecurityScheme)]
#[oai(ty = "bearer", rename = "admin", checker = "check_admin")]
pub struct Admin(pub Caller);

/// A key of any scope.
#[derive(SecurityScheme)]
#[oai(ty = "bearer", rename = "any key", checker = "check_any")]
pub struct AnyKey(pub Caller);

async fn check_any(request: &Request, bearer: Bearer) -> poem::Result<Caller> {
    recognise(request, &bearer.token).await
}

async fn check_admin(request: &Request, bearer: Bearer) -> poem::Result<Caller> {
    check(request, &bearer.token, &["admin"]).await
}

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
    let caller = recognise(request, key).await?;
    if caller.scopes.iter().any(|scope| scope == "admin" || scopes.contains(&scope.as_str())) {
        Ok(caller)
    } else {
        Err(Fault::forbidden(format!("This key may not do that; it needs the scope {}.", scopes.join(" or "))).into())
    }
}

/// A caller who was recognised before the body was read, with the key that it was by.
#[derive(Clone)]
struct Admitted(Secret, Caller);

/// Recognises the caller of a request before its body is read.
///
/// # Errors
///
/// 401 without a key or with a wrong one, 429 when it has no requests left.
pub(crate) async fn admit(mut request: Request) -> poem::Result<Request> {
    let unauthorized = || poem::Error::from_status(StatusCode::UNAUTHORIZED);
    let key = Secret::new(bearer(&request).ok_or_else(unauthorized)?);
    let caller = recognise(&request, &String::from_utf8_lossy(key.expose())).await?;
    request.set_data(Admitted(key, caller));
    Ok(request)
}

async fn recognise(request: &Request, key: &str) -> poem::Result<Caller> {
    if let Some(Admitted(_, caller)) = request.data().filter(|Admitted(admitted, _)| admitted.expose() == key.as_bytes()) {
        return Ok(caller.clone());
    }
    let state = request.data::<AppState>().ok_or(Fault::Internal)?;
    let Some(caller) = find(state, key).await? else {
        return Err(limits::failed(request, || poem::Error::from_status(StatusCode::UNAUTHORIZED))?);
    };
    limits::proven(request);
    state.limits().of_key(caller.id)?;
    Ok(caller)
}

async fn find(state: &AppState, key: &str) -> Result<Option<Caller>, Fault> {
    if is_bootstrap_key(state, key) {
        return Ok(Some(Caller { id: None, name: "bootstrap".to_owned(), scopes: vec!["admin".to_owned()] }));
    }
    let found = api_keys::recognise(state.db(), key, state.now()).await?;
    Ok(found.map(|key| Caller { id: Some(key.id), name: key.name, scopes: key.scopes }))
}

fn is_bootstrap_key(state: &AppState, key: &str) -> bool {
    state.settings().bootstrap_api_key.as_ref().is_some_and(|bootstrap| {
        // Digests have one length, so the comparison tells nothing of the key's.
        bool::from(Sha256::digest(bootstrap.expose()).ct_eq(&Sha256::digest(key.as_bytes())))
    })
}
