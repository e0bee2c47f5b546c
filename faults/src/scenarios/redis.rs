//! Redis that forgets, stalls, and comes back from the past.

use std::time::Duration;

use anyhow::Result;
use vouch_tests::proxy::Mode;

use crate::{learners::GOOD, stage::Stage};

const WAITING: &str = "SELECT count(*) FROM jobs WHERE phase = 'dispatched'";

/// Everything that lies ready is gone, three times.
pub async fn flushed(stage: &mut Stage) -> Result<()> {
    stage.vendor_line.set(Mode::Silent);
    stage.learners.submit(30, GOOD).await?;
    stage.kill("photos").await?;
    stage.vendor_line.heal();
    for _ in 0..3 {
        stage.learners.submit(5, GOOD).await?;
        stage.wait_for_count("something that lies ready", WAITING, 1).await?;
        stage.take_dump().await;
        let pause = stage.dice.below(400) as u64;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        stage.ground.redis.ask(&["FLUSHALL"]).await?;
    }
    stage.start("photos").await
}

/// Killed, and back with what it held a while ago: jobs that are long done, or that run again already.
pub async fn from_the_past(stage: &mut Stage) -> Result<()> {
    stage.kill("photos").await?;
    stage.learners.submit(12, GOOD).await?;
    stage.wait_for_count("twelve that lie ready", WAITING, 12).await?;
    let old = stage.ground.redis.snapshot().await?;
    stage.dumps.push(old);
    stage.start("photos").await?;
    for _ in 0..2 {
        stage.wait_for_count("some to be done", "SELECT count(*) FROM attempts WHERE status <> 'created'", 4).await?;
        // The dump is still there, and Redis reads it when it starts.
        stage.ground.redis.kill().await?;
        stage.server_kills += 1;
        stage.ground.redis.up().await?;
        stage.learners.submit(3, GOOD).await?;
    }
    stage.ground.redis.forget_dump();
    Ok(())
}

/// Connections that stand and say nothing, then connections that are cut every moment, while work flows.
pub async fn stalled(stage: &mut Stage) -> Result<()> {
    stage.learners.submit(3, GOOD).await?;
    for pause in [700, 5000] {
        stage.redis.set(Mode::Silent);
        stage.learners.submit(4, GOOD).await?;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        stage.redis.set(Mode::Open);
    }
    for _ in 0..6 {
        stage.redis.cut();
        stage.learners.submit(2, GOOD).await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let burnt = stage.count("SELECT count(*) FROM jobs WHERE deliveries > 1").await?;
    stage.expect(burnt == 0, format!("{burnt} running jobs were given up because Redis was away"));
    Ok(())
}
