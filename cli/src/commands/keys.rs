//! `vouch keys`: keys of services and operators, and the master keys. Speaks to the database, so that the first key can be made.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use vouch_common::{
    clock::{Clock, SystemClock},
    operations::api_keys::{self, SCOPES},
};

use super::{arguments, master_keys, open_database};
use crate::out::Looks;

/// Keys of services and operators, and the master keys.
#[derive(Debug, clap::Args)]
pub struct Keys {
    /// The database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, global = true, default_value = "")]
    database_url: String,
    /// What to do
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make a key and print it alone; it can't be shown again
    Create {
        /// What it is called
        #[arg(long)]
        name: String,
        /// What it may do: lms:write, attempts:read, attempts:operate, admin
        #[arg(long = "scope", required = true, value_delimiter = ',')]
        scopes: Vec<String>,
        /// When it ends, as 90d; never by default
        #[arg(long, value_parser = humantime::parse_duration)]
        expires_in: Option<Duration>,
    },
    /// List keys, without the keys themselves
    List {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key
    Revoke {
        /// Its number, as `vouch keys list` shows it
        id: i64,
    },
    /// What each master key of VOUCH_MASTER_KEYS has sealed, and whether it may go
    Status {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Seal under the newest master key what the others sealed, so that they may go; may be stopped and done again
    Rewrap {
        /// Who does it, for the audit
        #[arg(long, env = "USER", default_value = "vouch", value_parser = arguments::name)]
        by: String,
        /// Why, for the audit
        #[arg(long, value_parser = arguments::reason)]
        reason: String,
    },
}

impl Keys {
    /// Makes, lists or revokes keys; tells of the master keys and frees them.
    ///
    /// # Errors
    ///
    /// When the database or the object store is away, or there is no such key.
    pub async fn run(self, looks: &Looks) -> Result<()> {
        let db = open_database(&self.database_url)?;
        let now = SystemClock.now();
        match self.verb {
            Verb::Create { name, scopes, expires_in } => {
                if let Some(unknown) = scopes.iter().find(|scope| !SCOPES.contains(&scope.as_str())) {
                    bail!("`{unknown}` is no scope; the scopes are {}", SCOPES.join(", "));
                }
                let expires_at = expires_in.map(|span| chrono::TimeDelta::from_std(span).map(|span| now + span)).transpose()?;
                let key = api_keys::create(&db, &name, &scopes, expires_at, now).await.context("the key could not be made")?;
                println!("{}", String::from_utf8_lossy(key.expose()));
            }
            Verb::List { json } => list(&db, json).await?,
            Verb::Revoke { id } => {
                if !api_keys::revoke(&db, id, now).await? {
                    bail!("there is no live key {id}; see `vouch keys list`");
                }
                println!("Key {id} is revoked.");
            }
            Verb::Status { json } => master_keys::status(&db, json, looks).await?,
            Verb::Rewrap { by, reason } => master_keys::rewrap(&db, &by, &reason).await?,
        }
        db.close().await;
        Ok(())
    }
}

async fn list(db: &vouch_common::store::Db, as_json: bool) -> Result<()> {
    let keys = api_keys::list(db).await?;
    if as_json {
        let items: Vec<_> = keys
            .iter()
            .map(|key| {
                json!({ "id": key.id, "name": key.name, "scopes": key.scopes, "created_at": key.created_at,
                        "expires_at": key.expires_at, "revoked_at": key.revoked_at, "last_used_at": key.last_used_at })
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&items)?);
        return Ok(());
    }
    println!("{:>5}  {:<24} {:<40} {:<18} last used", "id", "name", "scopes", "state");
    for key in keys {
        let state = match (key.revoked_at, key.expires_at) {
            (Some(at), _) => format!("revoked {}", at.format("%Y-%m-%d")),
            (None, Some(at)) => format!("until {}", at.format("%Y-%m-%d")),
            (None, None) => "live".to_owned(),
        };
        let used = key.last_used_at.map_or_else(|| "never".to_owned(), |at| at.format("%Y-%m-%dT%H:%MZ").to_string());
        println!("{:>5}  {:<24} {:<40} {state:<18} {used}", key.id, key.name, key.scopes.join(","));
    }
    Ok(())
}
