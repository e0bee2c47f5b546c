//! A mail server that is away, refuses, or keeps a mail and does not say so.

use anyhow::Result;
use vouch_tests::proxy::Mode;

use crate::{
    learners::GOOD,
    patience,
    smtp::Fault,
    stage::{Stage, WAIT_MAX},
};

async fn wait_for_faults(stage: &Stage, count: usize) -> Result<()> {
    patience(WAIT_MAX, "mails that meet the fault", async || (stage.mail.faults_met() >= count).then_some(())).await
}

/// Kept, and the connection ends before the answer: the mail comes a second time, with the same `Message-ID`.
pub async fn kept_and_cut(stage: &mut Stage) -> Result<()> {
    stage.disturbances += 4;
    stage.mail.set(Some((Fault::KeptAndCut, 4)));
    stage.learners.submit(3, GOOD).await?;
    wait_for_faults(stage, 4).await?;
    let repeated = || {
        let mails = stage.mail.mails();
        let distinct: std::collections::BTreeSet<_> = mails.iter().map(|mail| &mail.message_id).collect();
        mails.len() - distinct.len()
    };
    patience(WAIT_MAX, "a mail that comes again", async || (repeated() > 0).then_some(())).await
}

/// Refused for now, then for good: the verdict stands, and the mail comes later.
pub async fn refused(stage: &mut Stage) -> Result<()> {
    for (fault, count) in [(Fault::NotNow, 4), (Fault::Never, 3)] {
        let before = stage.mail.faults_met();
        stage.mail.set(Some((fault, count)));
        stage.learners.submit(3, GOOD).await?;
        wait_for_faults(stage, before + count).await?;
    }
    stage.wait_for_count("the verdicts", "SELECT count(*) FROM attempts WHERE status = 'approved'", 6).await
}

/// Nobody listens, then nobody answers; no verdict waits for it.
pub async fn away(stage: &mut Stage) -> Result<()> {
    stage.mail_line.set(Mode::Closed);
    stage.learners.submit(3, GOOD).await?;
    stage.wait_for_count("the verdicts", "SELECT count(*) FROM attempts WHERE status = 'approved'", 3).await?;
    stage.mail_line.set(Mode::Silent);
    stage.learners.submit(3, GOOD).await?;
    stage.wait_for_count("the verdicts", "SELECT count(*) FROM attempts WHERE status = 'approved'", 6).await?;
    stage.expect(stage.mail.mails().is_empty(), "a mail came through");
    Ok(())
}

/// Kept, and the answer never comes: the timeout ends it.
pub async fn kept_and_silent(stage: &mut Stage) -> Result<()> {
    stage.disturbances += 2;
    stage.mail.set(Some((Fault::KeptAndSilent, 2)));
    stage.learners.submit(2, GOOD).await?;
    wait_for_faults(stage, 2).await
}
