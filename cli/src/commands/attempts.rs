//! `vouch attempts`: find, understand and decide attempts.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::{
    approve_many,
    arguments::{self, Page},
    listing, series,
};
use crate::{
    api::{Access, Query},
    failure::EXIT_CODES,
    out::{Looks, Session, print},
    show::{self, Look, attempt, color_of, items_at, text_at},
};

/// An attempt has few jobs; of more dead ones the first are explained.
const EXPLAINED_MAX: usize = 5;

/// Find, understand and decide attempts.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Attempts {
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List attempts, newest first
    List(Box<List>),
    /// Show an attempt's timeline, what it waits for, and why its dead jobs died
    Show {
        /// Its receipt
        #[arg(value_parser = arguments::name)]
        receipt: String,
    },
    /// Set attempts going again
    Retry {
        /// Their receipts
        #[arg(required = true, value_name = "RECEIPT", value_parser = arguments::name)]
        receipts: Vec<String>,
        /// Why, for the audit
        #[arg(long, value_parser = arguments::reason)]
        reason: String,
    },
    /// Approve attempts by hand
    Approve(Approve),
    /// Deny attempts by hand
    Deny(Deny),
}

/// Which attempts.
#[derive(Debug, clap::Args)]
struct List {
    /// With one of these statuses
    #[arg(long, value_delimiter = ',', value_parser = arguments::statuses())]
    status: Vec<String>,
    /// Of this learner
    #[arg(long, value_name = "ID")]
    user: Option<i64>,
    /// With this receipt
    #[arg(long, value_parser = arguments::name)]
    receipt: Option<String>,
    /// With an open job on this queue
    #[arg(long, value_parser = arguments::queues())]
    queue: Option<String>,
    /// With an open job of this kind
    #[arg(long, value_parser = arguments::kinds())]
    kind: Option<String>,
    /// With an open job that failed with this class, such as vendor_refused
    #[arg(long, value_name = "CLASS")]
    error_class: Option<String>,
    /// With an open job that was answered with this HTTP status
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(100..=599))]
    http_status: Option<u16>,
    /// To which the vendor gave this code
    #[arg(long, value_name = "CODE")]
    vendor_code: Option<String>,
    /// Received after this time, this day, or so long ago (2h)
    #[arg(long, value_name = "WHEN", value_parser = arguments::moment)]
    created_after: Option<String>,
    /// Received before
    #[arg(long, value_name = "WHEN", value_parser = arguments::moment)]
    created_before: Option<String>,
    /// With the vendor since before
    #[arg(long, value_name = "WHEN", value_parser = arguments::moment)]
    submitted_before: Option<String>,
    #[command(flatten)]
    page: Page,
}

impl List {
    fn query(&self) -> Query {
        let status = (!self.status.is_empty()).then(|| self.status.join(","));
        Query::default()
            .with("status", status)
            .with("user_id", self.user)
            .with("receipt", self.receipt.as_ref())
            .with("queue", self.queue.as_ref())
            .with("kind", self.kind.as_ref())
            .with("error_class", self.error_class.as_ref())
            .with("http_status", self.http_status)
            .with("vendor_code", self.vendor_code.as_ref())
            .with("created_after", self.created_after.as_ref())
            .with("created_before", self.created_before.as_ref())
            .with("submitted_before", self.submitted_before.as_ref())
    }
}

/// Which attempts are approved.
#[derive(Debug, clap::Args)]
struct Approve {
    /// Their receipts
    #[arg(value_name = "RECEIPT", required_unless_present = "users_file", value_parser = arguments::name)]
    receipts: Vec<String>,
    /// Every open attempt of the learners whose numbers stand in this file, one a line; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "receipts")]
    users_file: Option<PathBuf>,
    /// Why, for the audit
    #[arg(long, value_parser = arguments::reason)]
    reason: String,
}

/// Which attempts are denied.
#[derive(Debug, clap::Args)]
struct Deny {
    /// Their receipts
    #[arg(required = true, value_name = "RECEIPT", value_parser = arguments::name)]
    receipts: Vec<String>,
    /// Why, for the audit; the learner does not see it
    #[arg(long, value_parser = arguments::reason)]
    reason: String,
    /// What the learner reads, in the vendor's codes: photoIdReasons:"Not provided"; again for each
    #[arg(long, value_name = "KIND:CODE", value_parser = learner_reason)]
    learner_reason: Vec<(String, String)>,
}

