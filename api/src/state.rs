//! What every handler may use.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use vouch_common::{
    adapters::{
        objects::{Objects, ObjectsError},
        redis::Redis,
        wake::Waker,
    },
    clock::{SharedClock, SystemClock},
    config::Settings,
    store::{Db, StoreError},
    telemetry::numbers::Numbers,
    vendor::software_secure::callback::SignatureMode,
};

use crate::{
    adapters::ecommerce::Ecommerce,
    adapters::geoip::Countries,
    extract::token::{TokenError, TokenVerifier},
    limits::Limits,
    pages::{Pages, PagesError},
};

/// The api's parts; a clone is cheap.
#[derive(Clone)]
pub struct AppState(Arc<Parts>);

struct Parts {
    db: Db,
    objects: Objects,
    redis: Arc<Redis>,
    waker: Waker,
    tokens: TokenVerifier,
    limits: Limits,
    countries: Countries,
    pages: Pages,
    ecommerce: Option<Ecommerce>,
    settings: Settings,
    clock: SharedClock,
    numbers: Option<Numbers>,
    is_stopping: watch::Sender<bool>,
}

/// Why the api can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// The database's address.
    #[error("DATABASE_URL can't be used")]
    Database(#[source] StoreError),
    /// The storage.
    #[error("VOUCH_STORAGE_URL can't be used")]
    Objects(#[source] ObjectsError),
    /// Redis' address.
    #[error("REDIS_URL can't be used")]
    Redis(String),
    /// The tokens' keys.
    #[error("learners' tokens can't be verified")]
    Tokens(#[source] TokenError),
    /// The limits.
    #[error("the limits are not set")]
    Limits,
    /// The pages: a fault of the build.
    #[error("the pages can't be built")]
    Pages(#[source] PagesError),
    /// The file that tells countries.
    #[error("VOUCH_GEOIP_DB can't be used")]
    Countries(#[source] maxminddb::MaxMindDbError),
    /// The e-commerce service.
    #[error("the e-commerce service's client can't be made")]
    Ecommerce(#[source] reqwest::Error),
}

impl AppState {
    /// Puts the parts together on the machine's clock; `/metrics` shows `numbers`. Nothing is connected yet: servers that are away are
    /// waited for, and until then the api is not ready.
    ///
    /// # Errors
    ///
    /// When an address can't be used. Call it inside a runtime.
    pub fn new(settings: Settings, numbers: Numbers) -> Result<Self, SetUpError> {
        Self::with_clock(settings, Arc::new(SystemClock), Some(numbers))
    }

    /// As [`AppState::new`], on another clock and perhaps without numbers; for tests.
    ///
    /// # Errors
    ///
    /// When an address can't be used.
    pub fn with_clock(settings: Settings, clock: SharedClock, numbers: Option<Numbers>) -> Result<Self, SetUpError> {
        let text = |secret: &vouch_common::secret::Secret| String::from_utf8_lossy(secret.expose()).into_owned();
        let db = Db::new(&text(&settings.database_url), settings.database_connections).map_err(SetUpError::Database)?;
        let db = if settings.analytics.is_some() { db.keeping_events() } else { db };
        let redis = Redis::new(&text(&settings.redis_url)).map_err(|error| SetUpError::Redis(error.to_string()))?;
        let redis = Arc::new(redis);
        let objects =
            Objects::open(&settings.storage_url, &settings.public_url, &settings.master_keys).map_err(SetUpError::Objects)?;
        let tokens = TokenVerifier::new(settings.jwt.as_ref(), settings.jwt_claims.clone()).map_err(SetUpError::Tokens)?;
        let limits = Limits::new(settings.limits.as_ref().ok_or(SetUpError::Limits)?);
        let countries = Countries::open(settings.embargo.geoip_db.as_deref()).map_err(SetUpError::Countries)?;
        let ecommerce = settings.shop.ecommerce.as_ref().map(Ecommerce::new).transpose().map_err(SetUpError::Ecommerce)?;
        let pages = Pages::new(settings.public_url.scheme() == "https").map_err(SetUpError::Pages)?;
        let waker = Waker::start(Arc::clone(&redis));
        let is_stopping = watch::Sender::new(false);
        let parts = Parts {
            db,
            objects,
            redis,
            waker,
            tokens,
            limits,
            countries,
            pages,
            ecommerce,
            settings,
            clock,
            numbers,
            is_stopping,
        };
        Ok(Self(Arc::new(parts)))
    }

    /// The database.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.0.db
    }

    /// The object store.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        &self.0.objects
    }

    /// Redis, to see whether it is there.
    #[must_use]
    pub fn redis(&self) -> &Redis {
        &self.0.redis
    }

    /// Tells the relays that there is work; call it after a commit.
    pub fn wake(&self) {
        self.0.waker.wake();
    }

    /// Verifies learners' tokens.
    #[must_use]
    pub fn tokens(&self) -> &TokenVerifier {
        &self.0.tokens
    }

    /// How much each caller may still take.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// What a learner sees.
    #[must_use]
    pub fn pages(&self) -> &Pages {
        &self.0.pages
    }

    /// Tells the country of an address.
    #[must_use]
    pub fn countries(&self) -> &Countries {
        &self.0.countries
    }

    /// The e-commerce service, if there is one.
    #[must_use]
    pub fn ecommerce(&self) -> Option<&Ecommerce> {
        self.0.ecommerce.as_ref()
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The present moment (UTC).
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }

    /// Ends the answers that would go on for ever: the program stops.
    pub fn stop(&self) {
        self.0.is_stopping.send_replace(true);
    }

    /// Waits until the program stops.
    pub async fn stopped(&self) {
        // The sender lives as long as this state, so there is always a word to wait for.
        let _ = self.0.is_stopping.subscribe().wait_for(|is_stopping| *is_stopping).await;
    }

    /// The numbers of this process, as Prometheus reads them.
    #[must_use]
    pub fn numbers(&self) -> String {
        self.0.numbers.as_ref().map(Numbers::render).unwrap_or_default()
    }

    /// Whether callbacks with a bad signature are let in.
    #[must_use]
    pub fn accepts_unsigned_callbacks(&self) -> bool {
        self.0.settings.vendor.signature_mode == SignatureMode::Audit
    }
}
