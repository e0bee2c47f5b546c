//! `vouch retries`: sets many going again, at a rate.

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use super::{
    arguments::{self, Page},
    listing,
    watch::watch,
};
use crate::{
    api::{Access, Query},
    failure::{EXIT_CODES, Failure},
    out::{Looks, Session},
    show::{bulk, text_at},
};

/// How often a watch looks.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// Set many going again, at a rate; watch and cancel it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Retries {
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Retry all that match: shows what it would do, asks, and starts it
    #[command(after_help = START_HELP)]
    Start(Box<Start>),
    /// Show a bulk retry
    Show {
        /// Its id
        #[arg(value_parser = arguments::name)]
        id: String,
        /// Follow it until it ends
        #[arg(long)]
        watch: bool,
    },
    /// List bulk retries, newest first
    List {
        #[command(flatten)]
        page: Page,
    },
    /// Cancel a bulk retry; what it has set going stays so
    Cancel {
        /// Its id
        #[arg(value_parser = arguments::name)]
        id: String,
        /// Why, for the audit
        #[arg(long, value_parser = arguments::reason)]
        reason: String,
    },
}

const START_HELP: &str =
    "At least one filter is needed; --state dead takes every dead job. Without --status the dead jobs that match are \
    retried; with --status (and no filter of jobs) the attempts that match, as by `vouch attempts retry`.
WHEN is a time (2026-11-25T03:00:00Z), a day (2026-11-25), or how long ago (2h).";

/// What is retried, and how.
#[derive(Debug, clap::Args)]
struct Start {
    #[command(flatten)]
    filter: Filter,
    /// Items a second
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Why, for the audit
    #[arg(long, required_unless_present = "dry_run", value_parser = arguments::reason)]
    reason: Option<String>,
    /// Only show what it would do
    #[arg(long, conflicts_with_all = ["yes", "watch"])]
    dry_run: bool,
    /// Start without asking
    #[arg(long)]
    yes: bool,
    /// Follow it until it ends
    #[arg(long)]
    watch: bool,
}

/// Which are retried.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct Filter {
    /// Every dead job
    #[arg(long, value_parser = ["dead"])]
    state: Option<String>,
    /// Jobs on this queue
    #[arg(long, value_parser = arguments::queues())]
    queue: Option<String>,
    /// Jobs of this kind
    #[arg(long, value_parser = arguments::kinds())]
    kind: Option<String>,
    /// Jobs that failed with this class, such as vendor_refused
    #[arg(long, value_name = "CLASS")]
    error_class: Option<String>,
    /// Jobs that were answered with this HTTP status
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(100..=599))]
    http_status: Option<u16>,
    /// Jobs of this group, as `vouch errors` names it
    #[arg(long, value_name = "GROUP")]
    fingerprint: Option<String>,
    /// Attempts to which the vendor gave this code
    #[arg(long, value_name = "CODE")]
    vendor_code: Option<String>,
    /// Attempts with this status
    #[arg(long, value_parser = arguments::statuses())]
    status: Option<String>,
    /// Attempts of this learner
    #[arg(long, value_name = "ID")]
    user: Option<i64>,
    /// Attempts with these receipts
    #[arg(long, value_name = "RECEIPT", num_args = 1.., value_delimiter = ',', value_parser = arguments::name)]
    receipt: Vec<String>,
    /// Attempts whose receipts stand in this file, one a line; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "receipt")]
    receipts_file: Option<PathBuf>,
    /// These jobs
    #[arg(long, value_name = "JOB", num_args = 1.., value_delimiter = ',', value_parser = clap::value_parser!(i64).range(1..))]
    job: Vec<i64>,
    /// Jobs that failed after
    #[arg(long, value_name = "WHEN", value_parser = arguments::moment)]
    failed_after: Option<String>,
    /// Jobs that failed before
    #[arg(long, value_name = "WHEN", value_parser = arguments::moment)]
    failed_before: Option<String>,
    /// Received after
    #[arg(long, value_name = "WHEN", value_parser = arguments::moment)]
    created_after: Option<String>,
    /// Received before
    #[arg(long, value_name = "WHEN", value_parser = arguments::moment)]
    created_before: Option<String>,
    /// With the vendor since after
    #[arg(long, value_name = "WHEN", value_parser = arguments::moment)]
    submitted_after: Option<String>,
    /// With the vendor since before
    #[arg(long, value_name = "WHEN", value_parser = arguments::moment)]
    submitted_before: Option<String>,
}

impl Filter {
    fn document(&self) -> Result<Value> {
        let receipts = match &self.receipts_file {
            Some(file) => super::approve_many::read(file)?,
            None => self.receipt.clone(),
        };
        let texts = [
            ("state", &self.state),
            ("queue", &self.queue),
            ("kind", &self.kind),
            ("error_class", &self.error_class),
            ("fingerprint", &self.fingerprint),
            ("vendor_code", &self.vendor_code),
            ("status", &self.status),
            ("failed_after", &self.failed_after),
            ("failed_before", &self.failed_before),
            ("created_after", &self.created_after),
            ("created_before", &self.created_before),
            ("submitted_after", &self.submitted_after),
            ("submitted_before", &self.submitted_before),
        ];
        let mut filter: Map<String, Value> =
            texts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?)))).collect();
        filter.extend(self.http_status.map(|status| ("http_status".to_owned(), json!(status))));
        filter.extend(self.user.map(|user| ("user_id".to_owned(), json!(user))));
        if !receipts.is_empty() {
            filter.insert("receipts".to_owned(), json!(receipts));
        }
        if !self.job.is_empty() {
            filter.insert("job_ids".to_owned(), json!(self.job));
        }
        Ok(filter.into())
    }
}