/// A reason as the vendor gives it: its kind and its code.
fn learner_reason(text: &str) -> Result<(String, String), String> {
    let (kind, code) = text.split_once(':').ok_or_else(|| r#"write it as photoIdReasons:"Not provided""#.to_owned())?;
    let code = code.trim().trim_matches('"').trim();
    if kind.trim().is_empty() || code.is_empty() {
        return Err(r#"write it as photoIdReasons:"Not provided""#.to_owned());
    }
    Ok((kind.trim().to_owned(), code.to_owned()))
}

impl Attempts {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// A [`crate::failure::Failure`].
    pub async fn run(self, looks: &Looks) -> Result<()> {
        let session = Session::open(&self.access, looks)?;
        match self.verb {
            Verb::List(list) => listing::tell(&session, &["attempts"], list.query(), &list.page, &attempt::LIST).await,
            Verb::Show { receipt } => show_one(&session, &receipt).await,
            Verb::Retry { receipts, reason } => act(&session, &receipts, "retry", &json!({ "reason": reason })).await,
            Verb::Approve(Approve { users_file: Some(file), reason, .. }) => approve_many::run(&session, &file, &reason).await,
            Verb::Approve(Approve { receipts, reason, .. }) => {
                act(&session, &receipts, "approve", &json!({ "reason": reason })).await
            }
            Verb::Deny(deny) => act(&session, &deny.receipts, "deny", &deny.document()).await,
        }
    }
}

impl Deny {
    fn document(&self) -> Value {
        let mut document = json!({ "reason": self.reason });
        if !self.learner_reason.is_empty() {
            let mut kinds: Map<String, Value> = Map::new();
            for (kind, code) in &self.learner_reason {
                if let Value::Array(codes) = kinds.entry(kind).or_insert_with(|| json!([])) {
                    codes.push(json!(code));
                }
            }
            document["learner_reasons"] = kinds.into();
        }
        document
    }
}

async fn act(session: &Session, receipts: &[String], verb: &str, document: &Value) -> Result<()> {
    series::each(session, receipts, async |receipt| session.api.post(&["attempts", receipt, verb], document).await, acted).await
}

/// What became of an attempt: one line.
fn acted(answer: &Value, look: &Look) -> String {
    let status = text_at(answer, "/status");
    let jobs: Vec<String> = items_at(answer, "jobs").map(|job| show::clean(&job.to_string())).collect();
    let jobs = jobs.join(",");
    let line = [text_at(answer, "/receipt_id"), look.paint(&status, color_of(&status)), jobs];
    line.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\t") + "\n"
}

async fn show_one(session: &Session, receipt: &str) -> Result<()> {
    let document = session.api.get(&["attempts", receipt], &Query::default()).await?;
    if session.is_json {
        return print(&format!("{document:#}\n"));
    }
    let mut dead = Vec::new();
    for job in items_at(&document, "jobs").filter(|job| job["state"] == "dead").take(EXPLAINED_MAX) {
        let known = session.api.get(&["jobs", &text_at(job, "/id")], &Query::default()).await;
        // What the attempt tells of the job is enough to go on with.
        dead.push(known.unwrap_or_else(|_| job.clone()));
    }
    print(&attempt::show(&document, &dead, &session.look()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_for_the_learner_are_the_vendors_document() {
        let parse = |text: &str| learner_reason(text).unwrap();
        let deny = Deny {
            receipts: Vec::new(),
            reason: "why".to_owned(),
            learner_reason: vec![
                parse(r#"photoIdReasons:"Not provided""#),
                parse("photoIdReasons: Text not clear"),
                parse("userPhotoReasons:Face out of view"),
            ],
        };
        let expected = json!({ "photoIdReasons": ["Not provided", "Text not clear"], "userPhotoReasons": ["Face out of view"] });
        assert_eq!(deny.document()["learner_reasons"], expected);
        for bad in ["", "photoIdReasons", "photoIdReasons:", ":x"] {
            assert!(learner_reason(bad).is_err(), "{bad}");
        }
    }
}
