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

use super::{CleanPhoto, Limits, gate::Gate, inspect, jpeg};
use crate::domain::photo::PhotoFault;

/// Inspects under the ordinary limits.
fn look(bytes: &[u8]) -> Result<CleanPhoto, PhotoFault> {
    inspect(bytes, &Limits::default())
}

/// Whether a sound JPEG needs no decoding.
fn strip_jpeg(bytes: &[u8]) -> Option<bool> {
    let limits = Limits::default();
    jpeg::strip(bytes, &Gate::open(&limits)).ok().map(|photo| photo.is_plain)
}

/// Decodes to red, green and blue with the ordinary decoder.
fn decode(bytes: &[u8]) -> image::RgbImage {
    image::load_from_memory(bytes).unwrap().to_rgb8()
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|part| part == wanted)
}
