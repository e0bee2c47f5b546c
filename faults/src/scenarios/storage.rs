//! Storage without room, and storage that takes nothing.

use anyhow::{Context, Result};

use crate::{disk::Disk, learners::GOOD, stage::Stage};

/// Room for some dozen submissions.
const DISK_BYTES: usize = 12 << 20;

/// Full to the last byte: what is not stored is not accepted, and what is accepted waits for room.
pub async fn full(stage: &mut Stage) -> Result<()> {
    mount(stage)?;
    stage.learners.submit(3, GOOD).await?;
    stage.wait_for_count("the verdicts", "SELECT count(*) FROM attempts WHERE status = 'approved'", 3).await?;
    stage.kill("photos").await?;
    stage.learners.submit(3, GOOD).await?;
    let left = disk(stage)?.fill()?;
    is_refused(stage, "a full disk").await?;
    preparation_waits(stage, 3).await?;
    stage.notes.push(format!("{left} bytes were left, and then none"));
    disk(stage)?.heal()?;
    stage.learners.submit(3, GOOD).await
}

/// Read-only under way: likewise.
pub async fn read_only(stage: &mut Stage) -> Result<()> {
    mount(stage)?;
    stage.kill("photos").await?;
    stage.learners.submit(3, GOOD).await?;
    disk(stage)?.set_read_only(true)?;
    is_refused(stage, "a read-only disk").await?;
    preparation_waits(stage, 3).await?;
    disk(stage)?.heal()?;
    stage.learners.submit(3, GOOD).await
}

fn mount(stage: &mut Stage) -> Result<()> {
    stage.disk = Some(Disk::mount(&stage.folder.join("objects"), DISK_BYTES)?);
    Ok(())
}

fn disk(stage: &Stage) -> Result<&Disk> {
    stage.disk.as_ref().context("no disk is mounted")
}

/// A submission is answered 503 or 507 with `Retry-After`, and leaves no row.
async fn is_refused(stage: &mut Stage, what: &str) -> Result<()> {
    let rows = "SELECT (SELECT count(*) FROM attempts) + (SELECT count(*) FROM jobs WHERE kind <> 'send_email')";
    let before = stage.count(rows).await?;
    let users = stage.learners.register(1, GOOD).await?;
    let answer = stage.learners.request(users[0], &stage.learners.good_photos())?.send().await?;
    let (status, has_retry_after) = (answer.status().as_u16(), answer.headers().contains_key("retry-after"));
    let is_told = matches!(status, 503 | 507) && has_retry_after;
    stage.expect(is_told, format!("{what}: a submission was answered {status} (Retry-After: {has_retry_after})"));
    let after = stage.count(rows).await?;
    stage.expect(after <= before, format!("{what}: a submission that was refused left {} rows", after - before));
    Ok(())
}

/// What was accepted before is tried and stays as it was, with its uploads.
async fn preparation_waits(stage: &mut Stage, attempts: i64) -> Result<()> {
    stage.start("photos").await?;
    let tried = "SELECT count(*) FROM jobs WHERE kind = 'prepare_photos' AND error_class IS NOT NULL";
    stage.wait_for_count("tries without room", tried, attempts).await?;
    let waiting = "SELECT count(*) FROM attempts WHERE status = 'created' AND face_object IS NULL AND face_upload IS NOT NULL";
    let waiting = stage.count(waiting).await?;
    stage.expect(waiting == attempts, format!("{waiting} of {attempts} attempts wait for room as they were"));
    Ok(())
}
