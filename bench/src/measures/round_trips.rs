//! What one attempt asks of Postgres on its whole way, statement by statement, by Postgres' own log.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use anyhow::Result;
use sqlx::AssertSqlSafe;
use tokio::time::sleep;

use crate::{
    figure::{Aim, Figure},
    ground::{Ground, Place},
    load::Learners,
};

/// So long nothing is asked of it: what is seen then is asked without a cause, again and again.
const IDLE: Duration = Duration::from_secs(8);
/// Until then all that an attempt sets going is over.
const QUIET: Duration = Duration::from_millis(700);
/// Longest beginning of a statement that is shown.
const SHOWN: usize = 110;

pub async fn run(ground: &Ground) -> Result<Vec<Figure>> {
    let mut place = ground.place().await?;
    sqlx::query(AssertSqlSafe(format!("ALTER DATABASE {} SET log_statement = 'all'", place.name()))).execute(&place.db).await?;
    let (vendor, _mail) = place.start_far_sides("{}").await?;
    let (api, worker) = (place.start_api().await?, place.start_worker(&[]).await?);
    let learners = Learners::register(&place, 3).await?;
    // The first two prepare statements and fill caches.
    for warm in 0..2 {
        learners.submit(warm).await?;
        super::whole::wait_until_done(&place).await?;
    }
    let log = Log::of(&place).await?;
    let idle = log
        .during(async || {
            sleep(if ground.is_quick { QUIET } else { IDLE }).await;
            Ok(())
        })
        .await?;
    let busy = log
        .during(async || {
            learners.submit(2).await?;
            sleep(QUIET).await;
            super::whole::wait_until_done(&place).await
        })
        .await?;
    worker.stop().await?;
    api.stop().await?;
    vendor.shutdown().await?;
    ground.clear(place).await?;
    let recurring: BTreeSet<&String> = idle.iter().collect();
    let mut asked: BTreeMap<&String, usize> = BTreeMap::new();
    for statement in busy.iter().filter(|statement| !recurring.contains(statement) && *statement != super::whole::LEFT) {
        *asked.entry(statement).or_default() += 1;
    }
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let total = asked.values().sum::<usize>() as f64;
    let mut notes: Vec<String> = asked.iter().map(|(statement, times)| format!("{times} × {}", beginning(statement))).collect();
    notes.sort();
    let figure =
        Figure { name: "round_trips", value: total, unit: "statements", ceiling: None, ratio: total, aim: Aim::Shown, notes };
    Ok(vec![figure])
}

fn beginning(statement: &str) -> String {
    let short: String = statement.chars().take(SHOWN).collect();
    if short.len() < statement.len() { format!("{short}…") } else { short }
}

/// The log of the private Postgres.
struct Log(PathBuf);

impl Log {
    async fn of(place: &Place) -> Result<Self> {
        let data: String = sqlx::query_scalar("SHOW data_directory").fetch_one(&place.db).await?;
        Ok(Self(PathBuf::from(data).with_file_name("postgres.log")))
    }

    /// The statements that came in while something was done, each on one line.
    async fn during(&self, act: impl AsyncFnOnce() -> Result<()>) -> Result<Vec<String>> {
        let before = std::fs::metadata(&self.0)?.len();
        act().await?;
        let text = std::fs::read(&self.0)?;
        let text = String::from_utf8_lossy(text.get(usize::try_from(before)?..).unwrap_or_default()).into_owned();
        Ok(statements(&text))
    }
}

/// Takes the statements out of a piece of the log: a first line that tells what was done, and lines that go on with it
/// and begin with a tab.
fn statements(log: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut is_inside = false;
    for line in log.lines() {
        if let Some(more) = line.strip_prefix('\t') {
            if let Some(last) = found.last_mut().filter(|_| is_inside) {
                last.push(' ');
                last.push_str(more.trim());
            }
            continue;
        }
        let told = line.split_once("LOG:  ").map(|(_, told)| told);
        let statement = told.and_then(|told| {
            told.strip_prefix("statement: ").or_else(|| Some(told.strip_prefix("execute ")?.split_once(": ")?.1))
        });
        is_inside = statement.is_some();
        found.extend(statement.map(|statement| statement.trim().to_owned()));
    }
    found.into_iter().map(|statement| statement.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_many_lines_are_one() {
        let log = "t [1] LOG:  statement: BEGIN\nt [1] LOG:  execute sqlx_s_1: \n\tSELECT a\n\t  FROM b\nt [1] DETAIL:  parameters: x\n\tnot of it\n";
        assert_eq!(statements(log), ["BEGIN", "SELECT a FROM b"]);
    }
}
