//! The numbers: all there from the start, none beside the catalogue, nothing personal, and right.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde_json::json;
use vouch_api::routes::counted;
use vouch_common::{
    config::Program,
    telemetry::{
        catalogue::{CATALOGUE, Kind},
        numbers::Numbers,
    },
};
use vouch_tests::{TestApp, Wishes, wait_for};

use crate::tidy::{root, sources};

/// Every series with its value.
type Page = BTreeMap<String, f64>;

async fn page(app: &TestApp) -> Page {
    let text = app.client.get(format!("{}/metrics", app.url)).send().await.unwrap().text().await.unwrap();
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        })
        .collect()
}

fn catalogued() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for metric in CATALOGUE {
        for labels in metric.series(&counted::routes()) {
            let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
            let mut add = |suffix: &str, more: &[String]| {
                let labels = [labels.as_slice(), more].concat().join(",");
                let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
                all.insert(format!("{}{suffix}{labels}", metric.name));
            };
            let Kind::Histogram(bounds) = metric.kind else {
                add("", &[]);
                continue;
            };
            add("_sum", &[]);
            add("_count", &[]);
            for bound in bounds.iter().map(ToString::to_string).chain(["+Inf".to_owned()]) {
                add("_bucket", &[format!("le=\"{bound}\"")]);
            }
        }
    }
    all
}

async fn counting() -> TestApp {
    let numbers = Numbers::start(&[Program::Api, Program::Worker], &counted::routes()).unwrap();
    TestApp::start_with(Wishes { numbers: Some(numbers), ..Wishes::default() }).await
}

fn assert_is_the_catalogue(page: &Page) {
    let found: BTreeSet<String> = page.keys().cloned().collect();
    let wanted = catalogued();
    let missing: Vec<_> = wanted.difference(&found).collect();
    let beside: Vec<_> = found.difference(&wanted).collect();
    assert!(missing.is_empty() && beside.is_empty(), "missing: {missing:#?}\nbeside the catalogue: {beside:#?}");
}

#[tokio::test]
async fn every_series_is_there_from_the_start_and_an_attempt_moves_them_without_a_name() {
    let app = counting().await;
    assert_is_the_catalogue(&page(&app).await);
    let receipt = app.submit(7, "Markername Secretsen", json!({})).await;
    app.wait_for_status(&receipt, "approved").await;
    app.wait_until_idle().await;
    assert_eq!(app.get("nowhere").await["status"], 404);
    let page = wait_for("the gauges", async || {
        let page = page(&app).await;
        (page["vouch_server_up{server=\"database\"}"] == 1.0).then_some(page)
    })
    .await;
    assert_is_the_catalogue(&page);
    for (series, least) in [
        ("vouch_submissions_total{outcome=\"taken\"}", 1.0),
        ("vouch_attempts_moved_total{status=\"created\"}", 1.0),
        ("vouch_attempts_moved_total{status=\"approved\"}", 1.0),
        ("vouch_jobs_total{kind=\"submit_to_vendor\",outcome=\"done\"}", 1.0),
        ("vouch_job_wait_seconds_count{kind=\"prepare_photos\"}", 1.0),
        ("vouch_job_seconds_count{kind=\"prepare_photos\"}", 1.0),
        ("vouch_relayed_total{queue=\"photos\"}", 1.0),
        ("vouch_relay_lag_seconds_count{queue=\"photos\"}", 1.0),
        ("vouch_vendor_answers_total{class=\"2xx\"}", 1.0),
        ("vouch_vendor_seconds_count", 1.0),
        ("vouch_callbacks_total{outcome=\"kept\"}", 1.0),
        ("vouch_verdicts_total{verdict=\"PASS\",outcome=\"applied\"}", 1.0),
        ("vouch_verdict_seconds_count{status=\"approved\"}", 1.0),
        ("vouch_mails_total{outcome=\"sent\"}", 2.0),
        ("vouch_http_requests_total{route=\"/verify_student/submit-photos/\",class=\"2xx\"}", 1.0),
        ("vouch_http_requests_total{route=\"/api/v1/attempts/:receipt_id\",class=\"2xx\"}", 1.0),
        ("vouch_http_seconds_count{route=\"/verify_student/results_callback\"}", 1.0),
    ] {
        assert!(page[series] >= least, "{series}: {}", page[series]);
    }
    let text = page.keys().map(String::as_str).collect::<Vec<_>>().join("\n");
    for personal in ["Markername", "Secretsen", "u7", "example.com", &receipt] {
        assert!(!text.contains(personal), "{personal}");
    }
    app.finish().await;
}

