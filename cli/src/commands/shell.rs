//! `vouch completions` and `vouch man`: what shells and readers of manuals want.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Command;
use clap_complete::Shell;

use crate::out::{note, print};

/// Print completions for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "bash: vouch completions bash > /usr/share/bash-completion/completions/vouch
zsh:  vouch completions zsh > /usr/share/zsh/site-functions/_vouch
fish: vouch completions fish > ~/.config/fish/completions/vouch.fish")]
pub struct Completions {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    /// Prints them.
    ///
    /// # Errors
    ///
    /// When nobody reads any more.
    pub fn run(&self, mut command: Command) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "vouch", &mut script);
        print(&String::from_utf8_lossy(&script))
    }
}

/// Print the manual page, or write one for every command into a folder.
#[derive(Debug, clap::Args)]
pub struct Man {
    /// Where vouch.1, vouch-attempts.1, vouch-attempts-show.1 and so on are written; it is made
    dir: Option<PathBuf>,
}

impl Man {
    /// Prints or writes it.
    ///
    /// # Errors
    ///
    /// When the folder can't be written.
    pub fn run(&self, command: Command) -> Result<()> {
        let Some(dir) = &self.dir else {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            return print(&String::from_utf8_lossy(&page));
        };
        std::fs::create_dir_all(dir)
            .and_then(|()| clap_mangen::generate_to(command, dir))
            .with_context(|| format!("{} can't be written", dir.display()))?;
        note(&format!("The manual is in {0}; read it with: man -l {0}/vouch.1", dir.display()));
        Ok(())
    }
}
