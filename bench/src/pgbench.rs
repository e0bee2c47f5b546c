//! The ceiling of what goes through Postgres: the product's own statements, from pgbench.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::process::Command;
use url::Url;

/// A statement of the product, found by a part of it among those that were checked (`.sqlx`). So a ceiling can't
/// fall behind the product.
pub fn statement(part: &str) -> Result<String> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.sqlx"));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).context("the checked statements")? {
        let document: Value = serde_json::from_slice(&std::fs::read(entry?.path())?)?;
        let text = document["query"].as_str().context("no query")?;
        if text.contains(part) {
            found.push(text.to_owned());
        }
    }
    anyhow::ensure!(found.len() == 1, "{} statements have the part {part:?}", found.len());
    found.pop().context("no statement")
}

/// Puts values in the places of a statement's parameters.
pub fn fill(statement: &str, values: &[&str]) -> String {
    // From the last, so that $1 does not match in $10.
    let numbered = values.iter().enumerate().rev();
    numbered.fold(statement.to_owned(), |text, (index, value)| text.replace(&format!("${}", index + 1), value))
}

/// How often a second a script runs through, with so many clients for so many seconds.
pub async fn rate(database: &Url, folder: &Path, script: &str, clients: usize, seconds: usize) -> Result<f64> {
    let file = folder.join("pgbench.sql");
    std::fs::write(&file, script)?;
    let mut command = Command::new(program()?);
    command.args(["--no-vacuum", "--protocol=prepared", "--client"]).arg(clients.to_string());
    command.arg("--time").arg(seconds.to_string()).arg("--file").arg(&file).arg(database.as_str());
    let output = command.output().await.context("pgbench")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let failure = || format!("pgbench failed: {}", String::from_utf8_lossy(&output.stderr));
    anyhow::ensure!(output.status.success(), failure());
    let line = text.lines().find_map(|line| line.strip_prefix("tps = ")).with_context(failure)?;
    Ok(line.split_whitespace().next().context("no figure")?.parse()?)
}

fn program() -> Result<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin/pgbench")))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    let paths = std::env::var("PATH").unwrap_or_default();
    let elsewhere = std::env::split_paths(&paths).map(|path| path.join("pgbench")).find(|path| path.exists());
    found.pop().or(elsewhere).context("pgbench is not installed: run scripts/servers install")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_with_two_digits_is_not_taken_for_one_with_one() {
        let values: Vec<String> = (1..=10).map(|number| format!("v{number}")).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        assert_eq!(fill("$1, $10", &values), "v1, v10");
    }

    #[test]
    fn a_statement_is_found_by_one_part_of_it() {
        assert!(statement("clock_timestamp(), 'done'").is_ok_and(|text| text.contains("DELETE FROM jobs")));
        assert!(statement("no statement has this in it").is_err());
    }
}
