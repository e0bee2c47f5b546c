//! How a command may end: one table of exit codes, and one line on standard error.

use std::{error::Error, io, process::ExitCode};

/// The exit codes, as `--help` and the man page tell them.
pub const EXIT_CODES: &str = "Exit codes:
  0  done
  1  the api, the database or the network failed
  2  the command line makes no sense
  3  refused: it does not fit how things stand; nothing was changed
  4  there is no such thing
  5  no key, or a key without the right
  6  done in part; what was not done is named";

/// Why a command does not end with 0. The text says what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A server or the network failed; the same command may succeed later.
    #[error("{0}")]
    Away(String),
    /// It does not fit how things stand; nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// There is no key, or it has not the right.
    #[error("{0}")]
    NoRight(String),
    /// Some of it was done, and some was not.
    #[error("{0}")]
    Partly(String),
}

impl Failure {
    /// The exit code.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::Away(_) => 1,
            Self::Refused(_) => 3,
            Self::NotFound(_) => 4,
            Self::NoRight(_) => 5,
            Self::Partly(_) => 6,
        }
    }

    /// Whether the next call will fare no better, so that a series had better stop.
    #[must_use]
    pub const fn ends_a_series(&self) -> bool {
        matches!(self, Self::Away(_) | Self::NoRight(_))
    }
}

/// The exit code of an error; 1 when it has none of its own.
#[must_use]
pub fn code_of(error: &anyhow::Error) -> u8 {
    error.downcast_ref::<Failure>().map_or(1, Failure::code)
}

/// Tells an error on one line and returns its exit code. A reader that has gone away (`| head`) is no error.
#[must_use]
pub fn tell(error: &anyhow::Error) -> ExitCode {
    if error.chain().any(is_broken_pipe) {
        return ExitCode::SUCCESS;
    }
    eprintln!("vouch: {}", crate::show::clean(&format!("{error:#}")));
    ExitCode::from(code_of(error))
}

fn is_broken_pipe(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn every_failure_has_the_code_that_the_help_tells() {
        let text = String::new;
        let all = [
            Failure::Away(text()),
            Failure::Refused(text()),
            Failure::NotFound(text()),
            Failure::NoRight(text()),
            Failure::Partly(text()),
        ];
        let codes: Vec<u8> = all.iter().map(Failure::code).collect();
        assert_eq!(codes, [1, 3, 4, 5, 6]);
        assert!(codes.iter().all(|code| EXIT_CODES.contains(&format!("\n  {code}  "))));
    }

    #[test]
    fn a_failure_keeps_its_code_in_a_context_and_others_are_1() {
        let error = Err::<(), _>(Failure::NotFound("no".to_owned())).context("the job").unwrap_err();
        assert_eq!(code_of(&error), 4);
        assert_eq!(code_of(&anyhow::anyhow!("odd")), 1);
    }
}
