//! What the api asks while somebody waits. There must be little here, each with a timeout.

pub mod ecommerce;
pub mod geoip;
