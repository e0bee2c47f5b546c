//! The simulated vendor: a real HTTP server that checks what we send as strictly as the real one would.
//!
//! It speaks either wire format: verifies the signature and date of a submission, downloads, decrypts and decodes both photos, answers, and calls
//! the signed verdict back. A [`Script`] makes it slow, failing, silent, repeating, late or lying; a [`Journal`] tells
//! what it saw. Used in-process by tests and by `vouch simulate-vendor`.
//!
//! | request | does |
//! |---|---|
//! | `POST` to any other path | takes a submission |
//! | `GET /_journal?after=<seq>` | shows the journal as JSON |
//! | `GET /_script`, `PUT /_script` | shows or sets the script; setting starts its counters anew |
//!
//! What not: it keeps nothing but the journal file, and its control paths ask for no key, so it belongs on a loopback
//! address.

mod callback;
mod journal;
mod letter;
mod photos;
mod script;
mod server;
mod submission;

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use poem::Server;
use poem::listener::{Acceptor as _, Listener as _, TcpListener};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use vouch_common::secret::Secret;
use vouch_common::vendor::software_secure::cipher::PhotoKey;
use vouch_common::vendor::software_secure::rsa_keys::VendorPrivateKey;

pub use journal::{Entry, Event, Excerpt, Journal, Kind, PhotoFacts};
pub use photos::{DOWNLOAD_TIMEOUT, PhotoError, STORED_BYTES_MAX};
pub use script::{
    AnswerScript, CallbackScript, Covers, Fault, FollowUp, Forgery, Script, ScriptError, Timing, Verdict, VerdictRule,
};

/// Most orders that are remembered for answering repeats; beyond it the oldest is forgotten.
pub const ORDERS_MAX: usize = 1_000_000;
/// Most verdicts that wait to be called back; beyond it submissions are answered with 503.
pub const PENDING_VERDICTS_MAX: usize = 200_000;
/// Most photos that are decoded at a time, because a decoded photo takes much memory.
pub const DECODERS_MAX: usize = 8;
/// Most callbacks that are on their way at a time.
pub const CALLERS_MAX: usize = 128;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const CALLBACK_TIMEOUT: Duration = Duration::from_secs(15);
const STOP_GRACE: Duration = Duration::from_secs(2);

/// The time as the simulator sees it, which tests may freeze.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// The settings of a simulated vendor.
#[derive(Clone)]
pub struct SimulatorConfig {
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The access key that names us to the vendor and the vendor to us.
    pub access_key: String,
    /// The secret that both sides sign with, as the wire format's signatures take it.
    pub secret_key: Secret,
    /// The private half of the key for which photo keys are wrapped.
    pub private_key: VendorPrivateKey,
    /// The wire format.
    pub format: WireFormat,
    /// The file to which the journal is appended.
    pub journal: Option<PathBuf>,
    /// How long a verdict takes, unless the script says otherwise.
    pub verdict_delay: Duration,
    /// The behaviour at the start.
    pub script: Script,
    /// The clock for signatures, journal and the duration of faults.
    pub clock: Clock,
}

/// The wire format that a simulator speaks.
#[derive(Clone, Debug)]
pub enum WireFormat {
    /// What Open edX speaks.
    SoftwareSecure {
        /// The shared key of face photos; submissions whose wrapped face key is another are refused.
        face_key: PhotoKey,
    },
    /// Authenticated photos and Standard Webhooks. Scripts say their verdicts in the words of the other format.
    Sealed,
}

impl fmt::Debug for SimulatorConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SimulatorConfig").field("listen", &self.listen).finish_non_exhaustive()
    }
}

/// A running simulator; dropping it stops it without waiting.
pub struct Simulator {
    addr: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<io::Result<()>>,
    guard: DropGuard,
}

impl Simulator {
    /// Tells the address on which it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Gives the journal, which goes on growing.
    #[must_use]
    pub fn journal(&self) -> Journal {
        self.shared.journal.clone()
    }

    /// Tells whether no submission is being looked at and no verdict waits to be called back.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.shared.tasks.is_empty()
    }

    /// Changes the behaviour from the next submission on and starts the script's counters anew.
    ///
    /// # Errors
    /// [`ScriptError`] if a value is out of bounds; the old script stays.
    pub fn set_script(&self, script: Script) -> Result<(), ScriptError> {
        self.shared.set_script(script)
    }

    /// Stops listening, drops verdicts that were not called back yet, and waits for the rest.
    ///
    /// # Errors
    /// [`SimulatorError`] if the server had ended badly before.
    pub async fn shutdown(self) -> Result<(), SimulatorError> {
        drop(self.guard);
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        let served = self.server.await.map_err(|cause| SimulatorError::Crash { cause })?;
        served.map_err(|cause| SimulatorError::Serve { cause })
    }
}

