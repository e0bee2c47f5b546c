//! The command `vouch`, and the two servers that it can stand in for: the vendor and a mail server.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks on the terminal")]

pub mod api;
pub mod commands;
pub mod dev;
pub mod failure;
pub mod mail_catcher;
pub mod out;
pub mod rewrap;
pub mod show;
pub mod simulator;
pub mod vouch;
