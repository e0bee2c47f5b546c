//! The walls and the style that no compiler holds: a table of who may not name what.

use std::path::{Path, PathBuf};

/// Folder, files in it that may, and the words that the others must not have.
const WALLS: &[(&str, &[&str], &[&str])] = &[
    (
        "common/src/domain",
        &[],
        &[
            "crate::store",
            "crate::operations",
            "crate::adapters",
            "crate::config",
            "crate::telemetry",
            "sqlx",
            "tokio",
            "reqwest",
            "tracing::",
            "async fn",
            "rand::",
            "Utc::now",
        ],
    ),
    ("common/src/store", &[], &["crate::operations", "crate::adapters", "crate::config"]),
    ("common/src/operations", &[], &["crate::adapters", "reqwest", "redis::", "object_store"]),
    ("common/src/vendor", &[], &["reqwest", "tokio", "Utc::now", "tracing"]),
    ("api/src", &[], &["sqlx", "apalis", "lettre", "vouch_worker"]),
    ("worker/src", &["runtime/queue.rs", "runtime/monitor.rs"], &["apalis"]),
    ("worker/src/jobs", &[], &["sqlx", "redis::"]),
    ("common/src", &["config/read.rs", "telemetry/mod.rs"], &["std::env::"]),
    ("api/src", &[], &["std::env::"]),
    ("worker/src", &[], &["std::env::"]),
];

/// Names that say nothing.
const EMPTY_NAMES: [&str; 5] = ["utils.rs", "helpers.rs", "misc.rs", "manager.rs", "common.rs"];
const LINES_MAX: usize = 400;

#[test]
fn nobody_names_what_is_behind_a_wall() {
    let mut broken = Vec::new();
    for (folder, may, words) in WALLS {
        for file in sources(folder) {
            if may.iter().any(|name| file.ends_with(name)) {
                continue;
            }
            for (line, number) in code_lines(&file).iter().zip(1..) {
                broken.extend(
                    words.iter().filter(|word| line.contains(**word)).map(|word| format!("{}:{number}: {word}", file.display())),
                );
            }
        }
    }
    assert!(broken.is_empty(), "behind a wall:\n{}", broken.join("\n"));
}

#[test]
fn a_file_is_short_and_its_name_says_what_is_in_it() {
    let mut broken = Vec::new();
    for folder in ["common/src", "api/src", "worker/src", "cli/src", "tests/src", "tests/it", "faults/src"] {
        for file in sources(folder) {
            let lines = code_lines(&file).len();
            if lines > LINES_MAX {
                broken.push(format!("{}: {lines} lines", file.display()));
            }
            if EMPTY_NAMES.iter().any(|name| file.ends_with(name)) {
                broken.push(format!("{}: the name says nothing", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_job_file_opens_with_its_seven_answers() {
    let answers =
        ["Trigger", "Does", "Safe to repeat because", "Limits", "Retries when", "Gives up when, and then", "Personal data"];
    for (kind, _) in vouch_worker::jobs::POLICIES {
        let page = std::fs::read_to_string(root().join(format!("worker/src/jobs/{kind}.rs"))).unwrap();
        for (line, answer) in page.lines().zip(answers) {
            assert!(line.starts_with(&format!("//! - **{answer}**: ")), "{kind}: {line}");
        }
    }
}

#[test]
fn every_migration_tells_its_reason_on_top() {
    for entry in std::fs::read_dir(root().join("migrations")).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|kind| kind == "sql") {
            assert!(std::fs::read_to_string(entry.path()).unwrap().starts_with("-- "), "{}", entry.path().display());
        }
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

pub(crate) fn sources(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty(), "nothing was looked at");
    files
}

/// The lines before the tests, without comments.
fn code_lines(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let code = if file.components().any(|part| part.as_os_str() == "tests" && file.starts_with(root().join("common"))) {
        String::new()
    } else {
        text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()
    };
    code.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned()).collect()
}
