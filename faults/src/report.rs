//! What is told while it runs, and the table at the end.

use std::{io::IsTerminal, time::Duration};

use comfy_table::{Cell, CellAlignment, Color, Table, presets};
use serde_json::{Value, json};

use crate::check::{Finding, Kind};

/// How a scenario ended.
pub struct Outcome {
    pub number: usize,
    pub name: String,
    pub submissions: usize,
    pub kills: usize,
    /// Jobs that died of kills and that an operator set going again.
    pub quarantined: usize,
    pub recovery: Option<Duration>,
    pub took: Duration,
    pub verdict: Verdict,
    /// Figures that the scenario found worth telling.
    pub notes: Vec<String>,
}

pub enum Verdict {
    Passed,
    Skipped(String),
    Broken { findings: Vec<Finding>, others: Vec<String> },
}

impl Verdict {
    /// Broken for another reason than the checker's.
    pub fn broken(why: String) -> Self {
        Self::Broken { findings: Vec::new(), others: vec![why] }
    }
}

impl Outcome {
    /// Before it has begun.
    pub fn new(number: usize, name: &str) -> Self {
        Self {
            number,
            name: name.to_owned(),
            submissions: 0,
            kills: 0,
            quarantined: 0,
            recovery: None,
            took: Duration::ZERO,
            verdict: Verdict::Passed,
            notes: Vec::new(),
        }
    }

    pub fn is_broken(&self) -> bool {
        matches!(self.verdict, Verdict::Broken { .. })
    }

    fn found(&self, kind: Kind) -> String {
        match &self.verdict {
            Verdict::Passed => "0".to_owned(),
            Verdict::Skipped(_) => String::new(),
            Verdict::Broken { findings, .. } => findings.iter().filter(|finding| finding.kind == kind).count().to_string(),
        }
    }

    fn result(&self) -> (String, Color) {
        match &self.verdict {
            Verdict::Passed => ("passed".to_owned(), Color::Green),
            Verdict::Skipped(why) => (format!("skipped: {why}"), Color::Yellow),
            Verdict::Broken { findings, others } => {
                let first = findings.first().map(ToString::to_string).or_else(|| others.first().cloned());
                let more = findings.len() + others.len() - 1;
                let first = first.unwrap_or_default();
                (if more == 0 { format!("BROKEN {first}") } else { format!("BROKEN {first} (and {more} more)") }, Color::Red)
            }
        }
    }

    fn json(&self) -> Value {
        let problems: Vec<String> = match &self.verdict {
            Verdict::Broken { findings, others } => {
                findings.iter().map(ToString::to_string).chain(others.iter().cloned()).collect()
            }
            _ => Vec::new(),
        };
        json!({
            "number": self.number, "name": self.name, "submissions": self.submissions, "kills": self.kills,
            "lost": self.found(Kind::Lost).parse::<u64>().ok(), "doubled": self.found(Kind::Doubled).parse::<u64>().ok(),
            "quarantined": self.quarantined, "recovery_seconds": self.recovery.map(|took| took.as_secs_f64()),
            "seconds": self.took.as_secs_f64(), "result": self.result().0, "problems": problems,
            "notes": self.notes,
        })
    }
}

/// Tells on standard error, in colour on a terminal.
pub struct Teller {
    has_colour: bool,
}

impl Teller {
    pub fn new() -> Self {
        Self { has_colour: std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() }
    }

    pub fn say(&self, text: &str) {
        eprintln!("{text}");
    }

    pub fn begin(&self, number: usize, name: &str, what: &str) {
        let (bold, plain) = if self.has_colour { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        eprintln!("{number:>3} begins  {bold}{name}{plain}: {what}");
    }

    pub fn end(&self, outcome: &Outcome) {
        let (mut text, colour) = outcome.result();
        text.truncate(text.find(' ').filter(|_| outcome.is_broken()).unwrap_or(text.len()));
        let code = match colour {
            Color::Green => "\x1b[32m",
            Color::Yellow => "\x1b[33m",
            _ => "\x1b[31m",
        };
        let (on, off) = if self.has_colour { (code, "\x1b[0m") } else { ("", "") };
        let took = outcome.took.as_secs_f64();
        let (number, name) = (outcome.number, &outcome.name);
        let (submissions, kills) = (outcome.submissions, outcome.kills);
        eprintln!("{number:>3} {on}{text:<7}{off} {name} ({submissions} submissions, {kills} kills, {took:.1} s)");
        for note in &outcome.notes {
            eprintln!("         {note}");
        }
        if let Verdict::Broken { findings, others } = &outcome.verdict {
            for problem in findings.iter().map(ToString::to_string).chain(others.iter().cloned()).take(20) {
                eprintln!("         {on}{problem}{off}");
            }
        }
    }

    /// The table of all outcomes, on standard output.
    pub fn table(&self, outcomes: &[Outcome]) {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        if !self.has_colour || !std::io::stdout().is_terminal() {
            table.force_no_tty();
        }
        table.set_header(["", "scenario", "submissions", "kills", "lost", "doubled", "recovery s", "result"]);
        for outcome in outcomes {
            let recovery = outcome.recovery.map(|took| format!("{:.1}", took.as_secs_f64())).unwrap_or_default();
            let (result, colour) = outcome.result();
            let number = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
            table.add_row([
                number(outcome.number.to_string()),
                Cell::new(&outcome.name),
                number(outcome.submissions.to_string()),
                number(outcome.kills.to_string()),
                number(outcome.found(Kind::Lost)),
                number(outcome.found(Kind::Doubled)),
                number(recovery),
                Cell::new(result).fg(colour),
            ]);
        }
        println!("{table}");
    }
}

/// What all rounds come to, in one line.
pub fn sum(outcomes: &[Outcome]) -> String {
    let all = |count: fn(&Outcome) -> usize| outcomes.iter().map(count).sum::<usize>();
    let found = |kind: Kind| outcomes.iter().filter_map(|outcome| outcome.found(kind).parse::<usize>().ok()).sum::<usize>();
    format!(
        "{} rounds, {} broken; {} kills, {} submissions, {} lost, {} doubled, {} jobs set going again",
        outcomes.len(),
        outcomes.iter().filter(|outcome| outcome.is_broken()).count(),
        all(|outcome| outcome.kills),
        all(|outcome| outcome.submissions),
        found(Kind::Lost),
        found(Kind::Doubled),
        all(|outcome| outcome.quarantined),
    )
}

/// All outcomes for programs, on standard output.
pub fn print_json(seed: u64, outcomes: &[Outcome]) {
    let outcomes: Vec<Value> = outcomes.iter().map(Outcome::json).collect();
    println!("{}", json!({ "seed": seed, "outcomes": outcomes }));
}
