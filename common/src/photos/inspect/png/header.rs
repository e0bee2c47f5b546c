//! Reads a PNG's header and reckons from it what the picture will take.
//!
//! All sums are made from the header alone, before anything is allocated.

use super::super::PhotoFault;
use super::super::icc::ColourModel;

/// Bounds every side, so that sums of sizes cannot overflow. The gate's own bound is tighter.
const SIDE_MAX: u32 = 1 << 24;
/// Start and step, across and down, of the seven passes of an interlaced picture.
const PASSES: [(u32, u32, u32, u32); 7] =
    [(0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2)];

/// Size and pixel format of a PNG.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) width: u32,
    pub(super) height: u32,
    depth: u8,
    pub(super) colour: u8,
    is_interlaced: bool,
}

impl Header {
    /// Reads the header chunk and refuses combinations that the format does not know.
    pub(super) fn parse(content: &[u8]) -> Result<Self, PhotoFault> {
        let (width, rest) = content.split_first_chunk().ok_or(PhotoFault::Damaged)?;
        let (height, rest) = rest.split_first_chunk().ok_or(PhotoFault::Damaged)?;
        let [depth, colour, 0, 0, interlace @ 0..=1] = rest else {
            return Err(PhotoFault::Damaged);
        };
        let is_known = match colour {
            0 => matches!(depth, 1 | 2 | 4 | 8 | 16),
            3 => matches!(depth, 1 | 2 | 4 | 8),
            2 | 4 | 6 => matches!(depth, 8 | 16),
            _ => false,
        };
        let header = Self {
            width: u32::from_be_bytes(*width),
            height: u32::from_be_bytes(*height),
            depth: *depth,
            colour: *colour,
            is_interlaced: *interlace == 1,
        };
        if !is_known {
            return Err(PhotoFault::Damaged);
        }
        if header.width > SIDE_MAX || header.height > SIDE_MAX {
            return Err(PhotoFault::TooLarge);
        }
        Ok(header)
    }

    /// Returns how the pixels are stored.
    pub(super) fn model(self) -> ColourModel {
        match self.colour {
            0 | 4 => ColourModel::Gray,
            _ => ColourModel::Rgb,
        }
    }

    /// Bytes of the decoded pixels, palette and transparency spread out.
    pub(super) fn pixel_bytes(self, has_transparency: bool) -> u64 {
        let channels = match self.colour {
            0 => 1,
            4 => 2,
            6 => 4,
            _ => 3,
        } + u64::from(has_transparency);
        let sample_bytes = u64::from(self.depth.div_ceil(8));
        u64::from(self.width) * u64::from(self.height) * channels * sample_bytes
    }

    /// Bytes that the pixel stream must inflate to: filtered rows of every pass.
    pub(super) fn stream_bytes(self) -> u64 {
        if !self.is_interlaced {
            return self.pass_bytes(self.width, self.height);
        }
        PASSES
            .iter()
            .map(|(left, across, top, down)| {
                let width = self.width.saturating_sub(*left).div_ceil(*across);
                let height = self.height.saturating_sub(*top).div_ceil(*down);
                self.pass_bytes(width, height)
            })
            .sum()
    }

    fn pass_bytes(self, width: u32, height: u32) -> u64 {
        let samples = match self.colour {
            2 => 3,
            4 => 2,
            6 => 4,
            _ => 1,
        };
        let bits = u64::from(width) * samples * u64::from(self.depth);
        if width == 0 { 0 } else { (bits.div_ceil(8) + 1) * u64::from(height) }
    }

    /// Returns whether a transparency chunk has the length that the pixel format asks for.
    pub(super) fn is_transparency_sound(self, content: &[u8], palette_count: usize) -> bool {
        match self.colour {
            0 => content.len() == 2,
            2 => content.len() == 6,
            3 => (1..=palette_count).contains(&content.len()),
            _ => false,
        }
    }
}
