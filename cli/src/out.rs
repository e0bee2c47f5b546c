//! Where a command speaks: results on standard output, everything else on standard error.

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, Result};
use serde_json::Value;
use vouch_common::clock::{Clock, SystemClock};

use crate::{
    api::{Access, Api},
    show::Look,
};

/// When to colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How results look.
#[derive(Debug, Clone, clap::Args)]
pub struct Looks {
    /// When to colour
    #[arg(long, value_enum, value_name = "WHEN", default_value_t, global = true, help_heading = "Every command")]
    color: ColorChoice,
    /// Any value means no colour (no-color.org)
    #[arg(long, env = "NO_COLOR", hide = true, global = true)]
    no_color: Option<String>,
    /// Results as JSON, as the api has them; of a list with --all one item a line
    #[arg(long, global = true, help_heading = "Every command")]
    pub json: bool,
}

impl Looks {
    fn has_colour(&self, is_terminal: bool) -> bool {
        match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => is_terminal && self.no_color.as_deref().unwrap_or_default().is_empty(),
        }
    }

    /// Tells a document: as it is, or as people read it.
    ///
    /// # Errors
    ///
    /// When nobody reads any more.
    pub fn tell(&self, document: &Value, show: impl FnOnce(&Value, &Look) -> String) -> Result<()> {
        if self.json { print(&format!("{document:#}\n")) } else { print(&show(document, &self.of_stdout())) }
    }

    /// Standard output as it is now: a terminal with its width, or a pipe.
    #[must_use]
    pub fn of_stdout(&self) -> Look {
        let is_terminal = io::stdout().is_terminal();
        // Some terminals do not tell their width.
        let width = is_terminal.then(|| comfy_table::Table::new().width().filter(|width| *width > 0).unwrap_or(100));
        Look { width: width.map(usize::from), has_colour: self.has_colour(is_terminal), now: SystemClock.now() }
    }
}

/// An operator's command: the api, and where to speak.
pub struct Session {
    /// The api.
    pub api: Api,
    /// Whether documents are wanted as they are.
    pub is_json: bool,
    looks: Looks,
}

impl Session {
    /// Prepares a command.
    ///
    /// # Errors
    ///
    /// When there is no key.
    pub fn open(access: &Access, looks: &Looks) -> Result<Self> {
        Ok(Self { api: Api::new(access)?, is_json: looks.json, looks: looks.clone() })
    }

    /// How results look at this moment.
    #[must_use]
    pub fn look(&self) -> Look {
        self.looks.of_stdout()
    }

    /// Tells a document: as it is, or as people read it.
    ///
    /// # Errors
    ///
    /// When nobody reads any more.
    pub fn tell(&self, document: &Value, show: impl FnOnce(&Value, &Look) -> String) -> Result<()> {
        self.looks.tell(document, show)
    }

    /// Tells one document of a series: on one line as JSON, or as people read it.
    ///
    /// # Errors
    ///
    /// When nobody reads any more.
    pub fn tell_one_of_many(&self, document: &Value, show: impl FnOnce(&Value, &Look) -> String) -> Result<()> {
        if self.is_json { print(&format!("{document}\n")) } else { print(&show(document, &self.look())) }
    }
}

/// Prints a result.
///
/// # Errors
///
/// When nobody reads any more.
pub fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).context("standard output can't be written")
}

/// Says something that is no result.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_follows_the_terminal_no_color_and_the_option_in_this_order() {
        let looks = |color, no_color: Option<&str>| Looks { color, no_color: no_color.map(str::to_owned), json: false };
        assert!(looks(ColorChoice::Auto, None).has_colour(true));
        assert!(looks(ColorChoice::Auto, Some("")).has_colour(true));
        assert!(!looks(ColorChoice::Auto, None).has_colour(false));
        assert!(!looks(ColorChoice::Auto, Some("1")).has_colour(true));
        assert!(looks(ColorChoice::Always, Some("1")).has_colour(false));
        assert!(!looks(ColorChoice::Never, None).has_colour(true));
    }
}
