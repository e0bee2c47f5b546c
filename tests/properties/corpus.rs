//! The corpus of `fuzz/`, tried again on every run of the tests.

use std::path::PathBuf;

use super::fuzzed;

fn fuzz() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz"))
}

/// What is kept of a target.
fn corpus(target: &str) -> Vec<PathBuf> {
    std::fs::read_dir(fuzz().join("corpus").join(target)).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn whatever_was_worth_keeping_still_holds() {
    for (target, property) in fuzzed::ALL {
        let files = corpus(target);
        assert!(!files.is_empty(), "{target} has no corpus");
        for file in files {
            let data = std::fs::read(&file).unwrap();
            let outcome = std::panic::catch_unwind(|| property(&data));
            assert!(outcome.is_ok(), "{}", file.display());
        }
    }
}

#[test]
fn good_and_bad_photos_keep_what_is_promised() {
    for folder in ["good", "bad"] {
        for entry in std::fs::read_dir(vouch_tests::samples::photos().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let data = std::fs::read(&path).unwrap();
            assert!(std::panic::catch_unwind(|| fuzzed::photo(&data)).is_ok(), "{}", path.display());
        }
    }
}

#[test]
fn every_property_has_its_target_and_its_corpus_is_small() {
    let manifest = std::fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let mut bytes = 0;
    for (target, _) in fuzzed::ALL {
        assert!(manifest.contains(&format!("name = \"{target}\"")), "{target} is no target");
        let program = std::fs::read_to_string(fuzz().join(format!("fuzz_targets/{target}.rs"))).unwrap();
        assert!(program.contains(&format!("fuzzed::{target}(data)")), "{target} tries something else");
        bytes += corpus(target).iter().map(|file| file.metadata().unwrap().len()).sum::<u64>();
    }
    assert!(bytes <= 200_000, "{bytes} bytes are too many to keep");
}
