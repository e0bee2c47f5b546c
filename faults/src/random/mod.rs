//! `--random`: rounds of chance. In each, learners submit and verdicts come while dice choose harms, most of them
//! `kill -9`; then everything is healed, the harness waits for quiet and the checker looks, as after any scenario. Each
//! round has programs, journals and a database of its own, so a run of any length stays within memory and disk.

mod harm;
mod round;

use std::{
    collections::BTreeMap,
    fmt,
    path::Path,
    str::FromStr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use futures_util::future::try_join_all;

use crate::{
    ground::Ground,
    report::{Outcome, Teller},
    run::{self, Case, Lanes},
};

/// Kills of programs in one round; so a promise is found broken not far from its cause.
const ROUND_KILLS: usize = 250;
/// How often the progress is told.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// Learners don't wait for as long as they are told to, and so need more room.
const SETTINGS: &[(&str, &str)] = &[("VOUCH_VENDOR_TIMEOUT", "2s"), ("VOUCH_RATE_SUBMISSIONS", "1000/1h")];

/// How much chance: `600s`, `1h`, or `1000kills`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    Time(Duration),
    Kills(usize),
}

impl FromStr for Extent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(kills) = text.strip_suffix("kills") {
            return kills.trim().parse().map(Self::Kills).map_err(|_| format!("{kills} is no number of kills"));
        }
        humantime::parse_duration(text).map(Self::Time).map_err(|_| "say how long, as 600s, or how many, as 1000kills".to_owned())
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => write!(f, "{}s", time.as_secs()),
            Self::Kills(kills) => write!(f, "{kills}kills"),
        }
    }
}

/// How far all lanes have come together.
struct Progress {
    extent: Extent,
    began: Instant,
    /// Kills that rounds have set out to do.
    planned: AtomicUsize,
    rounds_begun: AtomicUsize,
    rounds: AtomicUsize,
    kills: AtomicUsize,
    submissions: AtomicUsize,
    quarantined: AtomicUsize,
    is_broken: AtomicBool,
    harms: Mutex<BTreeMap<&'static str, usize>>,
}

impl Progress {
    fn new(extent: Extent) -> Self {
        let zero = AtomicUsize::default;
        let (planned, rounds_begun, rounds, kills) = (zero(), zero(), zero(), zero());
        let (submissions, quarantined, is_broken) = (zero(), zero(), AtomicBool::default());
        let (began, harms) = (Instant::now(), Mutex::default());
        Self { extent, began, planned, rounds_begun, rounds, kills, submissions, quarantined, is_broken, harms }
    }

    /// How many kills the next round may do; none when it is enough.
    fn plan(&self) -> Option<usize> {
        if self.is_broken.load(SeqCst) || self.is_over() {
            return None;
        }
        let Extent::Kills(all) = self.extent else { return Some(ROUND_KILLS) };
        let left = |planned: usize| (planned < all).then(|| planned + ROUND_KILLS.min(all - planned));
        self.planned.fetch_update(SeqCst, SeqCst, left).ok().map(|planned| ROUND_KILLS.min(all - planned))
    }

    fn is_over(&self) -> bool {
        matches!(self.extent, Extent::Time(time) if self.began.elapsed() >= time)
    }

    fn count(&self, harm: &'static str) {
        *self.harms.lock().unwrap_or_else(PoisonError::into_inner).entry(harm).or_default() += 1;
    }

    fn harms(&self) -> String {
        let harms = self.harms.lock().unwrap_or_else(PoisonError::into_inner);
        harms.iter().map(|(harm, count)| format!("{harm}: {count}")).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let took = humantime::format_duration(Duration::from_secs(self.began.elapsed().as_secs()));
        let [kills, submissions, rounds, quarantined] =
            [&self.kills, &self.submissions, &self.rounds, &self.quarantined].map(|count| count.load(SeqCst));
        write!(f, "{kills} kills, {submissions} submissions, {quarantined} jobs set going again, {rounds} rounds passed, {took}")
    }
}

/// Rounds until it is enough or a promise is broken; the outcome of each.
pub async fn run(folder: &Path, seed: u64, extent: Extent, (teller, lanes): (&Teller, Lanes)) -> Result<Vec<Outcome>> {
    let progress = Arc::new(Progress::new(extent));
    let telling = async {
        loop {
            tokio::time::sleep(TELL_EVERY).await;
            teller.say(&format!("    {progress}"));
        }
    };
    let all = try_join_all((1..=lanes.0.max(1)).map(|number| lane(folder, number, seed, (teller, &progress))));
    let outcomes = tokio::select! { outcomes = all => outcomes?, () = telling => unreachable!("it is told without an end") };
    teller.say(&format!("    {progress}\nharms: {}", progress.harms()));
    let mut outcomes: Vec<Outcome> = outcomes.into_iter().flatten().collect();
    outcomes.sort_by_key(|outcome| outcome.number);
    Ok(outcomes)
}

async fn lane(folder: &Path, number: usize, seed: u64, (teller, progress): (&Teller, &Arc<Progress>)) -> Result<Vec<Outcome>> {
    let folder = folder.join(format!("lane-{number}"));
    std::fs::create_dir_all(&folder)?;
    let ground = Arc::new(Ground::prepare(&folder).await.context("the servers")?);
    let mut outcomes = Vec::new();
    while let Some(kills) = progress.plan() {
        let number = progress.rounds_begun.fetch_add(1, SeqCst) + 1;
        let name = format!("round-{number}");
        // The first round of this seed throws the same dice.
        let seed = seed + number as u64 - 1;
        let case = Case { number, name: &name, settings: SETTINGS, seed };
        let outcome = run::one(&ground, case, async |stage| round::play(stage, progress, kills).await).await?;
        teller.end(&outcome);
        if outcome.is_broken() {
            progress.is_broken.store(true, SeqCst);
            teller.say(&format!("    the same dice again: scripts/faults --random {kills}kills --lanes 1 --seed {seed}"));
        } else {
            progress.rounds.fetch_add(1, SeqCst);
            ground.forget(&name)?;
        }
        outcomes.push(outcome);
    }
    ground.stop().await;
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extent_is_a_time_or_a_number_of_kills() {
        assert_eq!("600s".parse(), Ok(Extent::Time(Duration::from_mins(10))));
        assert_eq!("1000kills".parse(), Ok(Extent::Kills(1000)));
        assert_eq!(Extent::Kills(1000).to_string(), "1000kills");
        assert_eq!(Extent::Time(Duration::from_mins(10)).to_string(), "600s");
        assert!("kills".parse::<Extent>().is_err());
        assert!("much".parse::<Extent>().is_err());
    }

    #[test]
    fn rounds_share_the_kills_and_end_with_them() {
        let progress = Progress::new(Extent::Kills(2 * ROUND_KILLS + 7));
        let planned: Vec<usize> = std::iter::from_fn(|| progress.plan()).collect();
        assert_eq!(planned, [ROUND_KILLS, ROUND_KILLS, 7]);
        progress.is_broken.store(true, SeqCst);
        assert_eq!(Progress::new(Extent::Time(Duration::ZERO)).plan(), None);
    }
}
