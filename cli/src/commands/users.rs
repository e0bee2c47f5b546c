//! `vouch users`: learners, as operators see to them. What `manual_verifications` did.

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::{approve_many, arguments, series};
use crate::{
    api::Access,
    failure::EXIT_CODES,
    out::{Looks, Session},
    show::{Look, color_of, text_at},
};

/// Sees to learners, through the api.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Users {
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Verify learners without photos: somebody saw the person and the ID. Who is verified already is refused
    Verify {
        /// Their numbers
        #[arg(value_name = "USER", required_unless_present = "users_file", value_parser = clap::value_parser!(i64).range(1..))]
        users: Vec<i64>,
        /// The learners whose numbers stand in this file, one a line; - is standard input
        #[arg(long, value_name = "FILE", conflicts_with = "users")]
        users_file: Option<PathBuf>,
        /// Why, for the audit
        #[arg(long, value_parser = arguments::reason)]
        reason: String,
    },
    /// Erase learners for good: names, photos, callbacks and reasons go, receipts and decisions stay. Prints each erasure
    Erase {
        /// Their numbers
        #[arg(required = true, value_name = "USER", value_parser = clap::value_parser!(i64).range(1..))]
        users: Vec<i64>,
        /// Why, for the audit; it is kept, so it must not name anybody
        #[arg(long, value_parser = arguments::reason)]
        reason: String,
    },
}

impl Users {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// A [`crate::failure::Failure`].
    pub async fn run(self, looks: &Looks) -> Result<()> {
        let session = Session::open(&self.access, looks)?;
        let (users, users_file, reason) = match self.verb {
            Verb::Verify { users, users_file, reason } => (users, users_file, reason),
            Verb::Erase { users, reason } => return erase(&session, &users, &reason).await,
        };
        let users = match users_file {
            Some(file) => approve_many::read(&file)?,
            None => users.iter().map(i64::to_string).collect(),
        };
        let document = json!({ "reason": reason });
        series::each(
            &session,
            &users,
            async |user| session.api.post(&["users", user, "verifications"], &document).await,
            verified,
        )
        .await
    }
}

/// The attempt by which a learner is verified: one line.
fn verified(answer: &Value, look: &Look) -> String {
    let status = text_at(answer, "/status");
    format!("{}\t{}\n", text_at(answer, "/receipt_id"), look.paint(&status, color_of(&status)))
}

async fn erase(session: &Session, users: &[i64], reason: &str) -> Result<()> {
    let document = json!({ "reason": reason });
    let ask = async |user: &i64| session.api.post(&["users", &user.to_string(), "erasure"], &document).await;
    series::each(session, users, ask, |answer, _| format!("{}\n", text_at(answer, "/erasure_id"))).await
}
