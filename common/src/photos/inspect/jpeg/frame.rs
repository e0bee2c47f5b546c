//! Reads the JPEG segments that describe the picture: frame, tables, scan header.
//!
//! Each must fill its segment exactly, so that nothing can ride along behind it.

use super::super::PhotoFault;
use super::super::icc::ColourModel;
use super::super::shades::Shades;
use super::huffman::Huffman;

/// Tables of one sort that a JPEG may have at one time.
const TABLES_MAX: usize = 4;
/// Most blocks that an interleaved unit may hold. Source: ITU-T T.81, B.2.3.
const UNIT_BLOCKS_MAX: usize = 10;

/// Largest symbol of a table for means, used or not: how many bits a difference takes.
const DC_SYMBOL_MAX: u8 = 15;
/// Last place in a block.
const PLACE_MAX: u8 = 63;
/// Most bits that a scan may leave to later ones. Source: ITU-T T.81, G.1.1.1.2.
const LOW_MAX: u8 = 13;

/// One channel of the picture, in blocks of 8 by 8 samples.
pub(super) struct Component {
    id: u8,
    pub(super) across: usize,
    pub(super) down: usize,
    pub(super) quantizer: usize,
    /// Blocks that hold pixels, as a scan of this channel alone counts them.
    pub(super) blocks_wide: usize,
    pub(super) blocks_high: usize,
    /// Blocks in a row including the padding up to whole units.
    pub(super) stride: usize,
    pub(super) rows: usize,
    /// Whether a scan has brought this channel's first coefficients.
    pub(super) is_seen: bool,
    /// Progressive only: which coefficients of each block are not zero, one bit each.
    pub(super) nonzero: Vec<u64>,
}

/// The picture as its start-of-frame segment describes it.
pub(super) struct Frame {
    pub(super) is_progressive: bool,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) units_wide: usize,
    pub(super) units_high: usize,
    pub(super) components: Vec<Component>,
    /// The means of the first channel's blocks: how bright the picture is.
    pub(super) shades: Shades,
}

impl Frame {
    /// Reads a start-of-frame segment. Allocates nothing that grows with the picture.
    pub(super) fn parse(payload: &[u8], is_progressive: bool) -> Result<Self, PhotoFault> {
        let [8, height_high, height_low, width_high, width_low, count, list @ ..] = payload else {
            return Err(PhotoFault::Damaged);
        };
        let width = usize::from(u16::from_be_bytes([*width_high, *width_low]));
        let height = usize::from(u16::from_be_bytes([*height_high, *height_low]));
        let is_count_known = matches!(count, 1 | 3 | 4);
        if !is_count_known || list.len() != usize::from(*count) * 3 || width * height == 0 {
            return Err(PhotoFault::Damaged);
        }
        let mut components = Vec::with_capacity(TABLES_MAX);
        for entry in list.chunks_exact(3) {
            let component = Component::parse(entry)?;
            if components.iter().any(|c: &Component| c.id == component.id) {
                return Err(PhotoFault::Damaged);
            }
            components.push(component);
        }
        let across_max = components.iter().map(|c| c.across).max().unwrap_or(1);
        let down_max = components.iter().map(|c| c.down).max().unwrap_or(1);
        let units_wide = width.div_ceil(8 * across_max);
        let units_high = height.div_ceil(8 * down_max);
        for component in &mut components {
            component.blocks_wide = (width * component.across).div_ceil(8 * across_max);
            component.blocks_high = (height * component.down).div_ceil(8 * down_max);
            component.stride = units_wide * component.across;
            component.rows = units_high * component.down;
        }
        Ok(Self {
            is_progressive,
            width: u32::try_from(width).map_err(|_| PhotoFault::Damaged)?,
            height: u32::try_from(height).map_err(|_| PhotoFault::Damaged)?,
            units_wide,
            units_high,
            components,
            shades: Shades::NONE,
        })
    }

    /// Returns how the pixels are stored.
    pub(super) fn model(&self) -> ColourModel {
        match self.components.len() {
            1 => ColourModel::Gray,
            4 => ColourModel::Cmyk,
            _ => ColourModel::Rgb,
        }
    }