#[tokio::test]
async fn gauges_show_what_stands_still() {
    let mut app = counting().await;
    app.stop_worker().await;
    app.sql(
        "INSERT INTO queue_controls (queue, paused_at, paused_by) VALUES ('mail', now() - interval '1 hour', 'somebody')
         ON CONFLICT (queue) DO UPDATE SET paused_at = excluded.paused_at",
    )
    .await;
    app.sql(
        "INSERT INTO jobs (queue, kind, args, due_at, dead_at, error_class)
         VALUES ('events', 'track_event', '{}', now(), now(), 'made'), ('mail', 'send_email', '{}', now() + interval '1 day', NULL, NULL)",
    )
    .await;
    app.sql(
        "INSERT INTO breakers (vendor, queue, state, forced) VALUES ('software-secure', 'vendor', 'open', 'open')
         ON CONFLICT (vendor) DO UPDATE SET state = excluded.state, forced = excluded.forced",
    )
    .await;
    app.sql(
        "INSERT INTO retries (id, status, filter, rate, reason, created_by, created_at, total, retried, skipped)
         VALUES (gen_random_uuid(), 'running', '{}', 1, 'made', 'somebody', now(), 9, 4, 2)",
    )
    .await;
    let mut left_open = app.db.begin().await.unwrap();
    sqlx::query("SELECT pg_current_xact_id()").execute(&mut *left_open).await.unwrap();
    app.start_worker(&[vouch_common::domain::effect::Queue::Upkeep]);
    let page = wait_for("the gauges", async || {
        let page = page(&app).await;
        // It is set after those that are looked at.
        (page["vouch_retries_left"] == 3.0).then_some(page)
    })
    .await;
    assert_eq!(page["vouch_queue_jobs{queue=\"events\",place=\"dead\"}"], 1.0);
    assert!(page["vouch_queue_paused_seconds{queue=\"mail\"}"] >= 3600.0);
    assert_eq!(page["vouch_queue_jobs{queue=\"mail\",place=\"scheduled\"}"], 1.0);
    assert_eq!(page["vouch_breaker_state{vendor=\"software-secure\",state=\"open\"}"], 1.0);
    assert_eq!(page["vouch_breaker_state{vendor=\"software-secure\",state=\"closed\"}"], 0.0);
    assert_eq!(page["vouch_breaker_forced{vendor=\"software-secure\"}"], 1.0);
    assert!(page["vouch_database_oldest_transaction_seconds"] > 0.0);
    left_open.rollback().await.unwrap();
    app.stop_worker().await;
}

#[test]
fn whatever_the_code_counts_is_in_the_catalogue_with_its_labels() {
    let mut wrong = Vec::new();
    for file in ["common/src", "api/src", "worker/src"].into_iter().flat_map(sources) {
        let text = fs::read_to_string(&file).unwrap();
        for (start, _) in text.match_indices("metrics::") {
            let rest = &text[start + "metrics::".len()..];
            let Some(call) = ["counter!(", "gauge!(", "histogram!("].into_iter().find_map(|call| rest.strip_prefix(call)) else {
                continue;
            };
            // The catalogue's own way to its series.
            let Some(name) = call.trim_start().strip_prefix('"').and_then(|call| call.split('"').next()) else { continue };
            let end = call.find(';').unwrap();
            let labels: Vec<&str> = call[..end].split("\" =>").filter_map(|part| part.rsplit('"').next()).collect();
            let labels: BTreeSet<&str> = labels[..labels.len() - 1].iter().copied().collect();
            let known = CATALOGUE.iter().find(|metric| metric.name == name);
            if known.is_none_or(|metric| metric.labels.iter().map(|label| label.name).collect::<BTreeSet<_>>() != labels) {
                wrong.push(format!("{}: {name} {labels:?}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "not as in the catalogue:\n{}", wrong.join("\n"));
}

#[test]
fn every_route_is_counted_under_its_own_name() {
    let routes = counted::routes();
    let text = fs::read_to_string(root().join("api/src/routes/mod.rs")).unwrap();
    let mut asked = 0;
    for place in text.split(".at(\"").skip(1) {
        let route = place.split('"').next().unwrap();
        let is_counted = route.starts_with("/ops") || routes.iter().any(|known| known == route);
        assert!(is_counted, "{route} is not in counted.rs");
        asked += 1;
    }
    assert!(asked > 20);
}
