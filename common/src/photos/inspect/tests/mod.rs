//! What inspection promises, shown on the sample photos and on files made to hurt.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "in tests a panic is the verdict"
)]

mod build;
mod hostile;
mod metadata;
mod samples;

use super::{CleanPhoto, Limits, inspect};
use crate::domain::photo::PhotoFault;

/// Inspects under the ordinary limits.
fn look(bytes: &[u8]) -> Result<CleanPhoto, PhotoFault> {
    inspect(bytes, &Limits::default())
}

/// Decodes to red, green and blue with the ordinary decoder.
fn decode(bytes: &[u8]) -> image::RgbImage {
    image::load_from_memory(bytes).unwrap().to_rgb8()
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|part| part == wanted)
}