    /// Returns whether decoders take three channels as luma and chroma without being told.
    pub(super) fn has_usual_ids(&self) -> bool {
        self.components.len() < 4 && (1..).zip(&self.components).all(|(id, c)| c.id == id)
    }

    /// Returns whether colours are as fine as the light, or half as fine, as cameras make it: what every decoder shows.
    pub(super) fn has_usual_sampling(&self) -> bool {
        let Some((light, colours)) = self.components.split_first() else { return false };
        light.across <= 2 && light.down <= 2 && colours.iter().all(|c| c.across == 1 && c.down == 1)
    }

    /// Returns how many bytes the pixels take once decoded.
    pub(super) fn pixel_bytes(&self) -> u64 {
        let channels = if self.components.len() == 1 { 1 } else { 3 };
        u64::from(self.width) * u64::from(self.height) * channels
    }

    /// Returns how many bytes it takes to hold all coefficients, and our notes on them, when
    /// several scans share them.
    pub(super) fn coefficient_bytes(&self) -> u64 {
        let blocks: usize = self.components.iter().map(|c| c.stride * c.rows).sum();
        let bytes_per_block = 64 * size_of::<i16>() + size_of::<u64>();
        u64::try_from(blocks * bytes_per_block).unwrap_or(u64::MAX)
    }

    /// Allocates the notes that walking a progressive picture needs; ask the gate before.
    pub(super) fn allocate_notes(&mut self) {
        for component in &mut self.components {
            component.nonzero = vec![0; component.stride * component.rows];
        }
    }
}

impl Component {
    fn parse(entry: &[u8]) -> Result<Self, PhotoFault> {
        let [id, sampling, quantizer] = entry else {
            return Err(PhotoFault::Damaged);
        };
        let across = usize::from(sampling >> 4);
        let down = usize::from(sampling & 15);
        let quantizer = usize::from(*quantizer);
        if !(1..=4).contains(&across) || !(1..=4).contains(&down) || quantizer >= TABLES_MAX {
            return Err(PhotoFault::Damaged);
        }
        Ok(Self {
            id: *id,
            across,
            down,
            quantizer,
            blocks_wide: 0,
            blocks_high: 0,
            stride: 0,
            rows: 0,
            is_seen: false,
            nonzero: Vec::new(),
        })
    }
}

/// The tables in force at one place of the file.
#[derive(Default)]
pub(super) struct Tables {
    dc: [Option<Huffman>; TABLES_MAX],
    ac: [Option<Huffman>; TABLES_MAX],
    /// First step of each quantization table, the one for a block's mean.
    dc_steps: [Option<u16>; TABLES_MAX],
}

impl Tables {
    /// Takes a segment of Huffman tables.
    pub(super) fn take_huffman(&mut self, mut payload: &[u8]) -> Result<(), PhotoFault> {
        while let Some((head, rest)) = payload.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or(PhotoFault::Damaged)?;
            let length = counts.iter().map(|count| usize::from(*count)).sum();
            let (symbols, rest) = rest.split_at_checked(length).ok_or(PhotoFault::Damaged)?;
            let slot = match head >> 4 {
                0 if symbols.iter().all(|symbol| *symbol <= DC_SYMBOL_MAX) => self.dc.get_mut(usize::from(head & 15)),
                1 => self.ac.get_mut(usize::from(head & 15)),
                _ => None,
            };
            *slot.ok_or(PhotoFault::Damaged)? = Some(Huffman::build(counts, symbols)?);
            payload = rest;
        }
        Ok(())
    }

    /// Takes a segment of quantization tables.
    pub(super) fn take_quantizers(&mut self, mut payload: &[u8]) -> Result<(), PhotoFault> {
        while let Some((head, rest)) = payload.split_first() {
            let (length, is_wide) = match head >> 4 {
                0 => (64, false),
                1 => (128, true),
                _ => return Err(PhotoFault::Damaged),
            };
            let (steps, rest) = rest.split_at_checked(length).ok_or(PhotoFault::Damaged)?;
            let step = match steps {
                [high, low, ..] if is_wide => u16::from_be_bytes([*high, *low]),
                [step, ..] => u16::from(*step),
                [] => 0,
            };
            let slot = self.dc_steps.get_mut(usize::from(head & 15));
            *slot.ok_or(PhotoFault::Damaged)? = Some(step);
            payload = rest;
        }
        Ok(())
    }

    /// Returns the table for block means in `slot`.
    pub(super) fn dc(&self, slot: usize) -> Result<&Huffman, PhotoFault> {
        find(&self.dc, slot).ok_or(PhotoFault::Damaged)
    }

    /// Returns the table for all other coefficients in `slot`.
    pub(super) fn ac(&self, slot: usize) -> Result<&Huffman, PhotoFault> {
        find(&self.ac, slot).ok_or(PhotoFault::Damaged)
    }

    /// Returns the quantization step of block means in `slot`.
    pub(super) fn dc_step(&self, slot: usize) -> Result<u16, PhotoFault> {
        find(&self.dc_steps, slot).copied().ok_or(PhotoFault::Damaged)
    }
}

