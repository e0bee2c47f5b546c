//! Redis: short lists of jobs that are ready, and a channel of wake-ups. It may be erased at any moment.

use std::time::Duration;

use ::redis::{AsyncConnectionConfig, Client, RedisResult, aio::MultiplexedConnection};
use tokio::sync::Mutex;

use crate::domain::effect::Queue;

/// How long an ordinary command may take; a stall of the server is waited out, not mistaken for death.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The channel on which wake-ups are published.
pub const WAKE_CHANNEL: &str = "vouch:wake";

/// The key of a queue's list; every command touches one key.
#[must_use]
pub fn list_key(queue: Queue) -> String {
    format!("vouch:queue:{queue}")
}

/// One shared connection that is made anew whenever it broke.
pub struct Redis {
    client: Client,
    shared: Mutex<Option<MultiplexedConnection>>,
}

impl Redis {
    /// Prepares the client; it connects when it is first used.
    ///
    /// # Errors
    ///
    /// When the address can't be read.
    pub fn new(url: &str) -> RedisResult<Self> {
        Ok(Self { client: Client::open(url)?, shared: Mutex::new(None) })
    }

    /// The shared connection for short commands.
    ///
    /// # Errors
    ///
    /// When Redis is away.
    pub async fn shared(&self) -> RedisResult<MultiplexedConnection> {
        let mut shared = self.shared.lock().await;
        if let Some(connection) = shared.as_ref() {
            return Ok(connection.clone());
        }
        let connection = self.connect(Some(RESPONSE_TIMEOUT)).await?;
        *shared = Some(connection.clone());
        Ok(connection)
    }

    /// Forgets the shared connection after a fault, so that the next use connects anew.
    pub async fn forget(&self) {
        *self.shared.lock().await = None;
    }

    /// A connection of one's own for blocking commands, without a response timeout.
    ///
    /// # Errors
    ///
    /// When Redis is away.
    pub async fn dedicated(&self) -> RedisResult<MultiplexedConnection> {
        self.connect(None).await
    }

    /// The client, for subscriptions.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Whether Redis answers.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub async fn check(&self) -> RedisResult<()> {
        let mut connection = self.shared().await?;
        let answer = ::redis::cmd("PING").query_async::<()>(&mut connection).await;
        if answer.is_err() {
            self.forget().await;
        }
        answer
    }

    async fn connect(&self, response_timeout: Option<Duration>) -> RedisResult<MultiplexedConnection> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_TIMEOUT)).set_response_timeout(response_timeout);
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }
}
