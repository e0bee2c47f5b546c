//! Takes a PNG apart, checks all of it, and puts together only what shows the picture.
//!
//! Kept: header, palette, transparency, colour space, pixels, end. Text, EXIF, time and chunks
//! that we do not know go, and compressed text is never even opened. Pixels are not made here.

mod header;
mod stream;

use std::io::{Read, Write};

use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use image::metadata::Orientation;

use super::gate::Gate;
use super::icc;
use super::{PhotoFault, Stripped, exif};
use header::Header;
use stream::PixelStream;

const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// Signature and header chunk; colour chunks go right after.
const HEAD_BYTES: usize = 8 + 12 + 13;

/// Checks the PNG and returns it without its metadata.
pub(super) fn strip(bytes: &[u8], gate: &Gate) -> Result<Stripped, PhotoFault> {
    let rest = bytes.strip_prefix(&SIGNATURE).ok_or(PhotoFault::NotAPhoto)?;
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
    let (head, tail) = encoded.split_at_checked(HEAD_BYTES).unwrap_or((encoded, &[]));
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
        let chunk = Chunk { kind: *kind, content };
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
            is_plain: false,
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
    ZlibDecoder::new(compressed).take(length_max).read_to_end(&mut profile).ok()?;
    Some(profile)
}

/// Packs a profile under a name that says nothing.
fn deflate_profile(profile: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(b"ICC\0\0".to_vec(), Compression::default());
    encoder.write_all(profile).ok()?;
    encoder.finish().ok()
}
