//! Nothing is forgotten: each kind of job is tried, and of each operation it is said where, or why not.

use std::collections::BTreeSet;

use vouch_common::domain::effect::Effect;

use super::jobs::TRIED;
use crate::tidy::{root, sources};

/// Operations that are done once, twice and stopped between their steps: by a job.
const BY_JOBS: [&str; 9] = [
    "apply_result",
    "erase_learner",
    "finish_preparation",
    "load_mail",
    "load_work",
    "record_submission",
    "run_retry",
    "settle_attempt",
    "update_credit",
];

/// Operations that do nothing: they read, or are a module's words.
const READING: [&str; 17] = [
    "act_refused",
    "list_errors",
    "mod",
    "read_attempts",
    "read_audit",
    "read_brakes",
    "read_checkpoints",
    "read_course_standing",
    "read_credit",
    "read_deadline",
    "read_gauges",
    "read_progress",
    "read_receipt",
    "read_retries",
    "read_sealings",
    "search_attempts",
    "search_jobs",
];

/// The ledger's own steps, which heal by time: the tests of the ledger, the model and the faults are about them. And the
/// count of the vendor's answers, of which some may be told twice or never.
const OF_THE_LEDGER: [&str; 2] = ["hand_out_jobs", "record_answer"];

/// Operations whose own tests stop them so.
const IN_THEIR_TESTS: [(&str, &str); 1] = [("seal_anew", "tests/it/rotation")];

#[test]
fn every_kind_of_job_is_stopped_between_its_steps() {
    assert_eq!(BTreeSet::from(TRIED), BTreeSet::from(Effect::KINDS));
}

#[test]
fn every_operation_is_stopped_between_its_steps_or_only_reads() {
    let played: String = ["requests", "upkeep"]
        .map(|name| std::fs::read_to_string(root().join(format!("tests/it/interrupted/{name}.rs"))).unwrap())
        .concat();
    let there = sources("common/src/operations").into_iter().map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned());
    for operation in there {
        let names = [format!("\"{operation}\""), format!("\"{operation}, "), format!(", {operation}\"")];
        let is_played = names.iter().any(|name| played.contains(name));
        let is_in_its_tests = IN_THEIR_TESTS.iter().any(|(name, _)| *name == operation);
        let said = [&BY_JOBS[..], &READING, &OF_THE_LEDGER].concat().contains(&operation.as_str()) || is_in_its_tests;
        assert!(is_played != said, "{operation} must be played, or it must be said why not, and not both");
    }
}
