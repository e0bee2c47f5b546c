//! Workers that are killed.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use vouch_cli::simulator::{Kind, Script};
use vouch_tests::proxy::Mode;

use crate::{
    learners::GOOD,
    patience,
    stage::{Stage, WAIT_MAX},
};

const SUBMITTING: &str = "SELECT count(*) FROM jobs WHERE kind = 'submit_to_vendor' AND phase = 'running'";

const FENCED: &str = r#"vouch_jobs_total{kind="submit_to_vendor",outcome="fenced"}"#;

/// Waits until the vendor has taken so many submissions in all.
async fn wait_for_orders(stage: &Stage, count: usize) -> Result<()> {
    let journal = stage.vendor.journal();
    let enough =
        journal.wait_until(|entries| entries.iter().filter(|entry| entry.event.kind == Kind::Submission).count() >= count);
    tokio::time::timeout(WAIT_MAX, enough).await?;
    Ok(())
}

/// Six submissions lie at the vendor, which answers after three seconds and calls back so long after that.
async fn six_await_their_answers(stage: &Stage, verdict_ms: u64) -> Result<()> {
    let slow = format!(r#"{{"answer": {{"delay_ms": 3000}}, "callback": {{"tries": 20, "delay_ms": {verdict_ms}}}}}"#);
    stage.vendor.set_script(Script::parse(slow.as_bytes())?)?;
    stage.vendor_line.set(Mode::Silent);
    stage.learners.submit(6, GOOD).await?;
    stage.wait_for_count("the claims", SUBMITTING, 6).await?;
    stage.vendor_line.heal();
    wait_for_orders(stage, 6).await?;
    Ok(())
}

/// The vendor has taken it; the commit that says so never comes.
pub async fn between_answer_and_commit(stage: &mut Stage) -> Result<()> {
    six_await_their_answers(stage, 6000).await?;
    // The answers are on their way, and from now on nothing reaches Postgres.
    stage.program("vendor")?.postgres.set(Mode::Silent);
    tokio::time::sleep(Duration::from_secs(4)).await;
    let left = stage.count(SUBMITTING).await?;
    stage.expect(left > 0, "the kill came too late: no job ran any more");
    stage.kill("vendor").await?;
    stage.program("vendor")?.postgres.heal();
    stage.start("vendor").await?;
    stage.wait_for_count("the verdicts", "SELECT count(*) FROM attempts WHERE status = 'approved'", 6).await?;
    let repeated = stage.vendor.journal().entries().iter().filter(|entry| entry.event.decision == "repeated").count();
    // A verdict that came before the second try has settled the attempt, which is then not sent again.
    stage.expect(repeated <= 6, format!("{repeated} orders were repeated"));
    Ok(())
}

/// The job is claimed; the vendor has not heard of it.
pub async fn after_claim(stage: &mut Stage) -> Result<()> {
    stage.vendor_line.set(Mode::Silent);
    stage.learners.submit(6, GOOD).await?;
    stage.wait_for_count("the claims", SUBMITTING, 6).await?;
    stage.take_dump().await;
    stage.kill("vendor").await?;
    stage.expect(stage.vendor.journal().entries().is_empty(), "the vendor has heard of it");
    let counted = stage.count("SELECT count(*) FROM jobs WHERE kind = 'submit_to_vendor' AND deliveries = 1").await?;
    stage.expect(counted == 6, format!("{counted} of 6 deliveries were counted"));
    stage.vendor_line.heal();
    stage.start("vendor").await
}

/// Frozen until its leases have passed to another: what it wanted to say when it wakes up is not taken.
pub async fn frozen(stage: &mut Stage) -> Result<()> {
    // Verdicts come when all is over, so that the other must ask the vendor again.
    six_await_their_answers(stage, 60_000).await?;
    stage.program("vendor")?.signal("STOP").await?;
    let held = stage.count(SUBMITTING).await?;
    stage.expect(held == 6, format!("the vendor answered too early: {held} of 6 jobs were in hand"));
    stage.add("vendor-2", "vouch-worker", &["--queues", "vendor"], &[]).await?;
    stage.start("vendor-2").await?;
    stage.wait_for_count("the other to be done", "SELECT count(*) FROM attempts WHERE status = 'submitted'", 6).await?;
    stage.program("vendor")?.signal("CONT").await?;
    let fenced = async || stage.metric("vendor", FENCED).await.filter(|count| *count >= 6.0).map(drop);
    patience(WAIT_MAX, "all six to be fenced off", fenced).await?;
    let repeated = stage.vendor.journal().entries().iter().filter(|entry| entry.event.decision == "repeated").count();
    stage.expect(repeated == 6, format!("{repeated} of 6 orders were repeated"));
    Ok(())
}

/// Each time one round trip later: whatever lies between two of them is met.
pub async fn between_any_two_steps(stage: &mut Stage) -> Result<()> {
    stage.may_quarantine = true;
    for name in ["photos", "vendor", "rest"] {
        for step in 1..=10 {
            let learners = Arc::clone(&stage.learners);
            let submitting = tokio::spawn(async move { learners.submit(1, GOOD).await });
            let program = stage.program(name)?;
            if step % 2 == 0 {
                program.postgres.cut_before_answer(step)
            } else {
                program.postgres.cut_after_requests(step)
            }
            let line = &stage.program(name)?.postgres;
            patience(WAIT_MAX, "the cut", async || line.is_closed().then_some(())).await?;
            stage.kill(name).await?;
            stage.program(name)?.postgres.heal();
            stage.start(name).await?;
            submitting.await??;
        }
    }
    Ok(())
}
