//! Verdicts that come too often, too early, or forged.

use anyhow::Result;
use vouch_cli::simulator::{Kind, Script};

use crate::{
    learners::GOOD,
    patience,
    stage::{Stage, WAIT_MAX},
};

/// A hundred equal callbacks at once: all are answered, one counts.
pub async fn hundredfold(stage: &mut Stage) -> Result<()> {
    stage.vendor.set_script(Script::parse(br#"{"callback": {"copies": 100, "tries": 20, "delay_ms": 200}}"#)?)?;
    stage.learners.submit(3, GOOD).await?;
    let journal = stage.vendor.journal();
    let answers = || -> Vec<Option<u16>> {
        let entries = journal.entries();
        entries.iter().filter(|entry| entry.event.kind == Kind::Callback).map(|entry| entry.event.http_status).collect()
    };
    patience(WAIT_MAX, "three hundred answers", async || (answers().len() >= 300).then_some(())).await?;
    // On a busy machine some may be told to come again; what may not be is any other answer, or one that never comes.
    patience(WAIT_MAX, "three hundred to be taken", async || (count(&answers(), 200..300) >= 300).then_some(())).await?;
    let odd = answers().len() - count(&answers(), 200..300) - count(&answers(), 503..504);
    stage.expect(odd == 0, format!("{odd} of the equal callbacks were answered neither 2xx nor 503"));
    let kept = stage.count("SELECT count(*) FROM vendor_callbacks").await?;
    stage.expect(kept == 3, format!("{kept} callbacks were kept, and 3 came"));
    Ok(())
}

fn count(statuses: &[Option<u16>], among: std::ops::Range<u16>) -> usize {
    statuses.iter().flatten().filter(|status| among.contains(status)).count()
}

/// The verdict arrives before the submission is even answered.
pub async fn early(stage: &mut Stage) -> Result<()> {
    stage
        .vendor
        .set_script(Script::parse(br#"{"answer": {"delay_ms": 1500}, "callback": {"timing": "before_answer", "tries": 20}}"#)?)?;
    stage.learners.submit(6, GOOD).await?;
    stage.wait_for_count("the verdicts", "SELECT count(*) FROM attempts WHERE status = 'approved'", 6).await
}

/// Signed by another, with a flipped bit, too old; for a receipt that nobody has; too long; without a signature.
pub async fn forged(stage: &mut Stage) -> Result<()> {
    for forgery in ["wrong_secret", "flipped_bit", "stale_date"] {
        let script = format!(r#"{{"callback": {{"forgery": "{forgery}"}}}}"#);
        stage.vendor.set_script(Script::parse(script.as_bytes())?)?;
        let seen = stage.vendor.journal().entries().len();
        let users = stage.learners.register(2, GOOD).await?;
        stage.learners.submit_as(&users, GOOD).await?;
        let journal = stage.vendor.journal();
        let both = journal
            .wait_until(|entries| entries.iter().skip(seen).filter(|entry| entry.event.kind == Kind::Callback).count() >= 2);
        let entries = tokio::time::timeout(WAIT_MAX, both).await?;
        let calls = entries.iter().skip(seen).filter(|entry| entry.event.kind == Kind::Callback);
        let statuses: Vec<Option<u16>> = calls.map(|entry| entry.event.http_status).collect();
        stage.expect(statuses.iter().all(|status| *status == Some(401)), format!("{forgery} was answered {statuses:?}"));
    }
    let long = vec![b' '; 50 << 20];
    let call = crate::client().post(stage.url("/callbacks/vendor")).header("content-type", "application/json").body(long);
    let answer = call.send().await;
    let status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
    // A server may hang up while the rest is still on its way.
    stage.expect(status.is_none_or(|status| status == 413), format!("50 MB were answered {status:?}"));
    let kept = stage.count("SELECT count(*) FROM vendor_callbacks").await?;
    stage.expect(kept == 0, format!("{kept} forged callbacks were kept"));
    let decided = stage.count("SELECT count(*) FROM attempts WHERE status IN ('approved', 'denied')").await?;
    stage.expect(decided == 0, format!("{decided} attempts were decided by a forger"));
    // The vendor's own verdict comes at last: an operator has the attempts sent again.
    stage.wait_for_count("all to be with the vendor", "SELECT count(*) FROM attempts WHERE status = 'submitted'", 6).await?;
    stage.vendor.set_script(stage.well.clone())?;
    for accepted in stage.learners.noted().accepted {
        stage.call_back(&accepted.receipt, "approved").await?;
    }
    Ok(())
}
