//! What the api asks while a learner waits.

pub mod geoip;
