//! Takes a PNG apart, checks all of it, and puts together only what shows the picture.
//!
//! Kept: header, palette, transparency, colour space, pixels, end. Text, EXIF, time and chunks
//! that we do not know go, and compressed text is never even opened. Pixels are not made here.

use std::io::{Read, Write};

use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc, Decompress, FlushDecompress, Status};
use image::metadata::Orientation;

use super::gate::Gate;
use super::icc::{self, ColourModel};
use super::{PhotoFault, Stripped, exif};

const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// Signature and header chunk; colour chunks go right after.
const HEAD_BYTES: usize = 8 + 12 + 13;
const PIECE_BYTES: usize = 64 * 1024;
/// Bounds every side, so that sums of sizes cannot overflow. The gate's own bound is tighter.
const SIDE_MAX: u32 = 1 << 24;
/// Start and step, across and down, of the seven passes of an interlaced picture.
const PASSES: [(u32, u32, u32, u32); 7] = [
    (0, 8, 0, 8),
    (4, 8, 0, 8),
    (0, 4, 4, 8),
    (2, 4, 0, 4),
    (0, 2, 2, 4),
    (1, 2, 0, 2),
    (0, 1, 1, 2),
];

/// Checks the PNG and returns it without its metadata.
pub(super) fn strip(bytes: &[u8], gate: &Gate) -> Result<Stripped, PhotoFault> {
    let rest = bytes
        .strip_prefix(&SIGNATURE)
        .ok_or(PhotoFault::NotAPhoto)?;
    let (first, mut rest) = split_chunk(rest)?;
    if &first.kind != b"IHDR" {
        return Err(PhotoFault::Damaged);
    }
    let header = Header::parse(first.content)?;
    gate.check_size(header.width, header.height)?;
    gate.check_memory(header.pixel_bytes(false))?;
    let mut parts = Parts::new(header, *gate);
    loop {
        gate.check_time()?;
        let (chunk, after) = split_chunk(rest)?;
        if &chunk.kind == b"IEND" {
            return parts.finish(first.content);
        }
        parts.take(&chunk)?;
        rest = after;
    }
}

/// Puts colour chunks from the original into a PNG that our encoder has just written.
pub(super) fn insert_colours(encoded: &[u8], colours: &[u8]) -> Vec<u8> {
    let (head, tail) = encoded
        .split_at_checked(HEAD_BYTES)
        .unwrap_or((encoded, &[]));
    [head, colours, tail].concat()
}

struct Chunk<'a> {
    kind: [u8; 4],
    content: &'a [u8],
}

/// Returns the next chunk, whose checksum holds, and what follows it.
fn split_chunk(bytes: &[u8]) -> Result<(Chunk<'_>, &[u8]), PhotoFault> {
    let find = || {
        let (length, checked) = bytes.split_first_chunk()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (covered, rest) = checked.split_at_checked(length.checked_add(4)?)?;
        let (kind, content) = covered.split_first_chunk()?;
        let (sum, rest) = rest.split_first_chunk()?;
        let chunk = Chunk {
            kind: *kind,
            content,
        };
        (checksum(&[covered]) == u32::from_be_bytes(*sum)).then_some((chunk, rest))
    };
    find().ok_or(PhotoFault::Damaged)
}

fn put_chunk(out: &mut Vec<u8>, kind: [u8; 4], content: &[u8]) {
    // Contents come out of a chunk or are smaller than one, so their length fits.
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    out.extend(length.to_be_bytes());
    out.extend(kind);
    out.extend_from_slice(content);
    out.extend(checksum(&[&kind, content]).to_be_bytes());
}

fn checksum(pieces: &[&[u8]]) -> u32 {
    let mut sum = Crc::new();
    for piece in pieces {
        sum.update(piece);
    }
    sum.sum()
}

#[derive(Clone, Copy)]
struct Header {
    width: u32,
    height: u32,
    depth: u8,
    colour: u8,
    is_interlaced: bool,
}

