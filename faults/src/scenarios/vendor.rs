//! A vendor that is slow, dead or lying.

use std::time::Duration;

use anyhow::Result;
use vouch_cli::simulator::Script;

use vouch_tests::proxy::Mode;

use crate::{learners::GOOD, stage::Stage};

/// It has taken the submission, and its answer never comes: only a second try with the same key can tell.
pub async fn accepts_and_hangs(stage: &mut Stage) -> Result<()> {
    let hangs = br#"{"answer": {"fault": {"kind": "hang"}, "first": 4}, "callback": {"tries": 20, "delay_ms": 6000}}"#;
    stage.vendor.set_script(Script::parse(hangs)?)?;
    stage.learners.submit(4, GOOD).await?;
    stage.wait_for_count("the verdicts", "SELECT count(*) FROM attempts WHERE status = 'approved'", 4).await
}

const TRIED: &str = "SELECT count(*) FROM jobs WHERE kind = 'submit_to_vendor' AND error_class IS NOT NULL";
const RETRYING: &str = "SELECT count(*) FROM attempts WHERE status = 'must_retry'";

/// How long the vendor is out of order.
const OUT_OF_ORDER: Duration = Duration::from_mins(5);
/// Probes that may go out meanwhile.
const PROBES_MAX: usize = 20;

/// 500 for everybody: the breaker opens, tries are not burnt, and the backlog is worked off afterwards.
pub async fn out_of_order(stage: &mut Stage) -> Result<()> {
    stage.vendor.set_script(Script::parse(br#"{"answer": {"fault": {"kind": "status", "status": 500}}}"#)?)?;
    stage.learners.submit(20, GOOD).await?;
    stage.wait_for_count("an open breaker", "SELECT count(*) FROM breakers WHERE state = 'open'", 1).await?;
    let calls = stage.vendor.journal().entries().len();
    tokio::time::sleep(OUT_OF_ORDER).await;
    let more = stage.vendor.journal().entries().len() - calls;
    stage.expect(more <= PROBES_MAX, format!("{more} calls went out though the breaker was open"));
    let burnt = stage.count("SELECT coalesce(max(failures), 0)::bigint FROM jobs WHERE kind = 'submit_to_vendor'").await?;
    stage.expect(burnt < 12, format!("{burnt} tries of one job were burnt"));
    Ok(())
}

/// 429: whoever calls, from whatever process, waits for as long as the vendor asked.
pub async fn busy(stage: &mut Stage) -> Result<()> {
    stage.add("vendor-2", "vouch-worker", &["--queues", "vendor"], &[]).await?;
    stage.start("vendor-2").await?;
    let busy = br#"{"answer": {"fault": {"kind": "too_many_requests", "retry_after": "8"}, "first": 1}}"#;
    stage.vendor.set_script(Script::parse(busy)?)?;
    stage.learners.submit(1, GOOD).await?;
    stage.wait_for_count("a queue that is held", TRIED, 1).await?;
    stage.learners.submit(6, GOOD).await?;
    stage.wait_for_count("the verdicts", "SELECT count(*) FROM attempts WHERE status = 'approved'", 7).await?;
    let entries = stage.vendor.journal().entries();
    let refused = entries.iter().find(|entry| entry.event.http_status == Some(429)).map(|entry| entry.at);
    let next = refused.and_then(|at| {
        let later =
            |entry: &&vouch_cli::simulator::Entry| entry.at > at && entry.event.kind == vouch_cli::simulator::Kind::Submission;
        entries.iter().find(later).map(|entry| (entry.at - at).num_milliseconds())
    });
    stage.expect(next.is_some_and(|wait| wait >= 7500), format!("the next call came after {next:?} ms, not after 8 s"));
    Ok(())
}

/// `Retry-After` that makes no sense: a day and more, less than nothing, words, none.
pub async fn busy_and_confused(stage: &mut Stage) -> Result<()> {
    for retry_after in ["-1", "soon", ""] {
        let script =
            format!(r#"{{"answer": {{"fault": {{"kind": "too_many_requests", "retry_after": "{retry_after}"}}, "first": 1}}}}"#);
        stage.vendor.set_script(Script::parse(script.as_bytes())?)?;
        stage.learners.submit(2, GOOD).await?;
        stage.wait_for_count("all to be decided", "SELECT count(*) FROM attempts WHERE status = 'approved'", 1).await?;
    }
    stage.vendor.set_script(Script::parse(
        br#"{"answer": {"fault": {"kind": "too_many_requests", "retry_after": "999999"}, "first": 1}}"#,
    )?)?;
    stage.learners.submit(1, GOOD).await?;
    stage
        .wait_for_count("a long hold", "SELECT count(*) FROM queue_controls WHERE held_until > now() + interval '50 minutes'", 1)
        .await?;
    let held = stage.count("SELECT extract(epoch FROM max(held_until) - now())::bigint FROM queue_controls").await?;
    stage.expect(held <= 3600, format!("the queue is held for {held} s, more than an hour"));
    // An hour goes by.
    stage.sql("UPDATE queue_controls SET held_until = now() WHERE held_until IS NOT NULL").await?;
    stage.sql("UPDATE jobs SET due_at = now() WHERE kind = 'submit_to_vendor' AND phase = 'waiting'").await
}

/// 200 with bytes that mean nothing, a redirect, and a connection that ends or is refused.
pub async fn lying(stage: &mut Stage) -> Result<()> {
    for fault in [r#"{"kind": "garbage"}"#, r#"{"kind": "redirect", "location": "http://127.0.0.1:1/"}"#] {
        let script = format!(r#"{{"answer": {{"fault": {fault}, "first": 2}}, "callback": {{"tries": 20, "delay_ms": 3000}}}}"#);
        stage.vendor.set_script(Script::parse(script.as_bytes())?)?;
        let before = stage.vendor.journal().entries().len();
        stage.learners.submit(2, GOOD).await?;
        let journal = stage.vendor.journal();
        let _ = tokio::time::timeout(crate::stage::WAIT_MAX, journal.wait_until(|entries| entries.len() >= before + 2)).await?;
    }
    // Nobody follows a redirect: an operator decides, and here has them sent again.
    stage.wait_for_count("the redirected to be dead", "SELECT count(*) FROM jobs WHERE dead_at IS NOT NULL", 2).await?;
    stage.vendor.set_script(stage.well.clone())?;
    stage.retry_the_dead("kind = 'submit_to_vendor'").await?;
    stage.vendor_line.set(Mode::Closed);
    stage.learners.submit(2, GOOD).await?;
    stage.wait_for_count("a try that met nobody", RETRYING, 1).await?;
    stage.vendor_line.heal();
    stage.vendor.set_script(Script::parse(br#"{"answer": {"delay_ms": 1500}, "callback": {"tries": 20, "delay_ms": 4000}}"#)?)?;
    stage.learners.submit(2, GOOD).await?;
    let journal = stage.vendor.journal();
    let seen = journal.entries().len();
    let _ = tokio::time::timeout(crate::stage::WAIT_MAX, journal.wait_until(|entries| entries.len() > seen)).await?;
    stage.vendor_line.cut();
    Ok(())
}
