//! Looks through a photo from outside: refuses what is no sound photo, cleans what is.
//!
//! A photo is the most dangerous thing that we take in: it comes from strangers, is decoded by
//! code of others, and carries more than its picture (place, time, device, hidden files). So one
//! function stands between the upload and everything else. It checks sizes before it allocates,
//! every bit before it decodes, and passes on only what shows the picture, pixels unchanged
//! unless the photo must be turned upright.
//!
//! Not here: opening the envelope and sealing (`photos`), and judging what the photo shows.
//! The work is bound by CPU and blocks; call it where blocking is allowed.

mod exif;
mod gate;
mod icc;
mod jpeg;
mod pixels;
mod png;
mod shades;
#[cfg(test)]
mod tests;
mod webp;

use image::metadata::Orientation;

use crate::domain::photo::{PhotoFault, PhotoFormat};
use gate::Gate;
pub use gate::Limits;

/// A photo that is whole, upright and free of metadata.
#[derive(Clone, PartialEq, Eq)]
pub struct CleanPhoto {
    /// The encoded picture and nothing else.
    pub bytes: Vec<u8>,
    /// The format of `bytes`, the same in which the photo came.
    pub format: PhotoFormat,
    /// Width in pixels, as seen upright.
    pub width: u32,
    /// Height in pixels, as seen upright.
    pub height: u32,
}

impl std::fmt::Debug for CleanPhoto {
    /// Tells sizes only: a photo must not end up in a log.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("CleanPhoto")
            .field("format", &self.format)
            .field("width", &self.width)
            .field("height", &self.height)
            .field("bytes_count", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// Checks and cleans one photo; takes up to `limits.time_max` of one CPU and never panics.
///
/// # Errors
///
/// Returns why the photo is refused. The same bytes are refused again, save for
/// [`PhotoFault::TookTooLong`] on a busy machine, so the learner must be asked for another photo.
pub fn inspect(bytes: &[u8], limits: &Limits) -> Result<CleanPhoto, PhotoFault> {
    let gate = Gate::open(limits);
    let format = PhotoFormat::sniff(bytes).ok_or(PhotoFault::NotAPhoto)?;
    let photo = match format {
        PhotoFormat::Jpeg => jpeg::strip(bytes, &gate)?,
        PhotoFormat::Png => png::strip(bytes, &gate)?,
        PhotoFormat::Webp => webp::strip(bytes, &gate)?,
    };
    gate.check_memory(photo.memory_bytes())?;
    let is_upright = photo.orientation == Orientation::NoTransforms;
    if !(is_upright && photo.is_plain) {
        let mut image = pixels::decode(&photo, format, &gate)?;
        shades::check_visible(&pixels::sample(&image))?;
        if !is_upright {
            image.apply_orientation(photo.orientation);
            gate.check_time()?;
            let bytes = pixels::encode(&image, &photo, format, &gate)?;
            return Ok(CleanPhoto { bytes, format, width: image.width(), height: image.height() });
        }
    }
    Ok(CleanPhoto { bytes: photo.bytes, format, width: photo.width, height: photo.height })
}

/// A photo without its metadata, not yet turned, and what its metadata said.
struct Stripped {
    bytes: Vec<u8>,
    width: u32,
    height: u32,
    orientation: Orientation,
    /// Bytes of the decoded pixels.
    pixel_bytes: u64,
    /// Bytes that the decoder holds beside the pixels.
    decoder_bytes: u64,
    /// The colour profile to hand to the encoder if the photo is encoded again.
    profile: Option<Vec<u8>>,
    /// The colour chunks to put into a PNG that is encoded again.
    png_colours: Vec<u8>,
    /// Whether taking it apart has shown that it is a whole picture with something on it, so that it need not be
    /// decoded.
    is_plain: bool,
}

impl Stripped {
    /// Estimates the most memory, in bytes, that decoding and turning hold at one time.
    fn memory_bytes(&self) -> u64 {
        // The decoder's own memory is gone when the turned copy is made.
        let beside_pixels = if self.orientation == Orientation::NoTransforms {
            self.decoder_bytes
        } else {
            self.decoder_bytes.max(self.pixel_bytes)
        };
        self.pixel_bytes + beside_pixels
    }
}
