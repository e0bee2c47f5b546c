//! What jobs may use.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::Semaphore;
use vouch_common::{
    adapters::{
        objects::{Objects, ObjectsError},
        redis::Redis,
        wake::Waker,
    },
    clock::{SharedClock, SystemClock},
    config::Settings,
    operations::OperationError,
    store::{Db, StoreError, jobs::Lease},
};

use crate::{
    adapters::{
        analytics::{Analytics, AnalyticsError},
        mail::{MailError, Mailer},
        vendor::{VendorClient, VendorError},
    },
    options::CORES,
    progress::Progress,
    runtime::{far_side::Untold, finisher::Finisher},
};

/// The worker's parts; a clone is cheap.
#[derive(Clone)]
pub struct Services(Arc<Parts>);

struct Parts {
    db: Db,
    finisher: Finisher,
    objects: Objects,
    redis: Arc<Redis>,
    waker: Waker,
    vendor: VendorClient,
    mailer: Mailer,
    analytics: Option<Analytics>,
    settings: Settings,
    clock: SharedClock,
    decoding: Semaphore,
    untold_answers: Untold,
    progress: Progress,
}

/// Why the worker can't be set up.
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
    Redis,
    /// The vendor.
    #[error("the vendor can't be spoken to")]
    Vendor(#[source] VendorError),
    /// The mail server.
    #[error("mail can't be sent")]
    Mail(#[source] MailError),
    /// The analytics service.
    #[error("events can't be sent")]
    Analytics(#[source] AnalyticsError),
}

impl Services {
    /// Puts the parts together on the machine's clock. Servers that are away are waited for later.
    ///
    /// # Errors
    ///
    /// When a setting can't be used. Call it inside a runtime.
    pub fn new(settings: Settings) -> Result<Self, SetUpError> {
        Self::with_clock(settings, Arc::new(SystemClock))
    }

    /// As [`Services::new`], on another clock; for tests.
    ///
    /// # Errors
    ///
    /// When a setting can't be used.
    pub fn with_clock(settings: Settings, clock: SharedClock) -> Result<Self, SetUpError> {
        let text = |secret: &vouch_common::secret::Secret| String::from_utf8_lossy(secret.expose()).into_owned();
        let db = Db::new(&text(&settings.database_url), settings.database_connections).map_err(SetUpError::Database)?;
        let redis = Arc::new(Redis::new(&text(&settings.redis_url)).map_err(|_| SetUpError::Redis)?);
        let objects =
            Objects::open(&settings.storage_url, &settings.public_url, &settings.master_keys).map_err(SetUpError::Objects)?;
        let vendor = VendorClient::new(&settings).map_err(SetUpError::Vendor)?;
        let mailer = Mailer::new(&settings).map_err(SetUpError::Mail)?;
        let db = if settings.analytics.is_some() { db.keeping_events() } else { db };
        let analytics = settings.analytics.as_ref().map(Analytics::new).transpose().map_err(SetUpError::Analytics)?;
        let finisher = Finisher::start(db.clone());
        let waker = Waker::start(Arc::clone(&redis));
        let untold_answers = Untold::default();
        let photos_at_once = settings.photos_at_once.and_then(|count| usize::try_from(count).ok());
        let decoding = Semaphore::new(photos_at_once.unwrap_or(*CORES));
        Ok(Self(Arc::new(Parts {
            db,
            finisher,
            objects,
            redis,
            waker,
            vendor,
            mailer,
            analytics,
            settings,
            clock,
            decoding,
            untold_answers,
            progress: Progress::default(),
        })))
    }

    /// The database.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.0.db
    }

    /// Ends a job that had no effect on the database (or none that is left to do), together with others.
    ///
    /// # Errors
    ///
    /// [`OperationError::Fenced`] when the job is somebody else's by now; or the database is away.
    pub async fn finish(&self, lease: Lease) -> Result<(), OperationError> {
        self.0.finisher.finish(lease).await
    }

    /// The object store.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        &self.0.objects
    }

    /// Redis.
    #[must_use]
    pub fn redis(&self) -> &Arc<Redis> {
        &self.0.redis
    }

    /// Tells the relays that there is work; call it after a commit that wrote jobs.
    pub fn wake(&self) {
        self.0.waker.wake();
    }

    /// The vendor.
    #[must_use]
    pub fn vendor(&self) -> &VendorClient {
        &self.0.vendor
    }

    /// Outgoing mail.
    #[must_use]
    pub fn mailer(&self) -> &Mailer {
        &self.0.mailer
    }

    /// Outgoing events; `None` when they are off.
    #[must_use]
    pub fn analytics(&self) -> Option<&Analytics> {
        self.0.analytics.as_ref()
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

    /// The vendor's answers that the breaker was not told of yet.
    #[must_use]
    pub fn untold_answers(&self) -> &Untold {
        &self.0.untold_answers
    }

    /// Whether this process gets on.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.0.progress
    }

    /// How many photos may be decoded at once in this process; it bounds the memory.
    #[must_use]
    pub fn decoding(&self) -> &Semaphore {
        &self.0.decoding
    }
}
