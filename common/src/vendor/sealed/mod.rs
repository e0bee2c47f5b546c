//! The wire format `sealed`, of our own making: docs/vendors.md has it to the letter, with vectors.
//!
//! | file | holds |
//! |---|---|
//! | `photo` | how a photo is encrypted: AES-256-GCM under a key of its own, bound to its receipt and kind |
//! | `key` | how that key is wrapped: RSA-OAEP-SHA256, in base64 |
//! | `webhook` | how messages are signed, both ways: Standard Webhooks 1.0.0, `v1` |
//! | `request` | the submission that goes to the vendor |
//! | `callback` | the verdict that comes back |
//!
//! What not: sending, receiving, and what a verdict does. Why it is as it is: ADR 0013.

pub mod callback;
pub mod key;
pub mod photo;
pub mod request;
#[cfg(test)]
mod vectors;
pub mod webhook;
