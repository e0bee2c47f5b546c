//! Connections that are kept between uses.
//!
//! What was cut while nobody used it must not be met by whoever takes it: it is asked first. A transaction's `BEGIN` is
//! that question, so that it costs no round trip of its own. What may be done twice is not preceded by one, as long as
//! the connection answered a moment ago: it is done again on another. Nothing is asked when a connection is given back.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    time::{Duration, Instant},
};

use deadpool::managed::{self, Metrics, Object, PoolError, QueueMode, RecycleError, RecycleResult};
use sqlx::{ConnectOptions, Connection as _, Executor, PgConnection, postgres::PgConnectOptions};
use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};

use super::{MayBeCut, StoreError, unless_silent};

/// How long a caller waits for a connection before the database counts as away.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that does not answer within this is thrown away.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// What answered less than this ago is not asked by who can begin again.
const TRUST: Duration = Duration::from_secs(1);
/// Pause between tries to connect while the server starts.
const CONNECT_PAUSE: Duration = Duration::from_millis(50);
/// Connections older than this are made anew, so that they spread over servers that were added.
const AGE_MAX: Duration = Duration::from_mins(30);
/// Connections that nobody used for so long are closed.
const IDLE_MAX: Duration = Duration::from_mins(10);
/// How often such are looked for.
const IDLE_LOOK: Duration = Duration::from_mins(1);

/// Keeps connections.
#[derive(Clone, Debug)]
pub(super) struct Pool(managed::Pool<Connector>);

/// Makes connections.
struct Connector(PgConnectOptions);

/// A connection that is kept.
#[derive(Debug)]
struct Kept {
    conn: PgConnection,
    /// When it last answered to the end; `None` while nobody knows what still comes.
    answered: Option<Instant>,
}

impl Kept {
    fn is_trusted(&self) -> bool {
        self.answered.is_some_and(|at| at.elapsed() < TRUST)
    }
}

impl fmt::Debug for Connector {
    /// Nothing of the options, for the password is among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

impl managed::Manager for Connector {
    type Type = Kept;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<Kept, sqlx::Error> {
        Ok(Kept { conn: self.0.connect().await?, answered: None })
    }

    async fn recycle(&self, _kept: &mut Kept, metrics: &Metrics) -> RecycleResult<sqlx::Error> {
        if metrics.age() < AGE_MAX { Ok(()) } else { Err(RecycleError::message("it is old")) }
    }
}

/// What a connection is asked when it is taken.
#[derive(Debug, Clone, Copy)]
enum Question {
    /// Whether it is there.
    Ping,
    /// The same, unless it answered a moment ago.
    PingUnlessTrusted,
    /// To begin a transaction, with this statement.
    Begin(&'static str),
}

impl Question {
    async fn ask(self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        match self {
            Self::Ping | Self::PingUnlessTrusted => conn.ping().await,
            Self::Begin(statement) => conn.execute(statement).await.map(drop),
        }
    }
}

impl Pool {
    /// Prepares a pool of at most `size_max`; it connects when it is first used. Call it inside a runtime.
    pub(super) fn new(options: PgConnectOptions, size_max: u32) -> Result<Self, StoreError> {
        let size_max = usize::try_from(size_max).unwrap_or(usize::MAX);
        let builder = managed::Pool::builder(Connector(options)).max_size(size_max).queue_mode(QueueMode::Lifo);
        let pool = builder.build().map_err(|error| sqlx::Error::Configuration(error.into()))?;
        tokio::spawn(close_idle(pool.weak()));
        Ok(Self(pool))
    }

    /// A connection that answers.
    pub(super) async fn acquire(&self) -> Result<Conn, StoreError> {
        let mut conn = self.take(Question::Ping).await?;
        conn.is_whole = true;
        Ok(conn)
    }

    /// A connection for [`repeat`](super::repeat): one that answered a moment ago is not asked.
    pub(super) async fn trust(&self) -> Result<Trusted, StoreError> {
        let mut conn = self.take(Question::PingUnlessTrusted).await?;
        let was_asked = conn.kept().answered.take().is_none();
        Ok(Trusted { conn, was_asked })
    }

    /// A transaction that has begun, with this statement.
    pub(super) async fn begin(&self, statement: &'static str) -> Result<Tx, StoreError> {
        Ok(Tx(self.take(Question::Begin(statement)).await?))
    }

    /// A connection that has answered; not whole yet.
    async fn take(&self, question: Question) -> Result<Conn, StoreError> {
        let answering = async {
            loop {
                let mut object = self.connect().await?;
                if matches!(question, Question::PingUnlessTrusted) && object.is_trusted() {
                    return Ok(Conn { object: Some(object), is_whole: false });
                }
                object.answered = None;
                let is_new = Object::metrics(&object).recycle_count == 0;
                // Whoever gives up meanwhile leaves half an answer on it.
                let mut conn = Conn { object: Some(object), is_whole: false };
                match timeout(ANSWER_TIMEOUT, question.ask(&mut conn)).await {
                    Ok(Ok(())) => return Ok(conn),
                    Ok(Err(error)) if is_new => return Err(error),
                    // It was cut while nobody used it; the next may live.
                    Ok(Err(_)) | Err(_) => {}
                }
            }
        };
        let taken = timeout(ACQUIRE_TIMEOUT, answering).await;
        Ok(taken.unwrap_or(Err(sqlx::Error::PoolTimedOut))?)
    }