/// Starts a simulator; when this returns, it accepts connections.
///
/// # Errors
/// [`SimulatorError`] if the script is out of bounds, the journal cannot be opened or the address is taken.
pub async fn start(config: SimulatorConfig) -> Result<Simulator, SimulatorError> {
    config.script.check().map_err(|cause| SimulatorError::Script { cause })?;
    let journal = Journal::open(config.journal.as_deref()).map_err(|cause| SimulatorError::OpenJournal { cause })?;
    let client = build_client()?;
    let listen = |cause| SimulatorError::Listen { addr: config.listen, cause };
    let acceptor = TcpListener::bind(config.listen).into_acceptor().await.map_err(listen)?;
    let addr = acceptor
        .local_addr()
        .iter()
        .find_map(|local| local.as_socket_addr().copied())
        .ok_or_else(|| listen(io::Error::other("no socket address")))?;
    let stop = CancellationToken::new();
    let shared = Arc::new(Shared {
        progress: Mutex::new(Progress::new(config.script.clone(), (config.clock)())),
        config,
        journal,
        client,
        decoders: Arc::new(Semaphore::new(DECODERS_MAX)),
        callers: Semaphore::new(CALLERS_MAX),
        tasks: TaskTracker::new(),
        stop: stop.clone(),
    });
    let routes = server::routes(Arc::clone(&shared));
    let stopped = stop.clone().cancelled_owned();
    let server = tokio::spawn(async move {
        Server::new_with_acceptor(acceptor).run_with_graceful_shutdown(routes, stopped, Some(STOP_GRACE)).await
    });
    Ok(Simulator { addr, shared, server, guard: stop.drop_guard() })
}

fn build_client() -> Result<reqwest::Client, SimulatorError> {
    // Whoever comes first sets the process's TLS provider; a second setting is refused and changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(CALLBACK_TIMEOUT)
        .build()
        .map_err(|cause| SimulatorError::Client { cause })
}

/// What all requests and all waiting verdicts of one simulator share.
struct Shared {
    config: SimulatorConfig,
    journal: Journal,
    client: reqwest::Client,
    decoders: Arc<Semaphore>,
    callers: Semaphore,
    tasks: TaskTracker,
    stop: CancellationToken,
    progress: Mutex<Progress>,
}

/// What changes while the simulator runs.
struct Progress {
    script: Arc<Script>,
    script_set_at: DateTime<Utc>,
    submissions: u64,
    orders: HashSet<Arc<str>>,
    orders_by_age: VecDeque<Arc<str>>,
}

impl Progress {
    fn new(script: Script, now: DateTime<Utc>) -> Self {
        Self {
            script: Arc::new(script),
            script_set_at: now,
            submissions: 0,
            orders: HashSet::new(),
            orders_by_age: VecDeque::new(),
        }
    }
}

impl Shared {
    fn now(&self) -> DateTime<Utc> {
        (self.config.clock)()
    }

    fn script(&self) -> Arc<Script> {
        Arc::clone(&self.progress().script)
    }

    fn set_script(&self, script: Script) -> Result<(), ScriptError> {
        script.check()?;
        let now = self.now();
        let mut progress = self.progress();
        progress.script = Arc::new(script);
        progress.script_set_at = now;
        progress.submissions = 0;
        Ok(())
    }

    /// Counts a submission and gives the script for it, with the fault that it must meet.
    fn next_turn(&self, name: &str) -> (Arc<Script>, Option<Fault>) {
        let now = self.now();
        let mut progress = self.progress();
        let age = (now - progress.script_set_at).to_std().unwrap_or_default();
        let fault = progress.script.answer.fault_for(name, progress.submissions, age).cloned();
        progress.submissions += 1;
        (Arc::clone(&progress.script), fault)
    }

    /// Remembers an order; `true` means that it is new and gets a verdict.
    fn remember(&self, order: &str) -> bool {
        let mut progress = self.progress();
        let order: Arc<str> = order.into();
        if !progress.orders.insert(Arc::clone(&order)) {
            return false;
        }
        progress.orders_by_age.push_back(order);
        if progress.orders_by_age.len() > ORDERS_MAX
            && let Some(oldest) = progress.orders_by_age.pop_front()
        {
            progress.orders.remove(&oldest);
        }
        true
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a simulator did not start or ended badly.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The script at the start is out of bounds.
    #[error("could not take the script of the simulator")]
    Script {
        /// What to mend.
        #[source]
        cause: ScriptError,
    },
    /// The journal's file could not be opened for appending.
    #[error("could not open the journal of the simulator")]
    OpenJournal {
        /// What the file system says.
        #[source]
        cause: io::Error,
    },
    /// The HTTP client for photos and callbacks could not be made.
    #[error("could not prepare the HTTP client of the simulator")]
    Client {
        /// What the client says.
        #[source]
        cause: reqwest::Error,
    },
    /// The address is taken or not ours.
    #[error("could not listen on {addr}")]
    Listen {
        /// The address from the settings.
        addr: SocketAddr,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The server stopped with an error.
    #[error("the server of the simulator failed")]
    Serve {
        /// What the server says.
        #[source]
        cause: io::Error,
    },
    /// The server's task ended without a result.
    #[error("the server of the simulator broke off")]
    Crash {
        /// What the runtime says.
        #[source]
        cause: JoinError,
    },
}

#[cfg(test)]
mod tests;
