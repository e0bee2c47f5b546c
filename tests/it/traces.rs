//! One trace from the submission to the mail, with nothing personal in it.

use std::{
    io::Read,
    process::{Command, Stdio},
};

use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use url::Url;
use vouch_common::telemetry;
use vouch_tests::{
    API_KEY, JWT_SECRET, SECRET, TestApp,
    collector::{Collector, attribute},
    samples, wait_for,
};

use crate::processes::program;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn one<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let mut found = spans.iter().filter(|span| span.name == name);
    let first = found.next().unwrap_or_else(|| panic!("no {name} among {:?}", names(spans)));
    assert!(found.next().is_none(), "{name} once");
    first
}

fn names(spans: &[Span]) -> Vec<&str> {
    spans.iter().map(|span| span.name.as_str()).collect()
}

#[tokio::test]
async fn an_attempt_is_one_trace_from_the_submission_to_the_mail() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let collector = Collector::start().await;
    let telemetry = telemetry::start("vouch-test", Some(&Url::parse(&collector.url).unwrap()), &Handle::current()).unwrap();
    let mut app = TestApp::start().await;
    let receipt = app.submit(7, "Zyxwv Marker", json!({})).await;
    app.wait_for_status(&receipt, "approved").await;
    app.wait_until_idle().await;
    app.stop_worker().await;
    telemetry.stop().await;

    let stored: String = sqlx::query_scalar("SELECT trace FROM attempts").fetch_one(&app.db).await.unwrap();
    let trace = telemetry::trace::id_of(&stored).unwrap();
    let spans: Vec<Span> = collector.spans().into_iter().filter(|span| hex(&span.trace_id) == trace).collect();
    let submission = one(&spans, "POST /verify_student/submit-photos/");
    assert!(submission.parent_span_id.is_empty(), "the trace begins with the learner");
    assert_eq!(attribute(submission, "attempt.receipt").as_ref(), Some(&receipt));
    let (prepare, submit) = (one(&spans, "job.prepare_photos"), one(&spans, "job.submit_to_vendor"));
    let (callback, apply) = (one(&spans, "op.record_callback"), one(&spans, "job.apply_vendor_result"));
    for (child, parent) in [
        (prepare, submission),
        (submit, prepare),
        (one(&spans, "far.post_attempt"), submit),
        (callback, submission),
        (apply, submission),
    ] {
        assert_eq!(child.parent_span_id, parent.span_id, "{} under {}", child.name, parent.name);
    }
    assert_eq!(callback.links.len(), 1, "to the vendor's own call");
    for (name, value) in [("job.outcome", "done"), ("job.kind", "submit_to_vendor"), ("job.queue", "vendor"), ("job.tries", "1")]
    {
        assert_eq!(attribute(submit, name).as_deref(), Some(value), "{name}");
    }
    let mails: Vec<&Span> = spans.iter().filter(|span| span.name == "job.send_email").collect();
    let mut parents: Vec<_> = mails.iter().map(|span| span.parent_span_id.clone()).collect();
    let mut wanted = vec![submission.span_id.clone(), apply.span_id.clone()];
    parents.sort();
    wanted.sort();
    assert_eq!(parents, wanted, "one mail for the photos, one for the verdict");
    for sent in spans.iter().filter(|span| span.name == "far.send_mail") {
        assert!(mails.iter().any(|mail| mail.span_id == sent.parent_span_id));
    }
    let runs = app.count(&format!("SELECT count(*) FROM job_runs WHERE trace LIKE '00-{trace}-%-01'")).await;
    assert_eq!(runs, 5, "the story of each try knows its trace");

    let raw = collector.raw();
    let face = samples::bytes("good/face.jpg");
    for marker in [
        b"Zyxwv".as_slice(),
        b"u7@",
        b"example.com",
        API_KEY.as_bytes(),
        JWT_SECRET.as_bytes(),
        SECRET.as_bytes(),
        &face[2000..2024],
    ] {
        let is_there = raw.windows(marker.len()).any(|window| window == marker);
        assert!(!is_there, "{}", String::from_utf8_lossy(marker));
    }
}

#[tokio::test]
async fn a_collector_that_is_away_disturbs_nothing() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let nobody = Url::parse("http://127.0.0.1:9").unwrap();
    let telemetry = telemetry::start("vouch-test", Some(&nobody), &Handle::current()).unwrap();
    let app = TestApp::start().await;
    let receipt = app.submit(7, "Ada", json!({})).await;
    app.wait_for_status(&receipt, "approved").await;
    app.finish().await;
    telemetry.stop().await;
}

#[tokio::test]
async fn without_a_collector_the_ledger_and_the_attempt_name_one_trace_all_the_same() {
    let telemetry = telemetry::start("vouch-test", None, &Handle::current()).unwrap();
    let app = TestApp::start().await;
    let receipt = app.submit(7, "Ada", json!({})).await;
    app.wait_for_status(&receipt, "approved").await;
    app.wait_until_idle().await;
    let traces = "SELECT count(DISTINCT split_part(trace, '-', 2)) FROM (SELECT trace FROM attempts UNION SELECT trace FROM job_runs) AS all_of";
    assert_eq!(app.count(traces).await, 1);
    assert_eq!(app.count("SELECT count(*) FROM job_runs WHERE trace IS NULL").await, 0);
    // What the sweep sets going again belongs to the attempt's trace too.
    app.sql("UPDATE attempts SET status = 'ready', updated_at = now() - interval '1 hour'").await;
    app.sql("UPDATE schedule_ticks SET tick_at = now() - interval '1 hour'").await;
    wait_for("the sweep", async || {
        (app.count("SELECT count(*) FROM job_runs WHERE kind = 'submit_to_vendor'").await == 2).then_some(())
    })
    .await;
    assert_eq!(app.count(traces).await, 1);
    app.finish().await;
    telemetry.stop().await;
}

#[tokio::test]
async fn a_line_of_the_log_names_the_trace_that_the_ledger_names() {
    let app = TestApp::without_worker().await;
    let receipt = app.submit(7, "Zyxwv Marker", json!({})).await;
    let mut worker = program("vouch-worker").envs(app.settings.iter().cloned()).stderr(Stdio::piped()).spawn().unwrap();
    app.wait_for_status(&receipt, "approved").await;
    app.wait_until_idle().await;
    assert!(Command::new("kill").args(["-TERM", &worker.id().to_string()]).status().unwrap().success());
    let mut text = String::new();
    worker.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(worker.wait().unwrap().success());
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line = lines.iter().find(|line| line["message"] == "the vendor accepted the attempt").unwrap();
    let sql = "SELECT split_part(trace, '-', 2) FROM job_runs WHERE kind = 'submit_to_vendor'";
    let trace: String = sqlx::query_scalar(sql).fetch_one(&app.db).await.unwrap();
    // The api of this test makes no traces, so the worker began one.
    assert_eq!(line["trace_id"], trace.as_str());
    assert!(lines.iter().any(|line| line["message"] == "working" && line["trace_id"].is_null()));
    assert!(!text.contains("Zyxwv") && !text.contains("u7@"), "{text}");
}
