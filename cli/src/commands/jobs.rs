//! `vouch jobs` and `vouch errors`: the ledger's jobs, one by one and in groups that failed alike.

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    arguments::{self, Page},
    listing, series,
};
use crate::{
    api::{Access, Query},
    failure::EXIT_CODES,
    out::{Looks, Session},
    show::{Look, color_of, job, text_at},
};

/// Find, retry and drop jobs.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Jobs {
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List jobs
    List {
        /// In this state
        #[arg(long, value_parser = arguments::job_states())]
        state: Option<String>,
        #[command(flatten)]
        filter: Box<Filter>,
    },
    /// List dead jobs, which nothing but an operator sets going again
    Dead {
        /// Count those that failed alike
        #[arg(long, conflicts_with_all = ["fingerprint", "receipt", "user", "http_status", "older_than"])]
        groups: bool,
        #[command(flatten)]
        filter: Box<Filter>,
    },
    /// Show a job with the causes of its failure and its tries
    Show {
        /// Its number
        #[arg(value_parser = clap::value_parser!(i64).range(1..))]
        id: i64,
    },
    /// Set jobs going again that are dead or wait for another try
    Retry {
        /// Their numbers
        #[arg(required = true, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
        ids: Vec<i64>,
        /// Why, for the audit
        #[arg(long, value_parser = arguments::reason)]
        reason: String,
    },
    /// Drop dead jobs: their work is never done
    Drop {
        /// Their numbers
        #[arg(required = true, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
        ids: Vec<i64>,
        /// Why, for the audit
        #[arg(long, value_parser = arguments::reason)]
        reason: String,
    },
}

/// Which jobs.
#[derive(Debug, clap::Args)]
struct Filter {
    /// On this queue
    #[arg(long, value_parser = arguments::queues())]
    queue: Option<String>,
    /// Of this kind
    #[arg(long, value_parser = arguments::kinds())]
    kind: Option<String>,
    /// That failed with this class, such as vendor_refused
    #[arg(long, value_name = "CLASS")]
    error_class: Option<String>,
    /// That were answered with this HTTP status
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(100..=599))]
    http_status: Option<u16>,
    /// Of this group, as `vouch errors` names it
    #[arg(long, value_name = "GROUP")]
    fingerprint: Option<String>,
    /// Of this attempt
    #[arg(long, value_parser = arguments::name)]
    receipt: Option<String>,
    /// Of this learner
    #[arg(long, value_name = "ID")]
    user: Option<i64>,
    /// Older than this, such as 1h; of dead ones since they died
    #[arg(long, value_name = "SPAN", value_parser = arguments::span)]
    older_than: Option<String>,
    #[command(flatten)]
    page: Page,
}

impl Filter {
    fn query(&self, state: Option<&str>) -> Query {
        Query::default()
            .with("state", state)
            .with("queue", self.queue.as_ref())
            .with("kind", self.kind.as_ref())
            .with("error_class", self.error_class.as_ref())
            .with("http_status", self.http_status)
            .with("fingerprint", self.fingerprint.as_ref())
            .with("receipt", self.receipt.as_ref())
            .with("user_id", self.user)
            .with("older_than", self.older_than.as_ref())
    }
}

impl Jobs {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// A [`crate::failure::Failure`].
    pub async fn run(self, looks: &Looks) -> Result<()> {
        let session = Session::open(&self.access, looks)?;
        match self.verb {
            Verb::List { state, filter } => {
                listing::tell(&session, &["jobs"], filter.query(state.as_deref()), &filter.page, &job::LIST).await
            }
            Verb::Dead { groups: false, filter } => {
                listing::tell(&session, &["jobs"], filter.query(Some("dead")), &filter.page, &job::DEAD).await
            }
            Verb::Dead { groups: true, filter } => {
                listing::tell(&session, &["errors"], filter.query(None), &filter.page, &job::GROUPS).await
            }
            Verb::Show { id } => {
                let document = session.api.get(&["jobs", &id.to_string()], &Query::default()).await?;
                session.tell(&document, job::show)
            }
            Verb::Retry { ids, reason } => {
                let body = json!({ "reason": reason });
                let retry = async |id: &i64| session.api.post(&["jobs", &id.to_string(), "retry"], &body).await;
                series::each(&session, &ids, retry, retried).await
            }
            Verb::Drop { ids, reason } => {
                let drop = async |id: &i64| {
                    session.api.delete(&["jobs", &id.to_string()], &reason).await?;
                    Ok(json!({ "id": id, "state": "dropped" }))
                };
                series::each(&session, &ids, drop, retried).await
            }
        }
    }
}

/// What became of a job: one line.
fn retried(answer: &Value, look: &Look) -> String {
    let state = text_at(answer, "/state");
    format!("{}\t{}\n", text_at(answer, "/id"), look.paint(&state, color_of(&state)))
}

/// Groups of dead jobs that failed alike, most first.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Errors {
    #[command(flatten)]
    access: Access,
    /// On this queue
    #[arg(long, value_parser = arguments::queues())]
    queue: Option<String>,
    /// Of this kind
    #[arg(long, value_parser = arguments::kinds())]
    kind: Option<String>,
    /// Of this class, such as vendor_refused
    #[arg(long, value_name = "CLASS")]
    error_class: Option<String>,
    #[command(flatten)]
    page: Page,
}

impl Errors {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// A [`crate::failure::Failure`].
    pub async fn run(self, looks: &Looks) -> Result<()> {
        let session = Session::open(&self.access, looks)?;
        let query = Query::default()
            .with("queue", self.queue.as_ref())
            .with("kind", self.kind.as_ref())
            .with("error_class", self.error_class.as_ref());
        listing::tell(&session, &["errors"], query, &self.page, &job::GROUPS).await
    }
}