impl Retries {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// A [`Failure`].
    pub async fn run(self, looks: &Looks) -> Result<()> {
        let session = Session::open(&self.access, looks)?;
        match self.verb {
            Verb::Start(wanted) => start(&session, &wanted).await,
            Verb::Show { id, watch: true } => follow(&session, &id).await,
            Verb::Show { id, watch: false } => {
                let retry = session.api.get(&["retries", &id], &Query::default()).await?;
                session.tell(&retry, bulk::show)
            }
            Verb::List { page } => listing::tell(&session, &["retries"], Query::default(), &page, &bulk::LIST).await,
            Verb::Cancel { id, reason } => {
                let retry = session.api.delete(&["retries", &id], &reason).await?;
                session.tell(&retry, bulk::show)
            }
        }
    }
}

async fn start(session: &Session, wanted: &Start) -> Result<()> {
    let filter = wanted.filter.document()?;
    if wanted.dry_run || !wanted.yes {
        if !wanted.dry_run && (session.is_json || !io::stdin().is_terminal()) {
            let text = "nothing was done: nobody can be asked here; look with --dry-run, then start with --yes";
            return Err(Failure::Refused(text.to_owned()).into());
        }
        let dry = session.api.post(&["retries"], &json!({ "filter": filter, "dry_run": true, "rate": wanted.rate })).await?;
        session.tell(&dry, bulk::dry_run)?;
        if wanted.dry_run {
            return Ok(());
        }
        if dry["total"].as_i64() == Some(0) {
            return Err(Failure::Refused("nothing fits the filter; nothing was done".to_owned()).into());
        }
        if !is_agreed()? {
            return Err(Failure::Refused("nothing was done".to_owned()).into());
        }
    }
    let order = json!({ "filter": filter, "dry_run": false, "rate": wanted.rate, "reason": wanted.reason });
    let retry = session.api.post(&["retries"], &order).await?;
    if wanted.watch {
        return follow(session, &text_at(&retry, "/id")).await;
    }
    session.tell(&retry, bulk::show)
}

fn is_agreed() -> Result<bool> {
    eprint!("\nStart it? [y/N] ");
    io::stderr().flush().context("the terminal can't be written")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).context("the terminal can't be read")?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

/// Follows a bulk retry to its end, with a bar on standard error; then tells how it ended.
async fn follow(session: &Session, id: &str) -> Result<()> {
    let is_terminal = session.look().width.is_some() && !session.is_json;
    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template("{bar:30} {msg}")?);
    let look = async || session.api.get(&["retries", id], &Query::default()).await;
    let step = |retry: &Value, _: &_| {
        let count = |name: &str| retry[name].as_u64().unwrap_or_default();
        bar.set_length(count("total"));
        bar.set_position(count("retried") + count("skipped"));
        bar.set_message(bulk::progress(retry));
        let is_end = retry["status"] != "running";
        // On a terminal the bar says it; a pipe gets a line for each step.
        let line =
            if is_terminal { String::new() } else { format!("{}\t{}\n", text_at(retry, "/status"), bulk::progress(retry)) };
        (line, is_end)
    };
    let ended = watch(session, WATCH_EVERY, look, step).await;
    bar.finish_and_clear();
    let ended = ended?;
    if is_terminal {
        session.tell(&ended, bulk::show)?;
    }
    if ended["status"] == "cancelled" {
        let text = format!("the retry {} was cancelled: {}", text_at(&ended, "/id"), bulk::progress(&ended));
        return Err(Failure::Partly(text).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Words {
        #[command(flatten)]
        start: Start,
    }

    fn filter(words: &[&str]) -> Result<Value, clap::Error> {
        let words = ["start", "--reason", "why"].iter().chain(words);
        Words::try_parse_from(words).map(|words| words.start.filter.document().unwrap())
    }

    #[test]
    fn a_filter_is_the_apis_document_of_what_was_given() {
        let given = ["--state", "dead", "--http-status", "503", "--user", "7", "--job", "1", "2", "--receipt", "a,b"];
        let expected = json!({ "state": "dead", "http_status": 503, "user_id": 7, "job_ids": [1, 2], "receipts": ["a", "b"] });
        assert_eq!(filter(&given).unwrap(), expected);
    }

    #[test]
    fn without_a_filter_or_with_a_rate_of_nothing_it_is_no_command() {
        for bad in [&[][..], &["--state", "due"], &["--state", "dead", "--rate", "0"], &["--http-status", "5"], &["--queue", "x"]]
        {
            assert!(filter(bad).is_err(), "{bad:?}");
        }
    }
}
