//! The runbook: its commands are commands, and nothing that dies is without a section.

use std::{collections::BTreeSet, fs, path::PathBuf};

use vouch_cli::vouch::Vouch;

use crate::tidy::root;

/// What the page leaves to its reader, and what stands for it here.
const BLANKS: [(&str, &str); 5] = [
    ("$RECEIPT", "00000000-0000-4000-8000-000000000000"),
    ("$JOB", "1"),
    ("$GROUP", "0123456789abcdef"),
    ("$RETRY", "00000000-0000-4000-8000-000000000000"),
    ("$LEARNER", "7"),
];

/// Classes of failures after which no job is dead: it is somebody else's, or not wanted any more.
const NEVER_DEAD: [&str; 2] = ["fenced", "obsolete"];

fn page() -> String {
    fs::read_to_string(root().join("docs/runbook.md")).unwrap()
}

/// The lines of the page's `sh` blocks.
fn commands(page: &str) -> Vec<String> {
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.flat_map(str::lines).map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Words as a shell reads them; there are no escapes in the page.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quote) = (vec![String::new()], None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, ' ') => words.push(String::new()),
            (_, c) => words.last_mut().unwrap().push(c),
        }
    }
    assert!(quote.is_none(), "{line}");
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn every_command_of_the_runbook_is_one_of_vouchs() {
    let commands = commands(&page());
    assert!(commands.len() > 60, "{}", commands.len());
    for line in commands {
        match line.split(' ').next() {
            Some("vouch") => {
                let filled = BLANKS.iter().fold(line.clone(), |line, (blank, value)| line.replace(blank, value));
                assert!(!filled.contains('$'), "{line}");
                if let Err(error) = Vouch::description().try_get_matches_from(words(&filled)) {
                    panic!("{line}\n{error}");
                }
            }
            Some("curl" | "export") => {}
            _ => panic!("neither of vouch nor known: {line}"),
        }
    }
}

#[test]
fn every_link_within_the_runbook_leads_to_a_section() {
    let page = page();
    let anchor = |heading: &str| -> String {
        let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        text.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
    };
    let anchors: BTreeSet<String> = page.lines().filter(|line| line.starts_with('#')).map(anchor).collect();
    for link in page.split("](#").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(anchors.contains(link), "#{link}");
    }
}

#[test]
fn every_class_of_a_dead_job_has_a_section_and_no_section_is_of_another() {
    let page = page();
    let told: BTreeSet<&str> = page
        .split("\n## ")
        .find(|chapter| chapter.starts_with("Error classes"))
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    let classes = classes();
    let known: BTreeSet<&str> = classes.iter().map(String::as_str).collect();
    assert_eq!(told, known);
}

/// Every class that the code gives a failure.
fn classes() -> BTreeSet<String> {
    let mut classes: BTreeSet<String> =
        [vouch_common::store::jobs::NO_OUTCOME, vouch_common::operations::put_off_unknown::UNKNOWN_JOB].map(str::to_owned).into();
    let mut folders: Vec<PathBuf> = ["worker/src", "common/src"].map(|folder| root().join(folder)).into();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                classes.extend(classes_in(code));
            }
        }
    }
    classes.retain(|class| !NEVER_DEAD.contains(&class.as_str()));
    classes
}

/// The words in `fn class`, and those that are given as `class: "…"` or to `ours("…", …)`.
fn classes_in(code: &str) -> Vec<String> {
    let bodies = code.split("fn class(&self)").skip(1).filter_map(|rest| rest.split("\n    }\n").next());
    let words = bodies.flat_map(|body| body.split('"').skip(1).step_by(2));
    let given = [r#"class: ""#, r#"ours(""#]
        .into_iter()
        .flat_map(|start| code.split(start).skip(1).filter_map(|rest| rest.split('"').next()));
    words.chain(given).map(str::to_owned).collect()
}
