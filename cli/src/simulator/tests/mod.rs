//! The simulator from end to end, over real local HTTP. Nothing sleeps: every wait is for a message or a journal entry,
//! under one generous limit.

mod honest;
mod scripted;
mod world;
