//! What people see: steps with their times; in colour on a terminal, plain when piped.

use std::{
    io::{IsTerminal, Write},
    time::Instant,
};

use anyhow::Result;
use owo_colors::OwoColorize;

/// Tells steps as they happen.
pub struct Steps {
    started: Instant,
    is_terminal: bool,
}

impl Steps {
    /// Starts the clock.
    #[must_use]
    pub fn start() -> Self {
        Self { started: Instant::now(), is_terminal: std::io::stdout().is_terminal() }
    }

    /// A step is done.
    pub fn done(&self, text: &str) {
        let mark = if self.is_terminal { "✓".green().to_string() } else { "ok".to_owned() };
        self.line(&mark, text);
    }

    /// Something happened that is part of the story.
    pub fn tell(&self, text: &str) {
        let mark = if self.is_terminal { "·".dimmed().to_string() } else { "..".to_owned() };
        self.line(&mark, text);
    }

    /// A step is wrong.
    pub fn failed(&self, text: &str) {
        let mark = if self.is_terminal { "✗".red().to_string() } else { "FAILED".to_owned() };
        self.line(&mark, text);
    }

    /// A heading.
    pub fn heading(&self, text: &str) {
        println!("\n{}", if self.is_terminal { text.bold().to_string() } else { text.to_owned() });
    }

    /// Shows that something is under way, and then that it is done.
    pub async fn while_doing<T>(&self, text: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        if self.is_terminal {
            print!("{:>8.2}s … {text}\r", self.started.elapsed().as_secs_f64());
            let _ = std::io::stdout().flush();
        }
        let result = work.await;
        match &result {
            Ok(_) => self.done(text),
            Err(_) => self.failed(text),
        }
        result
    }

    fn line(&self, mark: &str, text: &str) {
        println!("{:>8.2}s {mark} {text}", self.started.elapsed().as_secs_f64());
    }
}