fn find<T>(slots: &[Option<T>; TABLES_MAX], slot: usize) -> Option<&T> {
    slots.get(slot)?.as_ref()
}

/// One channel's part in a scan.
pub(super) struct Part {
    /// Place of the channel in the frame.
    pub(super) component: usize,
    pub(super) dc: usize,
    pub(super) ac: usize,
}

/// What a start-of-scan segment says.
pub(super) struct ScanHeader {
    pub(super) parts: Vec<Part>,
    /// First and last coefficient, 0 to 63.
    pub(super) first: u8,
    pub(super) last: u8,
    /// Bit at which the scan before stopped, 0 if there was none.
    pub(super) high: u8,
    /// Bit at which this scan stops.
    pub(super) low: u8,
}

impl ScanHeader {
    /// Reads a start-of-scan segment and checks it against the frame.
    pub(super) fn parse(payload: &[u8], frame: &Frame) -> Result<Self, PhotoFault> {
        let (count, rest) = payload.split_first().ok_or(PhotoFault::Damaged)?;
        let (entries, rest) = rest.split_at_checked(usize::from(*count) * 2).ok_or(PhotoFault::Damaged)?;
        let [first, last, bits] = rest else {
            return Err(PhotoFault::Damaged);
        };
        let mut parts: Vec<Part> = Vec::with_capacity(TABLES_MAX);
        for entry in entries.chunks_exact(2) {
            let [id, tables] = entry else {
                return Err(PhotoFault::Damaged);
            };
            let component = frame.components.iter().position(|c| c.id == *id);
            let component = component.ok_or(PhotoFault::Damaged)?;
            if parts.iter().any(|part| part.component == component) {
                return Err(PhotoFault::Damaged);
            }
            parts.push(Part { component, dc: usize::from(tables >> 4), ac: usize::from(tables & 15) });
        }
        let header = Self { parts, first: *first, last: *last, high: bits >> 4, low: bits & 15 };
        header.check(frame)?;
        Ok(header)
    }

    fn check(&self, frame: &Frame) -> Result<(), PhotoFault> {
        let unit_blocks: usize =
            (self.parts.iter()).filter_map(|part| frame.components.get(part.component)).map(|c| c.across * c.down).sum();
        let is_unit_small = self.parts.len() == 1 || unit_blocks <= UNIT_BLOCKS_MAX;
        let is_band_whole = if self.first == 0 { self.last == 0 } else { self.first <= self.last && self.parts.len() == 1 };
        // Scans that are not progressive mean all by definition; what they say here must make sense all the same.
        let is_in_range = self.first.max(self.last) <= PLACE_MAX && self.low.max(self.high) <= LOW_MAX;
        let are_bits_next = self.high == 0 || self.high == self.low + 1;
        let is_pass_sound = !frame.is_progressive || (is_band_whole && are_bits_next);
        if !self.parts.is_empty() && is_unit_small && is_in_range && is_pass_sound { Ok(()) } else { Err(PhotoFault::Damaged) }
    }
}
