//! Postgres that goes away.

use std::sync::Arc;

use anyhow::Result;

use crate::{learners::GOOD, stage::Stage};

/// Ended without a checkpoint while submissions and verdicts flow, twice.
pub async fn restarted(stage: &mut Stage) -> Result<()> {
    for round in 1..=2 {
        let learners = Arc::clone(&stage.learners);
        let users = learners.register(15, GOOD).await?;
        let submitting = tokio::spawn(async move { learners.submit_as(&users, GOOD).await });
        stage.wait_for_count("half of the submissions", "SELECT count(*) FROM attempts", round * 15 - 8).await?;
        stage.ground.postgres.stop().await?;
        stage.server_kills += 1;
        stage.disturbances += 20;
        stage.ground.postgres.up().await?;
        submitting.await??;
    }
    Ok(())
}
