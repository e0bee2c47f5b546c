//! Rules of pure functions, tried with whatever comes to proptest's mind; and the properties that `fuzz/` tries too.
//! No server is needed.

mod attempts;
mod corpus;
mod fuzzed;
mod money;
mod redirects;
mod signatures;
mod waits;
