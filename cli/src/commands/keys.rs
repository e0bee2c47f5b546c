//! `vouch keys`: keys of services and operators, and the master keys. Speaks to the database, so that the first key can be made.

use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};
use vouch_common::{
    clock::{Clock, SystemClock},
    operations::api_keys::{self, SCOPES},
    store::{Db, api_keys::ApiKeyView},
};

use super::{arguments, master_keys, open_database};
use crate::{
    failure::{EXIT_CODES, Failure},
    out::Looks,
    show::table::{self, Column, Shape},
};

/// The list of keys. The first five columns are as they always were.
const KEYS: [Column; 7] = [
    Column("ID", "/id", Shape::Name),
    Column("NAME", "/name", Shape::Name),
    Column("SCOPES", "/scopes", Shape::Made(scopes_of)),
    Column("STATE", "/state", Shape::Name),
    Column("LAST USED", "/last_used_at", Shape::Age),
    Column("ENDS", "/expires_at", Shape::Age),
    Column("REVOKED", "/revoked_at", Shape::Age),
];

/// Keys of services and operators, and the master keys.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
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
        #[arg(long = "scope", value_name = "SCOPE", required = true, num_args = 1.., value_delimiter = ',',
              value_parser = PossibleValuesParser::new(SCOPES))]
        scopes: Vec<String>,
        /// When it ends, as 90d; never by default
        #[arg(long, value_parser = humantime::parse_duration)]
        expires_in: Option<Duration>,
    },
    /// List keys, without the keys themselves
    List,
    /// Revoke a key
    Revoke {
        /// Its number, as `vouch keys list` shows it
        id: i64,
    },
    /// What each master key of VOUCH_MASTER_KEYS has sealed, and whether it may go
    Status,
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
                let expires_at =
                    expires_in.and_then(|span| TimeDelta::from_std(span).ok()).and_then(|span| now.checked_add_signed(span));
                if expires_in.is_some() && expires_at.is_none() {
                    return Err(
                        Failure::Refused("--expires-in is too long; leave it out for a key that never ends".to_owned()).into()
                    );
                }
                let key = api_keys::create(&db, &name, &scopes, expires_at, now).await.context("the key could not be made")?;
                let key = String::from_utf8_lossy(key.expose()).into_owned();
                let document = json!({ "name": name, "scopes": scopes, "expires_at": expires_at, "key": key });
                looks.tell(&document, |_, _| format!("{key}\n"))?;
            }
            Verb::List => list(&db, looks, now).await?,
            Verb::Revoke { id } => {
                if !api_keys::revoke(&db, id, now).await? {
                    return Err(Failure::NotFound(format!("there is no live key {id}; see `vouch keys list`")).into());
                }
                looks.tell(&json!({ "id": id, "revoked_at": now }), |_, _| format!("Key {id} is revoked.\n"))?;
            }
            Verb::Status => master_keys::status(&db, looks).await?,
            Verb::Rewrap { by, reason } => master_keys::rewrap(&db, looks, &by, &reason).await?,
        }
        db.close().await;
        Ok(())
    }
}

async fn list(db: &Db, looks: &Looks, now: DateTime<Utc>) -> Result<()> {
    let items: Vec<Value> = api_keys::list(db).await?.iter().map(|key| described(key, now)).collect();
    looks.tell(&json!({ "items": items, "next_cursor": null }), |document, look| table::list(&KEYS, document, look))
}

fn described(key: &ApiKeyView, now: DateTime<Utc>) -> Value {
    let state = match (key.revoked_at, key.expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(end)) if end <= now => "expired",
        (None, _) => "live",
    };
    json!({ "id": key.id, "name": key.name, "scopes": key.scopes, "state": state, "created_at": key.created_at,
            "expires_at": key.expires_at, "revoked_at": key.revoked_at, "last_used_at": key.last_used_at })
}

fn scopes_of(key: &Value) -> String {
    let scopes = key["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str);
    scopes.collect::<Vec<_>>().join(",")
}
