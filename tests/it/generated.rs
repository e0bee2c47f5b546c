//! Pages that are made from the code are those of the code. `scripts/generate` writes them.

use std::fmt::Write;

use crate::tidy::root;

fn is_fresh(path: &str, wanted: &str) {
    let path = root().join(path);
    if std::env::var_os("VOUCH_WRITE_DERIVED").is_some() {
        std::fs::write(path, wanted).unwrap();
        return;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "{} is stale: run scripts/generate and commit", path.display());
}

#[test]
fn the_page_of_settings_is_fresh() {
    is_fresh("docs/settings.md", &vouch_common::config::markdown());
}

#[test]
fn the_page_of_metrics_is_fresh() {
    is_fresh("docs/metrics.md", &vouch_common::telemetry::catalogue::markdown());
}

#[test]
fn the_openapi_document_is_fresh() {
    let document: serde_json::Value = serde_json::from_str(&vouch_api::routes::openapi()).unwrap();
    is_fresh("docs/openapi.json", &format!("{document:#}\n"));
}

#[test]
fn the_table_of_what_is_kept_of_people_is_fresh() {
    let page = std::fs::read_to_string(root().join("docs/privacy.md")).unwrap();
    let (before, rest) = page.split_once("<!-- table -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end of the table -->\n").unwrap();
    let table = vouch_common::domain::retention::markdown();
    is_fresh("docs/privacy.md", &format!("{before}<!-- table -->\n{table}<!-- end of the table -->\n{after}"));
}

#[test]
fn the_page_of_jobs_is_fresh() {
    let mut page = String::from("# Jobs\n\nMade from the job files in `worker/src/jobs` by `scripts/generate`; do not edit.\n");
    for (kind, policy) in vouch_worker::jobs::POLICIES {
        let file = std::fs::read_to_string(root().join(format!("worker/src/jobs/{kind}.rs"))).unwrap();
        write!(page, "\n## `{kind}`\n\n").unwrap();
        for line in file.lines().map_while(|line| line.strip_prefix("//! ")) {
            writeln!(page, "{line}").unwrap();
        }
        writeln!(
            page,
            "- **Policy**: queue `{}`, at most {} tries of {:?}, waiting up to {:?} at first and {:?} at most.",
            policy.queue, policy.tries_max, policy.timeout, policy.backoff.base, policy.backoff.cap
        )
        .unwrap();
    }
    is_fresh("docs/jobs.md", &page);
}
