//! `vouch queues`: how the queues stand, and their brakes.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::{arguments, watch::watch};
use crate::{
    api::{Access, Query},
    failure::EXIT_CODES,
    out::{Looks, Session},
    show::brakes,
};

/// How often a watch looks.
const WATCH_EVERY: Duration = Duration::from_secs(2);
/// Fastest limit, in jobs a second.
const RATE_MAX: f64 = 100_000.0;

/// See the queues, pause, resume and limit them, work the breakers.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct Queues {
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// How every queue stands; on a terminal the breakers too
    List {
        /// Look every two seconds until Ctrl-C
        #[arg(long)]
        watch: bool,
    },
    /// How every breaker stands
    Breakers {
        /// Look every two seconds until Ctrl-C
        #[arg(long)]
        watch: bool,
    },
    /// Hand out nothing of a queue until it is resumed
    Pause(Brake),
    /// Hand out again
    Resume(Brake),
    /// Hand out at most so many jobs a second, over all processes
    Limit {
        /// The queue
        #[arg(value_parser = arguments::queues())]
        name: String,
        /// Jobs a second, or none
        #[arg(value_parser = rate)]
        rate: Rate,
        /// Why, for the audit
        #[arg(long, value_parser = arguments::reason)]
        reason: String,
    },
    /// Force a vendor's breaker open or closed, or let it decide again
    Breaker {
        /// The vendor, as `vouch queues breakers` names it
        #[arg(value_parser = arguments::name)]
        vendor: String,
        /// open: nothing goes to the vendor; closed: all goes, whatever it answers; auto: it decides again
        #[arg(value_enum)]
        force: Force,
        /// Why, for the audit
        #[arg(long, value_parser = arguments::reason)]
        reason: String,
    },
}

/// A brake of a queue.
#[derive(Debug, clap::Args)]
struct Brake {
    /// The queue
    #[arg(value_parser = arguments::queues())]
    name: String,
    /// Why, for the audit
    #[arg(long, value_parser = arguments::reason)]
    reason: String,
}

/// A limit, or none.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rate(Option<f64>);

fn rate(text: &str) -> Result<Rate, String> {
    if text == "none" {
        return Ok(Rate(None));
    }
    let rate = text.parse::<f64>().ok().filter(|rate| *rate > 0.0 && *rate <= RATE_MAX);
    rate.map(|rate| Rate(Some(rate)))
        .ok_or_else(|| "it must be above 0 and at most 100000 jobs a second, or none; to stop a queue, pause it".to_owned())
}

/// What an operator says of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Force {
    /// Nothing goes to the vendor
    Open,
    /// All goes, whatever it answers
    Closed,
    /// It decides by what the vendor answers
    Auto,
}

impl Queues {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// A [`crate::failure::Failure`].
    pub async fn run(self, looks: &Looks) -> Result<()> {
        let session = Session::open(&self.access, looks)?;
        match self.verb {
            Verb::List { watch } => see(&session, watch, brakes::overview).await,
            Verb::Breakers { watch } => see(&session, watch, brakes::breakers).await,
            Verb::Pause(brake) => work(&session, &brake, "pause").await,
            Verb::Resume(brake) => work(&session, &brake, "resume").await,
            Verb::Limit { name, rate, reason } => {
                let queue = session.api.put(&["queues", &name, "limit"], &json!({ "rate": rate.0, "reason": reason })).await?;
                session.tell(&queue, brakes::queue)
            }
            Verb::Breaker { vendor, force, reason } => {
                let force = match force {
                    Force::Open => Some("open"),
                    Force::Closed => Some("closed"),
                    Force::Auto => None,
                };
                let breaker = session.api.put(&["breakers", &vendor], &json!({ "force": force, "reason": reason })).await?;
                session.tell(&breaker, brakes::breaker)
            }
        }
    }
}

async fn see(session: &Session, is_watched: bool, show: fn(&serde_json::Value, &crate::show::Look) -> String) -> Result<()> {
    let look = async || session.api.get(&["queues"], &Query::default()).await;
    if is_watched {
        watch(session, WATCH_EVERY, look, |document, look| (show(document, look), false)).await.map(|_| ())
    } else {
        session.tell(&look().await?, show)
    }
}

async fn work(session: &Session, brake: &Brake, verb: &str) -> Result<()> {
    let queue = session.api.post(&["queues", &brake.name, verb], &json!({ "reason": brake.reason })).await?;
    session.tell(&queue, brakes::queue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_rate_above_zero_or_none() {
        assert_eq!(rate("none"), Ok(Rate(None)));
        assert_eq!(rate("0.5"), Ok(Rate(Some(0.5))));
        for bad in ["0", "-1", "NaN", "inf", "100001", "fast", ""] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }
}
