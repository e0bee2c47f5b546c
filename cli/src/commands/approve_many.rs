//! `vouch attempts approve --users-file`: approves every open attempt of many learners. What
//! `approve_id_verifications` did. Done again it passes over who is approved.

use std::{collections::HashSet, fmt::Write, io::Read, path::Path};

use anyhow::{Context, Result};
use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use vouch_common::clock::{Clock, SystemClock};

use super::listing::next_cursor;
use crate::{
    api::{PAGE_MAX, Query},
    failure::Failure,
    out::{Session, note, print},
    show::{clean, color_of, items_at, number, text_at, time_at},
};

/// Learners looked after at once.
const AT_ONCE: usize = 8;
/// More learners who were passed over are counted and not named on standard error.
const NAMED_MAX: usize = 50;

/// What became of one line of the file.
enum Outcome {
    /// These attempts were approved, and these open ones were left, since they have expired.
    Approved(Vec<Value>, Vec<String>),
    /// Approved before; nothing to do.
    Already,
    /// Nothing to approve, and why.
    Skipped(String),
    /// Something went wrong.
    Failed(anyhow::Error),
}

/// How it went so far.
#[derive(Default)]
struct Summary {
    approved: usize,
    already: usize,
    /// Expired attempts of learners who had others too.
    left: Vec<String>,
    skipped: Vec<String>,
    failed: Vec<String>,
    stopped_by: Option<anyhow::Error>,
}

/// Approves every open attempt of the learners in the file.
pub(super) async fn run(session: &Session, file: &Path, reason: &str) -> Result<()> {
    let lines = read(file)?;
    let bar = ProgressBar::new(lines.len() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:30} {human_pos} of {human_len} learners, {eta} left")?);
    let mut summary = Summary::default();
    {
        let work = stream::iter(&lines).map(async |line| (line, one(session, line, reason).await)).buffered(AT_ONCE);
        let mut work = std::pin::pin!(work);
        while let Some((line, outcome)) = work.next().await {
            bar.inc(1);
            bar.suspend(|| summary.add(session, line, outcome))?;
            if summary.stopped_by.is_some() {
                break;
            }
        }
    }
    bar.finish_and_clear();
    summary.tell(lines.len())
}

/// The lines of the file that are not empty, each once: the same learner twice at once would get in their own way.
pub(super) fn read(file: &Path) -> Result<Vec<String>> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    let text = text.with_context(|| format!("{} can't be read", file.display()))?;
    let mut seen = HashSet::new();
    let mut is_new = |line: &str| seen.insert(line.parse::<i64>().map_or_else(|_| line.to_owned(), |user| user.to_string()));
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && is_new(line));
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    if lines.is_empty() {
        return Err(Failure::Refused(format!("{} is empty; it must hold one a line", file.display())).into());
    }
    Ok(lines)
}

async fn one(session: &Session, line: &str, reason: &str) -> Outcome {
    let Some(user) = line.parse::<i64>().ok().filter(|user| *user > 0) else {
        return Outcome::Skipped("it is no learner's number".to_owned());
    };
    match approve(session, user, reason).await {
        Ok(outcome) => outcome,
        Err(error) => Outcome::Failed(error),
    }
}

async fn approve(session: &Session, user: i64, reason: &str) -> Result<Outcome> {
    let attempts = attempts_of(session, user).await?;
    let status = |attempt: &Value| text_at(attempt, "/status");
    let (mut approved, mut expired) = (Vec::new(), Vec::new());
    for attempt in attempts.iter().filter(|attempt| ["submitted", "must_retry"].contains(&status(attempt).as_str())) {
        let receipt = text_at(attempt, "/receipt_id");
        let whole = session.api.get(&["attempts", &receipt], &Query::default()).await?;
        if time_at(&whole, "/expires_at").is_some_and(|end| end < SystemClock.now()) {
            expired.push(format!("attempt {receipt} has expired"));
            continue;
        }
        approved.push(session.api.post(&["attempts", &receipt, "approve"], &json!({ "reason": reason })).await?);
    }
    Ok(match attempts.first() {
        _ if !approved.is_empty() => Outcome::Approved(approved, expired),
        None => Outcome::Skipped("there is no such learner, or no attempt".to_owned()),
        Some(_) if attempts.iter().any(|attempt| status(attempt) == "approved") => Outcome::Already,
        Some(_) if !expired.is_empty() => Outcome::Skipped(expired.join(", ")),
        Some(newest) => Outcome::Skipped(format!("the newest attempt is {}", status(newest))),
    })
}