impl Header {
    fn parse(content: &[u8]) -> Result<Self, PhotoFault> {
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

    fn model(self) -> ColourModel {
        match self.colour {
            0 | 4 => ColourModel::Gray,
            _ => ColourModel::Rgb,
        }
    }

    /// Bytes of the decoded pixels, palette and transparency spread out.
    fn pixel_bytes(self, has_transparency: bool) -> u64 {
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
    fn stream_bytes(self) -> u64 {
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
        if width == 0 {
            0
        } else {
            (bits.div_ceil(8) + 1) * u64::from(height)
        }
    }

    fn is_transparency_sound(self, content: &[u8], palette_count: usize) -> bool {
        match self.colour {
            0 => content.len() == 2,
            2 => content.len() == 6,
            3 => (1..=palette_count).contains(&content.len()),
            _ => false,
        }
    }
}

/// What has been read of the file so far.
struct Parts<'a> {
    header: Header,
    gate: Gate<'a>,
    /// Colour space chunks that stay.
    colours: Vec<u8>,
    colour_kinds: Vec<[u8; 4]>,
    /// Palette, transparency and pixels, in their order.
    kept: Vec<u8>,
    palette_count: usize,
    has_transparency: bool,
    pixels: PixelStream,
    /// Whether pixels have begun, and whether something else has followed them.
    is_begun: bool,
    is_over: bool,
    profile: Option<Vec<u8>>,
    orientation: Option<Orientation>,
}

impl<'a> Parts<'a> {
    fn new(header: Header, gate: Gate<'a>) -> Self {
        Self {
            header,
            gate,
            colours: Vec::new(),
            colour_kinds: Vec::new(),
            kept: Vec::new(),
            palette_count: 0,
            has_transparency: false,
            pixels: PixelStream::new(header.stream_bytes()),
            is_begun: false,
            is_over: false,
            profile: None,
            orientation: None,
        }
    }

    fn take(&mut self, chunk: &Chunk) -> Result<(), PhotoFault> {
        if &chunk.kind == b"IDAT" {
            return self.take_pixels(chunk);
        }
        self.is_over = self.is_begun;
        let content = chunk.content;
        match &chunk.kind {
            b"acTL" | b"fcTL" | b"fdAT" => return Err(PhotoFault::Animated),
            b"PLTE" => self.take_palette(content)?,
            b"tRNS" => self.take_transparency(content),
            b"gAMA" if content.len() == 4 => self.keep_colour(chunk.kind, content),
            b"cHRM" if content.len() == 32 => self.keep_colour(chunk.kind, content),
            b"sRGB" if content.len() == 1 => self.keep_colour(chunk.kind, content),
            b"iCCP" if self.profile.is_none() => self.take_profile(content),
            b"eXIf" if self.orientation.is_none() => {
                self.orientation = Some(exif::orientation(content));
            }
            // An unknown chunk whose first letter is a capital cannot be left out.
            [first, ..] if first.is_ascii_uppercase() => return Err(PhotoFault::Damaged),
            _ => {}
        }
        Ok(())
    }

    fn take_pixels(&mut self, chunk: &Chunk) -> Result<(), PhotoFault> {
        let lacks_palette = self.header.colour == 3 && self.palette_count == 0;
        if self.is_over || lacks_palette {
            return Err(PhotoFault::Damaged);
        }
        self.is_begun = true;
        self.pixels.feed(chunk.content, &self.gate)?;
        put_chunk(&mut self.kept, chunk.kind, chunk.content);
        Ok(())
    }

    fn take_palette(&mut self, content: &[u8]) -> Result<(), PhotoFault> {
        let is_sound = content.len().is_multiple_of(3) && (3..=768).contains(&content.len());
        if !is_sound || self.palette_count > 0 || self.is_begun {
            return Err(PhotoFault::Damaged);
        }
        self.palette_count = content.len() / 3;
        // In other pictures a palette is but a hint for displays of few colours.
        if self.header.colour == 3 {
            put_chunk(&mut self.kept, *b"PLTE", content);
        }
        Ok(())
    }

    fn take_transparency(&mut self, content: &[u8]) {
        let is_sound = (self.header).is_transparency_sound(content, self.palette_count);
        if is_sound && !self.has_transparency && !self.is_begun {
            self.has_transparency = true;
            put_chunk(&mut self.kept, *b"tRNS", content);
        }
    }

