//! What is in `deploy/` names only numbers and labels that exist.

use std::{collections::BTreeSet, fs};

use vouch_common::telemetry::catalogue::{CATALOGUE, Kind, Metric};

use crate::tidy::root;

/// Labels that Prometheus adds.
const ADDED: [&str; 3] = ["job", "instance", "le"];

fn read(path: &str) -> String {
    fs::read_to_string(root().join("deploy").join(path)).unwrap()
}

/// The number that a name in an expression means: a histogram has three names of series.
fn metric_of(name: &str) -> Option<&'static Metric> {
    CATALOGUE.iter().find(|metric| match metric.kind {
        Kind::Histogram(_) => {
            name.strip_prefix(metric.name).is_some_and(|suffix| ["_bucket", "_sum", "_count"].contains(&suffix))
        }
        _ => metric.name == name,
    })
}

/// Every name of ours in a text, with what stands in braces behind it.
fn named(text: &str) -> Vec<(String, String)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices("vouch_")
        .filter(|(start, _)| !text[..*start].ends_with(is_part))
        .map(|(start, _)| {
            let rest = &text[start..];
            let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            let braces = rest[end..].strip_prefix('{').and_then(|rest| rest.split('}').next()).unwrap_or_default();
            (rest[..end].to_owned(), braces.replace('\\', ""))
        })
        .collect()
}

/// The labels of a selector, `a="x",b=~"y|z"`, with their values.
fn selected(braces: &str) -> Vec<(String, Vec<String>)> {
    braces
        .split(',')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or_else(|| panic!("{part}"));
            let value = value.trim_start_matches('~').trim_matches('"');
            (name.trim_end_matches('!').to_owned(), value.split('|').map(str::to_owned).collect())
        })
        .collect()
}

#[test]
fn every_number_and_label_that_is_asked_for_exists() {
    let files = ["grafana/vouch.json", "prometheus/alerts.yml", "prometheus/alerts_test.yml", "keda/vendor-worker.yaml"];
    let mut wrong = Vec::new();
    for file in files {
        let text = read(file);
        let mut asked = 0;
        for (name, braces) in named(&text) {
            let Some(metric) = metric_of(&name) else {
                wrong.push(format!("{file}: {name}"));
                continue;
            };
            asked += 1;
            for (label, values) in selected(&braces) {
                let known = metric.labels.iter().find(|known| known.name == label);
                let is_known = known.is_some_and(|known| {
                    let listed = known.values.list(&vouch_api::routes::counted::routes());
                    values.iter().all(|value| listed.contains(value))
                });
                if !is_known && !ADDED.contains(&label.as_str()) {
                    wrong.push(format!("{file}: {name}{{{label}={values:?}}}"));
                }
            }
        }
        assert!(asked > 0, "{file} asks for nothing");
        wrong.extend(unknown_groupings(&text).into_iter().map(|label| format!("{file}: by ({label})")));
    }
    assert!(wrong.is_empty(), "no such number or label:\n{}", wrong.join("\n"));
}

/// Labels in `by (…)` and `on (…)` that no number has.
fn unknown_groupings(text: &str) -> BTreeSet<String> {
    let known: BTreeSet<&str> = CATALOGUE.iter().flat_map(|metric| metric.labels).map(|label| label.name).chain(ADDED).collect();
    let lists = ["by (", "on ("].into_iter().flat_map(|word| text.split(word).skip(1).filter_map(|rest| rest.split(')').next()));
    lists
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .filter(|label| !label.is_empty() && !known.contains(label))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_number_is_on_the_dashboard() {
    let text = read("grafana/vouch.json");
    let shown: BTreeSet<&str> = named(&text).iter().filter_map(|(name, _)| metric_of(name)).map(|metric| metric.name).collect();
    let missing: Vec<&str> = CATALOGUE.iter().map(|metric| metric.name).filter(|name| !shown.contains(name)).collect();
    assert!(missing.is_empty(), "not on the dashboard: {missing:?}");
}

#[test]
fn every_alert_is_tested_and_leads_to_its_chapter() {
    let (alerts, tests) = (read("prometheus/alerts.yml"), read("prometheus/alerts_test.yml"));
    let runbook = fs::read_to_string(root().join("docs/runbook.md")).ok();
    for alert in alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(tests.contains(&format!("alertname: {alert}\n")), "{alert} is not tested");
        assert!(alerts.contains(&format!("runbook_url: docs/runbook.md#{}\n", alert.to_lowercase())), "{alert} leads nowhere");
        if let Some(runbook) = &runbook {
            let has_chapter = runbook.lines().any(|line| line.trim_start_matches('#').trim() == alert && line.starts_with('#'));
            assert!(has_chapter, "{alert} has no chapter in docs/runbook.md");
        }
    }
}