async fn attempts_of(session: &Session, user: i64) -> Result<Vec<Value>> {
    let query = Query::default().with("user_id", Some(user)).with("limit", Some(PAGE_MAX));
    let mut attempts: Vec<Value> = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = session.api.get(&["attempts"], &query.clone().with("cursor", cursor.as_ref())).await?;
        attempts.extend(items_at(&page, "items").cloned());
        cursor = next_cursor(&page, cursor.as_ref());
        if cursor.is_none() {
            return Ok(attempts);
        }
    }
}

impl Summary {
    fn add(&mut self, session: &Session, line: &str, outcome: Outcome) -> Result<()> {
        match outcome {
            Outcome::Approved(answers, expired) => {
                self.approved += 1;
                self.left.extend(expired.iter().map(|why| format!("{}: {why}", clean(line))));
                for answer in &answers {
                    let look = session.look();
                    let status = text_at(answer, "/status");
                    let plain =
                        format!("{line}\t{}\t{}\n", text_at(answer, "/receipt_id"), look.paint(&status, color_of(&status)));
                    if session.is_json { print(&format!("{answer}\n"))? } else { print(&plain)? }
                }
            }
            Outcome::Already => self.already += 1,
            Outcome::Skipped(why) => self.skipped.push(format!("{}: {why}", clean(line))),
            Outcome::Failed(error) => {
                self.failed.push(format!("{}: {error:#}", clean(line)));
                if error.downcast_ref::<Failure>().is_some_and(Failure::ends_a_series) {
                    self.stopped_by = Some(error);
                }
            }
        }
        Ok(())
    }

    fn tell(self, total: usize) -> Result<()> {
        for (what, named) in [("left", &self.left), ("skipped", &self.skipped), ("failed", &self.failed)] {
            for line in named.iter().take(NAMED_MAX) {
                note(&format!("{what} {line}"));
            }
            if named.len() > NAMED_MAX {
                note(&format!("{what} {} more", number((named.len() - NAMED_MAX).try_into()?)));
            }
        }
        let done = self.approved + self.already;
        let untried = total - done - self.skipped.len() - self.failed.len();
        let mut text = format!(
            "{} approved, {} approved before, {} skipped, {} failed",
            self.approved,
            self.already,
            self.skipped.len(),
            self.failed.len()
        );
        if untried > 0 {
            let _ = write!(text, ", {untried} not tried; the same command goes on where it stopped");
        }
        match self.stopped_by {
            Some(error) if done == 0 => Err(error.context(text)),
            _ if self.failed.is_empty() && self.skipped.is_empty() => {
                note(&text);
                Ok(())
            }
            // Nothing that was asked for could be done, and nothing went wrong either.
            None if done == 0 && self.failed.is_empty() => Err(Failure::Refused(text).into()),
            _ => Err(Failure::Partly(text).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::code_of;

    fn code(approved: usize, already: usize, skipped: usize, failed: usize) -> u8 {
        let named = |count: usize| (0..count).map(|id| id.to_string()).collect();
        let summary = Summary { approved, already, skipped: named(skipped), failed: named(failed), ..Summary::default() };
        summary.tell(approved + already + skipped + failed).err().map_or(0, |error| code_of(&error))
    }

    #[test]
    fn the_exit_code_tells_whether_all_some_or_none_was_done() {
        assert_eq!([code(2, 0, 0, 0), code(0, 2, 0, 0), code(1, 0, 1, 0), code(1, 0, 0, 1), code(0, 0, 2, 0)], [0, 0, 6, 6, 3]);
    }

    #[test]
    fn a_file_without_learners_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(code_of(&read(file.path()).unwrap_err()), 3);
        assert_eq!(code_of(&read(Path::new("/nowhere")).unwrap_err()), 1);
    }
}