    /// One that is kept, or a new one; waits while the server starts.
    async fn connect(&self) -> Result<Object<Connector>, sqlx::Error> {
        loop {
            match self.0.get().await {
                Ok(object) => return Ok(object),
                Err(PoolError::Backend(error)) if is_starting(&error) => sleep(CONNECT_PAUSE).await,
                Err(PoolError::Backend(error)) => return Err(error),
                Err(PoolError::Closed) => return Err(sqlx::Error::PoolClosed),
                Err(_) => return Err(sqlx::Error::PoolTimedOut),
            }
        }
    }

    /// Closes what is kept; what is in use closes when it is given back.
    pub(super) async fn close(&self) {
        let kept = self.0.retain(|_, _| false).removed;
        self.0.close();
        for Kept { conn, .. } in kept {
            // The server may be away; then there is nothing to close.
            let _ = conn.close().await;
        }
    }
}

/// Whether somebody who waits a little may be let in: the server is being started, or has no room at this moment.
fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(cause) => cause.kind() == std::io::ErrorKind::ConnectionRefused,
        sqlx::Error::Database(cause) => cause.is_transient_in_connect_phase(),
        _ => false,
    }
}

/// Closes connections that nobody uses, until the pool is gone.
async fn close_idle(pool: managed::WeakPool<Connector>) {
    loop {
        sleep(IDLE_LOOK).await;
        let Some(pool) = pool.upgrade() else { return };
        for Kept { conn, .. } in pool.retain(|_, metrics| metrics.last_used() < IDLE_MAX).removed {
            let _ = conn.close().await;
        }
    }
}

/// A connection for single statements; it is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Conn {
    /// `None` only while it is dropped.
    object: Option<Object<Connector>>,
    /// Whether another may use it: no transaction is open on it.
    is_whole: bool,
}

/// A connection for what may be done twice; another may use it after [`Self::judge`] only.
#[derive(Debug)]
pub(crate) struct Trusted {
    pub(crate) conn: Conn,
    /// Whether it answered just now: then it is no use to begin again.
    was_asked: bool,
}

impl Trusted {
    /// What was done on it; `None` when it turns out to have been cut before, so that it is to be done on another.
    pub(crate) fn judge<T, E: MayBeCut>(mut self, done: Result<T, E>) -> Option<Result<T, E>> {
        let is_cut = done.as_ref().is_err_and(MayBeCut::is_cut);
        if !is_cut {
            self.conn.has_answered();
        }
        (!is_cut || self.was_asked).then_some(done)
    }
}

/// A transaction; dropped without a commit, it is undone.
#[derive(Debug)]
pub struct Tx(Conn);

/// Only what was dropped has no connection.
const GONE: &str = "a connection is there until it is dropped";

impl Conn {
    /// Closes it instead of giving it back.
    pub(super) async fn discard(mut self) {
        if let Some(object) = self.object.take() {
            // The server may be away; then there is nothing to close.
            let _ = Object::take(object).conn.close().await;
        }
    }

    /// Undoes the transaction on it. A line that stays silent is given up, and its place is free for another.
    async fn undo(mut self) {
        if unless_silent(self.run("ROLLBACK")).await.is_ok() {
            self.has_answered();
        }
    }

    async fn run(&mut self, statement: &'static str) -> Result<(), StoreError> {
        self.execute(statement).await?;
        Ok(())
    }

    fn kept(&mut self) -> &mut Kept {
        self.object.as_mut().expect(GONE)
    }

    /// All that was asked of it was answered: another may use it.
    fn has_answered(&mut self) {
        self.kept().answered = Some(Instant::now());
        self.is_whole = true;
    }
}

impl Deref for Conn {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.object.as_ref().expect(GONE).conn
    }
}

impl DerefMut for Conn {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.kept().conn
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        if !self.is_whole
            && let Some(object) = self.object.take()
        {
            drop(Object::take(object));
        }
    }
}

impl Tx {
    /// Makes it last.
    ///
    /// # Errors
    ///
    /// When the database refuses it or is away: nothing of it lasts. When the connection was cut meanwhile, nobody knows
    /// whether it does.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        unless_silent(self.0.run("COMMIT")).await?;
        self.0.has_answered();
        Ok(())
    }

    /// Undoes it now, where a drop would do it soon.
    ///
    /// # Errors
    ///
    /// When the database is away: then it is undone all the same.
    pub(crate) async fn rollback(mut self) -> Result<(), StoreError> {
        unless_silent(self.0.run("ROLLBACK")).await?;
        self.0.has_answered();
        Ok(())
    }
}

impl Deref for Tx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}

impl Drop for Tx {
    /// Undoes it in the background, and gives the connection back then. What can't be undone is closed, and the server
    /// undoes it.
    fn drop(&mut self) {
        if !self.0.is_whole
            && let Ok(runtime) = Handle::try_current()
            && let Some(object) = self.0.object.take()
        {
            runtime.spawn(Conn { object: Some(object), is_whole: false }.undo());
        }
    }
}
