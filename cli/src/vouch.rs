//! The whole command line.

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};

use crate::{
    commands::{
        attempts::Attempts,
        audit::Audit,
        erasures::Erasures,
        jobs::{Errors, Jobs},
        keys::Keys,
        migrate::Migrate,
        queues::Queues,
        retries::Retries,
        shell::{Completions, Man},
        simulate_vendor::SimulateVendor,
        users::Users,
    },
    dev::Dev,
    failure::EXIT_CODES,
    out::Looks,
};

/// Vouch: photo identity verification as a job-queue service.
#[derive(Debug, Parser)]
#[command(name = "vouch", version, after_help = EXIT_CODES)]
pub struct Vouch {
    #[command(flatten)]
    looks: Looks,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Find, understand and decide attempts
    Attempts(Attempts),
    /// Set many going again, at a rate; watch and cancel it
    Retries(Retries),
    /// Verify learners without photos, or erase them
    Users(Users),
    /// Show and prove receipts of erasures
    Erasures(Erasures),
    /// See the queues, pause, resume and limit them, work the breakers
    Queues(Queues),
    /// Find, retry and drop jobs
    Jobs(Jobs),
    /// Groups of dead jobs that failed alike, most first
    Errors(Errors),
    /// Who did what, when and why, newest first
    Audit(Audit),
    /// Make, list and revoke api keys; see and free master keys
    Keys(Keys),
    /// Bring the database to this release
    Migrate(Migrate),
    /// Run everything on this machine, with private servers, a simulated vendor and a mail catcher
    Dev(Dev),
    /// Stand in for the vendor
    SimulateVendor(SimulateVendor),
    /// Print completions for a shell
    Completions(Completions),
    /// Print the manual page, or write one for every command into a folder
    Man(Man),
}

impl Vouch {
    /// The command line's description, from which completions, manual and tests are made.
    #[must_use]
    pub fn description() -> clap::Command {
        Self::command()
    }

    /// Reads the command line; ends the program when it makes no sense.
    #[must_use]
    pub fn read() -> Self {
        Self::parse()
    }

    /// Runs the command.
    ///
    /// # Errors
    ///
    /// A [`crate::failure::Failure`], or any other error, which is exit code 1.
    pub async fn run(self) -> Result<()> {
        let looks = &self.looks;
        match self.command {
            Command::Attempts(attempts) => attempts.run(looks).await,
            Command::Retries(retries) => retries.run(looks).await,
            Command::Users(users) => users.run(looks).await,
            Command::Erasures(erasures) => erasures.run(looks).await,
            Command::Queues(queues) => queues.run(looks).await,
            Command::Jobs(jobs) => jobs.run(looks).await,
            Command::Errors(errors) => errors.run(looks).await,
            Command::Audit(audit) => audit.run(looks).await,
            Command::Keys(keys) => keys.run(looks).await,
            Command::Migrate(migrate) => migrate.run(looks).await,
            Command::Dev(dev) => dev.run().await,
            Command::SimulateVendor(simulate) => simulate.run().await,
            Command::Completions(completions) => completions.run(Self::description()),
            Command::Man(man) => man.run(Self::description()),
        }
    }
}

/// The names of all commands, such as `vouch attempts show`.
#[must_use]
pub fn names() -> Vec<String> {
    fn collect(command: &clap::Command, name: &str, names: &mut Vec<String>) {
        names.push(name.to_owned());
        for inner in command.get_subcommands() {
            collect(inner, &format!("{name} {}", inner.get_name()), names);
        }
    }
    let mut names = Vec::new();
    collect(&Vouch::description(), "vouch", &mut names);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_is_sound() {
        Vouch::description().debug_assert();
    }

    #[test]
    fn every_command_and_every_option_has_a_help_text() {
        fn look(command: &clap::Command, path: &str) {
            assert!(command.get_about().is_some(), "{path}");
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                assert!(argument.get_help().is_some(), "{path} {}", argument.get_id());
            }
            for inner in command.get_subcommands() {
                look(inner, &format!("{path} {}", inner.get_name()));
            }
        }
        look(&Vouch::description(), "vouch");
    }
}
