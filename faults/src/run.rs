//! Runs scenarios one after the other: do harm, heal, wait until all is done, check.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use futures_util::future::try_join_all;

use crate::{
    check,
    gather::gather,
    ground::Ground,
    report::{Outcome, Teller, Verdict},
    scenarios::{Numbered, Skip},
    stage::Stage,
};

/// Lanes, each with servers of its own, in which scenarios run side by side: most of their time is waiting.
pub struct Lanes(pub usize);

pub async fn all(folder: &Path, seed: u64, chosen: &[Numbered], (teller, lanes): (&Teller, Lanes)) -> Result<Vec<Outcome>> {
    let next = AtomicUsize::new(0);
    let lanes = (1..=lanes.0.clamp(1, chosen.len().max(1))).map(|lane| {
        let next = &next;
        async move {
            let folder = folder.join(format!("lane-{lane}"));
            std::fs::create_dir_all(&folder)?;
            let ground = Arc::new(Ground::prepare(&folder).await.context("the servers")?);
            let mut outcomes = Vec::new();
            while let Some((number, scenario)) = chosen.get(next.fetch_add(1, Ordering::SeqCst)) {
                teller.begin(*number, scenario.name, scenario.what);
                let case = Case { number: *number, name: scenario.name, settings: scenario.settings, seed };
                let outcome = one(&ground, case, scenario.run).await?;
                teller.end(&outcome);
                outcomes.push(outcome);
            }
            ground.stop().await;
            anyhow::Ok(outcomes)
        }
    });
    let mut outcomes: Vec<Outcome> = try_join_all(lanes).await?.into_iter().flatten().collect();
    outcomes.sort_by_key(|outcome| outcome.number);
    Ok(outcomes)
}

/// What is played, and with which dice.
pub struct Case<'name> {
    pub number: usize,
    pub name: &'name str,
    /// Settings over the usual ones.
    pub settings: &'static [(&'static str, &'static str)],
    pub seed: u64,
}

/// Sets a stage, does the harm, heals, waits until all is done, and checks.
pub async fn one(ground: &Arc<Ground>, case: Case<'_>, harm: impl AsyncFnOnce(&mut Stage) -> Result<()>) -> Result<Outcome> {
    let began = Instant::now();
    ground.postgres.up().await?;
    ground.redis.up().await?;
    let mut outcome = Outcome::new(case.number, case.name);
    match Stage::set(Arc::clone(ground), case.name, case.seed, case.settings).await {
        Ok(mut stage) => {
            (outcome.verdict, outcome.recovery) = play(&mut stage, harm).await;
            outcome.submissions = stage.learners.noted().accepted.len();
            (outcome.kills, outcome.quarantined) = (stage.kills(), stage.quarantined);
            outcome.notes = std::mem::take(&mut stage.notes);
            stage.clear().await?;
        }
        Err(error) => outcome.verdict = Verdict::broken(format!("the stage could not be set: {error:#}")),
    }
    outcome.took = began.elapsed();
    Ok(outcome)
}

async fn play(stage: &mut Stage, harm: impl AsyncFnOnce(&mut Stage) -> Result<()>) -> (Verdict, Option<Duration>) {
    let mut others = Vec::new();
    if let Err(error) = harm(stage).await {
        match error.downcast::<Skip>() {
            Ok(Skip(why)) => return (Verdict::Skipped(why), None),
            Err(error) => others.push(format!("the scenario did not go through: {error:#}")),
        }
    }
    let (recovery, findings) = match settle(stage).await {
        Ok((recovery, findings)) => (Some(recovery), findings),
        Err(error) => {
            others.push(format!("{error:#}"));
            // What there is tells more than that it took too long.
            let facts = gather(stage).await;
            (None, facts.map(|facts| check::check(&facts)).unwrap_or_default())
        }
    };
    others.append(&mut stage.broken);
    others.extend(stage.learners.noted().lies);
    if findings.is_empty() && others.is_empty() {
        (Verdict::Passed, recovery)
    } else {
        (Verdict::Broken { findings, others }, recovery)
    }
}

async fn settle(stage: &mut Stage) -> Result<(Duration, Vec<check::Finding>)> {
    stage.heal().await.context("healing")?;
    let recovery = stage.wait_until_quiet().await?;
    let facts = gather(stage).await.context("gathering")?;
    Ok((recovery, check::check(&facts)))
}
