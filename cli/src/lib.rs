//! The command `vouch`, and the two servers that it can stand in for: the vendor and a mail server.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks on the terminal")]

pub mod commands;
pub mod dev;
pub mod mail_catcher;
pub mod simulator;
