//! `vouch audit`: who did what, when and why.

use anyhow::Result;

use super::{
    arguments::{self, Page},
    listing,
};
use crate::{
    api::{Access, Query},
    failure::EXIT_CODES,
    out::{Looks, Session},
    show::job,
};

/// Who did what, when and why, newest first.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Audit {
    #[command(flatten)]
    access: Access,
    /// What was done to this: a receipt, a job's number, a queue, a bulk retry
    #[arg(long, value_parser = arguments::name)]
    target: Option<String>,
    /// What the key of this name did
    #[arg(long, value_parser = arguments::name)]
    actor: Option<String>,
    /// Only this action, such as attempt.approve or queue.pause
    #[arg(long, value_parser = arguments::name)]
    action: Option<String>,
    /// What was done after this time, this day, or so long ago (2h)
    #[arg(long, value_name = "WHEN", value_parser = arguments::moment)]
    after: Option<String>,
    #[command(flatten)]
    page: Page,
}

impl Audit {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// A [`crate::failure::Failure`].
    pub async fn run(self, looks: &Looks) -> Result<()> {
        let session = Session::open(&self.access, looks)?;
        let query = Query::default()
            .with("target", self.target.as_ref())
            .with("actor", self.actor.as_ref())
            .with("action", self.action.as_ref())
            .with("after", self.after.as_ref());
        listing::tell(&session, &["audit"], query, &self.page, &job::AUDIT).await
    }
}
