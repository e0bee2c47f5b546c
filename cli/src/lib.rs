//! The command `vouch`, and the two servers that it can stand in for: the vendor and a mail server.

pub mod commands;
pub mod dev;
pub mod mail_catcher;
pub mod simulator;
