//! Programs that are asked to stop while they work.

use std::sync::Arc;

use anyhow::Result;
use vouch_cli::simulator::Script;

use crate::{learners::GOOD, stage::Stage};

const NAMES: [&str; 4] = ["api", "photos", "vendor", "rest"];

/// SIGTERM, in any order, while learners submit: each ends with 0, nothing is lost, and no try is counted.
pub async fn terminated(stage: &mut Stage) -> Result<()> {
    stage.without_downloads()?;
    for round in 0..4 {
        let learners = Arc::clone(&stage.learners);
        let users = learners.register(8, GOOD).await?;
        let submitting = tokio::spawn(async move { learners.submit_as(&users, GOOD).await });
        stage.wait_for_count("some submissions", "SELECT count(*) FROM attempts", round * 8 + 2).await?;
        let name = *stage.dice.among(&NAMES);
        for name in [name, NAMES[usize::try_from(round)?]] {
            if stage.program(name)?.is_running() {
                stage.program(name)?.signal("TERM").await?;
                let code = stage.program(name)?.wait_for_end().await?;
                stage.expect(code == Some(0), format!("{name} ended with {code:?} after SIGTERM"));
            }
            stage.start(name).await?;
        }
        submitting.await??;
    }
    let failed = stage.count("SELECT count(*) FROM jobs WHERE failures > 0 AND kind <> 'apply_vendor_result'").await?;
    stage.expect(failed == 0, format!("{failed} jobs were charged a try for a stop"));
    Ok(())
}

/// SIGTERM twice with full hands, and then SIGKILL before the grace is over.
pub async fn terminated_then_killed(stage: &mut Stage) -> Result<()> {
    stage
        .vendor
        .set_script(Script::parse(br#"{"answer": {"delay_ms": 8000}, "callback": {"tries": 20, "delay_ms": 10000}}"#)?)?;
    stage.learners.submit(5, GOOD).await?;
    let running = "SELECT count(*) FROM jobs WHERE kind = 'submit_to_vendor' AND phase = 'running'";
    // On a busy machine the first may be done before the last is claimed.
    stage.wait_for_count("a claim", running, 1).await?;
    let vendor = stage.program("vendor")?;
    vendor.signal("TERM").await?;
    vendor.signal("TERM").await?;
    let is_running = vendor.is_running();
    stage.kill("vendor").await?;
    stage.expect(is_running, "a second SIGTERM ended the worker with full hands");
    stage.start("vendor").await
}
