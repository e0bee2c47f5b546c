//! Settings: from the environment, or from a TOML file named by `VOUCH_CONFIG`; the environment wins.
//!
//! The only place that reads the environment. Everything that is wrong or missing is told at once, and a
//! secret is never repeated.

mod catalogue;
mod limits;
mod read;
mod sealing;
mod settings;
mod shop;
mod vendor;

pub use catalogue::{CATALOGUE, Program, Setting, help, markdown};
pub use limits::{Limits, Rate};
pub use read::{ConfigError, Source};
pub use sealing::Sealing;
pub use settings::{Analytics, EmbargoRules, Jwt, JwtClaims, Mail, Settings, Vendor};
pub use shop::{Cybersource, Ecommerce, Shop};
