//! One harm as the dice throw it. What is thrown depends on the dice alone, so a seed throws the same harms again.

use std::time::Duration;

use vouch_cli::simulator::{self, AnswerScript};

use crate::{dice::Dice, smtp::Fault};

/// Something that goes wrong, after a pause.
#[derive(Debug, Clone, PartialEq)]
pub struct Throw {
    pub pause: Duration,
    pub harm: Harm,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Harm {
    /// `kill -9` of the program with this place.
    Kill(usize),
    /// SIGTERM, and `kill -9` when it does not end soon.
    Terminate(usize),
    RedisFlushed,
    /// Redis writes a dump, with which it may come back later.
    RedisSaved,
    RedisKilled {
        keeps_dump: bool,
    },
    /// Ended at once and started again.
    PostgresRestarted,
    /// A line breaks, and is healed so many harms later.
    Line {
        line: Line,
        how: How,
        lasts: usize,
    },
    /// The vendor misbehaves to its next submissions.
    Vendor(AnswerScript),
    /// So many mails meet a fault.
    Mail(Fault, usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    Redis,
    Vendor,
    Mail,
    /// The line to Postgres of the program with this place.
    Postgres(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// What is open is cut; new connections pass.
    Cut,
    /// Connections stand, and nothing passes.
    Silent,
    /// Nobody listens.
    Closed,
    /// After so many requests to Postgres, the next is not sent.
    CutAfter(u64),
    /// So many requests to Postgres, and the answer to the last never comes.
    CutBeforeAnswer(u64),
}

/// Longest pause between two harms as a rule, in milliseconds.
const PAUSE_MS: usize = 240;
/// One pause in so many is a calm.
const CALM_EVERY: usize = 15;
const CALM_MS: usize = 2500;

impl Throw {
    /// Throws the next harm for so many programs.
    pub fn next(dice: &mut Dice, programs: usize) -> Self {
        let pause = if dice.below(CALM_EVERY) == 0 { dice.below(CALM_MS) } else { dice.below(PAUSE_MS) };
        Self { pause: Duration::from_millis(pause as u64), harm: Harm::next(dice, programs) }
    }
}

impl Harm {
    fn next(dice: &mut Dice, programs: usize) -> Self {
        match dice.below(200) {
            0..=3 => Self::Terminate(dice.below(programs)),
            4..=7 => Self::RedisFlushed,
            8..=11 => Self::RedisSaved,
            12..=15 => Self::RedisKilled { keeps_dump: dice.below(2) == 0 },
            16..=17 => Self::PostgresRestarted,
            18..=33 => {
                let (line, lasts) = (Line::next(dice, programs), 1 + dice.below(8));
                Self::Line { line, how: How::next(dice, line), lasts }
            }
            34..=38 => Self::Vendor(vendor_fault(dice)),
            39..=41 => {
                let fault = *dice.among(&[Fault::NotNow, Fault::Never, Fault::KeptAndCut, Fault::KeptAndSilent]);
                Self::Mail(fault, 1 + dice.below(3))
            }
            _ => Self::Kill(dice.below(programs)),
        }
    }

    /// What it is called in the count at the end.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Kill(_) => "kill -9",
            Self::Terminate(_) => "SIGTERM",
            Self::RedisFlushed => "FLUSHALL",
            Self::RedisSaved => "Redis saved",
            Self::RedisKilled { keeps_dump: true } => "Redis killed, back with an old dump",
            Self::RedisKilled { keeps_dump: false } => "Redis killed, back empty",
            Self::PostgresRestarted => "Postgres ended at once",
            Self::Line { line: Line::Redis, .. } => "line to Redis",
            Self::Line { line: Line::Vendor, .. } => "line to the vendor",
            Self::Line { line: Line::Mail, .. } => "line to the mail server",
            Self::Line { line: Line::Postgres(_), .. } => "line to Postgres",
            Self::Vendor(_) => "vendor's fault",
            Self::Mail(..) => "mail server's fault",
        }
    }
}

impl Line {
    fn next(dice: &mut Dice, programs: usize) -> Self {
        match dice.below(6) {
            0 => Self::Redis,
            1 => Self::Vendor,
            2 => Self::Mail,
            _ => Self::Postgres(dice.below(programs)),
        }
    }
}

impl How {
    fn next(dice: &mut Dice, line: Line) -> Self {
        let requests = 1 + dice.below(12) as u64;
        let among = if matches!(line, Line::Postgres(_)) { 5 } else { 3 };
        match dice.below(among) {
            0 => Self::Cut,
            1 => Self::Silent,
            2 => Self::Closed,
            3 => Self::CutAfter(requests),
            _ => Self::CutBeforeAnswer(requests),
        }
    }
}

/// A fault that few submissions meet.
fn vendor_fault(dice: &mut Dice) -> AnswerScript {
    let fault = match dice.below(5) {
        0 => simulator::Fault::Status { status: 500 },
        1 => simulator::Fault::TooManyRequests { retry_after: "1".to_owned() },
        2 => simulator::Fault::Hang,
        3 => simulator::Fault::Garbage,
        _ => return AnswerScript { delay_ms: 200 + dice.below(1500) as u64, ..AnswerScript::default() },
    };
    AnswerScript { fault: Some(fault), first: Some(1 + dice.below(3) as u64), ..AnswerScript::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throws(seed: u64) -> Vec<Throw> {
        let mut dice = Dice::new(seed);
        (0..2000).map(|_| Throw::next(&mut dice, 7)).collect()
    }

    #[test]
    fn a_seed_throws_the_same_harms_again_and_another_seed_others() {
        assert_eq!(throws(7), throws(7));
        assert_ne!(throws(7), throws(8));
    }

    #[test]
    fn most_harms_are_kills_and_every_other_kind_comes_too() {
        let thrown = throws(1);
        let kills = thrown.iter().filter(|throw| matches!(throw.harm, Harm::Kill(_))).count();
        assert!(kills > thrown.len() * 3 / 4, "{kills}");
        let names: std::collections::BTreeSet<_> = thrown.iter().map(|throw| throw.harm.name()).collect();
        assert_eq!(names.len(), 13, "{names:?}");
    }
}
