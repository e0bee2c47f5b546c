//! The learner's pages in a real browser.

mod camera;
mod console;
mod console_screens;
mod screens;
mod sending;
mod stand_in;
mod whole;
