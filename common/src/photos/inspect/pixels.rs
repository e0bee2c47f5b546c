//! Decodes a stripped photo, looks at its points, and encodes it again when it was turned.
//!
//! The decoders are the `image` crate's. They get only what our own checks have let through, may
//! not take the service down if they panic all the same, and stop when the time is over.
//! What a face or a document looks like is not judged here: that is the vendor's work.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use image::codecs::png::{PngDecoder, PngEncoder};
use image::codecs::webp::{WebPDecoder, WebPEncoder};
use image::{DynamicImage, GenericImageView, ImageEncoder, ImageResult};

use super::gate::{Gate, TimedReader};
use super::shades::Shades;
use super::{PhotoFault, PhotoFormat, Stripped, png};

/// JPEG quality of photos that must be encoded again, 1 to 100: no loss that an eye can see.
const QUALITY: u8 = 92;
/// Most points looked at along each side.
const POINTS_PER_SIDE_MAX: u32 = 256;

/// Decodes the whole photo, within the gate's memory and time.
pub(super) fn decode(photo: &Stripped, format: PhotoFormat, gate: &Gate) -> Result<DynamicImage, PhotoFault> {
    let reader = TimedReader::new(&photo.bytes, *gate);
    let decoded = contain(|| match format {
        PhotoFormat::Jpeg => DynamicImage::from_decoder(JpegDecoder::new(reader)?),
        PhotoFormat::Png => {
            let mut limits = image::Limits::no_limits();
            limits.max_alloc = Some(gate.memory_bytes_max());
            DynamicImage::from_decoder(PngDecoder::with_limits(reader, limits)?)
        }
        PhotoFormat::Webp => DynamicImage::from_decoder(WebPDecoder::new(reader)?),
    });
    gate.check_time()?;
    let image = decoded.ok_or(PhotoFault::Damaged)?;
    if image.dimensions() == (photo.width, photo.height) { Ok(image) } else { Err(PhotoFault::Damaged) }
}

/// Encodes a picture that has been turned, in its own format, with nothing but its colours.
pub(super) fn encode(image: &DynamicImage, photo: &Stripped, format: PhotoFormat, gate: &Gate) -> Result<Vec<u8>, PhotoFault> {
    let mut writer = TimedWriter::new(*gate);
    let written = contain(|| match format {
        PhotoFormat::Jpeg => {
            let encoder = JpegEncoder::new_with_quality(&mut writer, QUALITY);
            write(image, encoder, photo.profile.as_deref())
        }
        PhotoFormat::Png => write(image, PngEncoder::new(&mut writer), None),
        PhotoFormat::Webp => {
            let encoder = WebPEncoder::new_lossless(&mut writer);
            write(image, encoder, photo.profile.as_deref())
        }
    });
    gate.check_time()?;
    written.ok_or(PhotoFault::Damaged)?;
    Ok(match format {
        PhotoFormat::Png => png::insert_colours(&writer.bytes, &photo.png_colours),
        PhotoFormat::Jpeg | PhotoFormat::Webp => writer.bytes,
    })
}

fn write(image: &DynamicImage, mut encoder: impl ImageEncoder, profile: Option<&[u8]>) -> ImageResult<()> {
    if let Some(profile) = profile {
        // An encoder that cannot keep a profile still keeps the picture.
        let _ = encoder.set_icc_profile(profile.to_vec());
    }
    image.write_with_encoder(encoder)
}

/// Runs a decoder or encoder; `None` if it fails or panics.
fn contain<T>(work: impl FnOnce() -> ImageResult<T>) -> Option<T> {
    // What the work touched is thrown away when it panics, so nothing half-done is seen.
    catch_unwind(AssertUnwindSafe(work)).ok()?.ok()
}

/// Looks at a grid of points; what is transparent counts as white, as viewers show it.
pub(super) fn sample(image: &DynamicImage) -> [Shades; 3] {
    let (width, height) = image.dimensions();
    let step = |side: u32| side.div_ceil(POINTS_PER_SIDE_MAX).max(1);
    let mut channels = [Shades::NONE; 3];
    for y in (0..height).step_by(step(height) as usize) {
        for x in (0..width).step_by(step(width) as usize) {
            let [red, green, blue, alpha] = image.get_pixel(x, y).0;
            for (channel, value) in channels.iter_mut().zip([red, green, blue]) {
                channel.add(over_white(value, alpha));
            }
        }
    }
    channels
}

fn over_white(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    u8::try_from((value * alpha + 255 * (255 - alpha)) / 255).unwrap_or(u8::MAX)
}

/// Collects what an encoder writes and fails once the time is over.
struct TimedWriter<'a> {
    bytes: Vec<u8>,
    /// Length at which to look at the clock next.
    check_at: usize,
    gate: Gate<'a>,
}

impl<'a> TimedWriter<'a> {
    const BYTES_PER_CHECK: usize = 4096;

    fn new(gate: Gate<'a>) -> Self {
        Self { bytes: Vec::new(), check_at: Self::BYTES_PER_CHECK, gate }
    }
}

impl Write for TimedWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() >= self.check_at {
            self.check_at = self.bytes.len() + Self::BYTES_PER_CHECK;
            (self.gate.check_time()).map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