    fn take_profile(&mut self, content: &[u8]) {
        if !self.is_begun
            && let Some(whole) = inflate_profile(content)
            && let Some(profile) = icc::keep_needed(&whole, self.header.model())
            && let Some(content) = deflate_profile(&profile)
        {
            self.keep_colour(*b"iCCP", &content);
            self.profile = Some(profile);
        }
    }

    fn keep_colour(&mut self, kind: [u8; 4], content: &[u8]) {
        if !self.is_begun && self.palette_count == 0 && !self.colour_kinds.contains(&kind) {
            self.colour_kinds.push(kind);
            put_chunk(&mut self.colours, kind, content);
        }
    }

    fn finish(self, header_content: &[u8]) -> Result<Stripped, PhotoFault> {
        if !self.pixels.is_whole {
            return Err(PhotoFault::Damaged);
        }
        let mut bytes = SIGNATURE.to_vec();
        put_chunk(&mut bytes, *b"IHDR", header_content);
        bytes.extend_from_slice(&self.colours);
        bytes.extend(self.kept);
        put_chunk(&mut bytes, *b"IEND", &[]);
        Ok(Stripped {
            bytes,
            width: self.header.width,
            height: self.header.height,
            orientation: self.orientation.unwrap_or(Orientation::NoTransforms),
            pixel_bytes: self.header.pixel_bytes(self.has_transparency),
            decoder_bytes: 0,
            // It goes back in with the other colour chunks, not through the encoder.
            profile: None,
            png_colours: self.colours,
        })
    }
}

/// Opens the compressed profile, at most as far as the longest one that we would keep.
fn inflate_profile(content: &[u8]) -> Option<Vec<u8>> {
    let name_end = content.iter().take(80).position(|byte| *byte == 0)?;
    let [_, 0, compressed @ ..] = content.get(name_end..)? else {
        return None;
    };
    let length_max = u64::try_from(icc::PROFILE_BYTES_MAX).ok()?;
    let mut profile = Vec::new();
    ZlibDecoder::new(compressed)
        .take(length_max)
        .read_to_end(&mut profile)
        .ok()?;
    Some(profile)
}

/// Packs a profile under a name that says nothing.
fn deflate_profile(profile: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(b"ICC\0\0".to_vec(), Compression::default());
    encoder.write_all(profile).ok()?;
    encoder.finish().ok()
}

/// Inflates the pixels only to count them: all must be there, and nothing behind them.
struct PixelStream {
    inflater: Decompress,
    wanted: u64,
    is_whole: bool,
    piece: Vec<u8>,
}

impl PixelStream {
    fn new(wanted: u64) -> Self {
        Self {
            inflater: Decompress::new(true),
            wanted,
            is_whole: false,
            piece: vec![0; PIECE_BYTES],
        }
    }

    fn feed(&mut self, mut input: &[u8], gate: &Gate) -> Result<(), PhotoFault> {
        loop {
            gate.check_time()?;
            if self.is_whole {
                // Whatever follows the stream's end is no part of the picture.
                return if input.is_empty() {
                    Ok(())
                } else {
                    Err(PhotoFault::Damaged)
                };
            }
            let (in_before, out_before) = (self.inflater.total_in(), self.inflater.total_out());
            let status = self
                .inflater
                .decompress(input, &mut self.piece, FlushDecompress::None)
                .map_err(|_| PhotoFault::Damaged)?;
            let used = usize::try_from(self.inflater.total_in() - in_before).unwrap_or(usize::MAX);
            input = input.get(used..).ok_or(PhotoFault::Damaged)?;
            let total = self.inflater.total_out();
            let is_ended = status == Status::StreamEnd;
            if total > self.wanted || (is_ended && total < self.wanted) {
                return Err(PhotoFault::Damaged);
            }
            self.is_whole = is_ended;
            let is_idle = used == 0 && total == out_before;
            match (is_ended, is_idle, input.is_empty()) {
                (false, true, true) => return Ok(()),
                (false, true, false) => return Err(PhotoFault::Damaged),
                _ => {}
            }
        }
    }
}
