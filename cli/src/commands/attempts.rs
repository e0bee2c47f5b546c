//! `vouch attempts`: what is known of an attempt. Speaks to the api, so that the same rights hold.

use std::fmt::Write;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Attempts.
#[derive(Debug, clap::Args)]
pub struct Attempts {
    /// The api
    #[arg(long, env = "VOUCH_API_URL", default_value = "http://127.0.0.1:8080", global = true)]
    api_url: String,
    /// A key with the scope attempts:read
    #[arg(long, env = "VOUCH_API_KEY", hide_env_values = true, global = true, default_value = "")]
    api_key: String,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Show an attempt with its history and its jobs
    Show {
        /// Its receipt
        receipt_id: String,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
}

impl Attempts {
    /// Shows attempts.
    ///
    /// # Errors
    ///
    /// When the api is away, refuses the key, or knows no such attempt.
    pub async fn run(self) -> Result<()> {
        let Verb::Show { receipt_id, json } = &self.verb;
        let url = format!("{}/api/v1/attempts/{receipt_id}", self.api_url.trim_end_matches('/'));
        let response =
            reqwest::Client::new().get(url).bearer_auth(&self.api_key).send().await.context("the api can't be reached")?;
        let status = response.status();
        let document: Value = response.json().await.context("the api's answer can't be read")?;
        if !status.is_success() {
            bail!("{}", document["detail"].as_str().unwrap_or("the api refused"));
        }
        if *json {
            println!("{}", serde_json::to_string_pretty(&document)?);
        } else {
            print!("{}", timeline(&document));
        }
        Ok(())
    }
}

/// An attempt as people read it.
#[must_use]
pub fn timeline(attempt: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut page = format!(
        "Attempt {}\n  status   {}\n  learner  {}\n",
        text(&attempt["receipt_id"]),
        text(&attempt["status"]),
        attempt["user_id"]
    );
    for reason in attempt["reasons"].as_array().into_iter().flatten() {
        let _ = writeln!(page, "  reason   {}", text(reason));
    }
    for place in attempt["checkpoints"].as_array().into_iter().flatten() {
        let _ = writeln!(page, "  waiting  {} in {}", text(&place["usage"]), text(&place["course"]));
    }
    page.push_str("History\n");
    for event in attempt["events"].as_array().into_iter().flatten() {
        page.push_str(&event_line(event));
    }
    let jobs = attempt["jobs"].as_array().cloned().unwrap_or_default();
    page.push_str(if jobs.is_empty() { "No job is left to do.\n" } else { "Jobs left to do\n" });
    for job in jobs {
        let error = job["last_error"].as_str().map(|error| format!("  last error: {error}")).unwrap_or_default();
        let _ = writeln!(page, "  {:<10} {:<26} tries {}{error}", text(&job["state"]), text(&job["kind"]), job["failures"]);
    }
    page
}

/// One line of the history.
#[must_use]
pub fn event_line(event: &Value) -> String {
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let moved = if text("to").is_empty() { String::new() } else { format!(" → {}", text("to")) };
    let detail = if text("detail").is_empty() { String::new() } else { format!("  ({})", text("detail")) };
    let at = text("at");
    let time = at.get(11..23).unwrap_or(&at);
    format!("  {time}  {:<8} {}{moved}{detail}\n", text("actor"), text("kind"))
}
