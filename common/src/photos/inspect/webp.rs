//! Takes a WebP apart and puts together only what shows the picture.
//!
//! Kept: the picture, its transparency, and a colour profile if the colours need one. EXIF, XMP
//! and chunks that we do not know go. Pixels are not made here, and the coded picture itself
//! is not walked: its arithmetic code has no wrong bits, only its own lengths to check.

use image::metadata::Orientation;

use super::gate::Gate;
use super::icc::{self, ColourModel};
use super::{PhotoFault, Stripped, exif};

const FLAG_PROFILE: u8 = 0x20;
const FLAG_ALPHA: u8 = 0x10;
const FLAG_ANIMATED: u8 = 0x02;
/// Memory that the decoder holds beside the pixels: planes and transparency when lossy, argb and
/// its tables when lossless.
const DECODER_BYTES_PER_PIXEL: u64 = 5;

/// Checks the WebP's structure and returns it without its metadata.
pub(super) fn strip(bytes: &[u8], gate: &Gate) -> Result<Stripped, PhotoFault> {
    let mut rest = riff_content(bytes)?;
    let mut parts = Parts::default();
    while !rest.is_empty() {
        gate.check_time()?;
        let (chunk, after) = split_chunk(rest)?;
        parts.take(&chunk, gate)?;
        rest = after;
        // A simple file ends with its picture, whatever follows.
        if parts.picture.is_some() && parts.extended.is_none() {
            break;
        }
    }
    parts.finish()
}

/// Returns the chunks that the outermost length covers; bytes beyond are dropped.
fn riff_content(bytes: &[u8]) -> Result<&[u8], PhotoFault> {
    let find = || {
        let rest = bytes.strip_prefix(b"RIFF")?;
        let (length, rest) = rest.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        rest.get(..length)?.strip_prefix(b"WEBP")
    };
    find().ok_or(PhotoFault::Damaged)
}

struct Chunk<'a> {
    kind: [u8; 4],
    content: &'a [u8],
}

fn split_chunk(bytes: &[u8]) -> Result<(Chunk<'_>, &[u8]), PhotoFault> {
    let find = || {
        let (kind, rest) = bytes.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (content, rest) = rest.split_at_checked(length)?;
        let padding = length % 2;
        let chunk = Chunk { kind: *kind, content };
        Some((chunk, rest.get(padding..)?))
    };
    find().ok_or(PhotoFault::Damaged)
}

fn put_chunk(out: &mut Vec<u8>, kind: [u8; 4], content: &[u8]) {
    // Contents come out of a chunk or are smaller than one, so their length fits.
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    out.extend(kind);
    out.extend(length.to_le_bytes());
    out.extend_from_slice(content);
    if !content.len().is_multiple_of(2) {
        out.push(0);
    }
}

/// Width and height in pixels.
type Size = (u32, u32);

/// The coded picture.
struct Picture<'a> {
    kind: [u8; 4],
    content: &'a [u8],
    size: Size,
}

impl<'a> Picture<'a> {
    fn parse(kind: [u8; 4], content: &'a [u8]) -> Result<Self, PhotoFault> {
        let size = if &kind == b"VP8 " { lossy_size(content) } else { lossless_size(content) };
        Ok(Self { kind, content, size: size.ok_or(PhotoFault::Damaged)? })
    }
}

/// Reads the size from a lossy key frame whose first part lies within its chunk.
fn lossy_size(content: &[u8]) -> Option<Size> {
    let (tag, rest) = content.split_first_chunk::<3>()?;
    let tag = u32::from_le_bytes([tag[0], tag[1], tag[2], 0]);
    let rest = rest.strip_prefix(b"\x9D\x01\x2A")?;
    let (width, rest) = rest.split_first_chunk()?;
    let (height, rest) = rest.split_first_chunk()?;
    let is_key_frame = tag & 1 == 0;
    let first_part_bytes = usize::try_from(tag >> 5).ok()?;
    // The upper two bits of each side are a hint for scaling.
    let side = |raw: &[u8; 2]| u32::from(u16::from_le_bytes(*raw) & 0x3FFF);
    (is_key_frame && first_part_bytes <= rest.len()).then(|| (side(width), side(height)))
}

fn lossless_size(content: &[u8]) -> Option<Size> {
    let (raw, _) = content.strip_prefix(&[0x2F])?.split_first_chunk()?;
    let raw = u32::from_le_bytes(*raw);
    let version = raw >> 29;
    (version == 0).then_some(((raw & 0x3FFF) + 1, ((raw >> 14) & 0x3FFF) + 1))
}

/// What the header of an extended file says.
struct Extended {
    has_alpha: bool,
    size: Size,
}

impl Extended {
    fn parse(content: &[u8]) -> Result<Self, PhotoFault> {
        let [flags, _, _, _, w0, w1, w2, h0, h1, h2] = content else {
            return Err(PhotoFault::Damaged);
        };
        if flags & FLAG_ANIMATED != 0 {
            return Err(PhotoFault::Animated);
        }
        Ok(Self {
            has_alpha: flags & FLAG_ALPHA != 0,
            size: (u32::from_le_bytes([*w0, *w1, *w2, 0]) + 1, u32::from_le_bytes([*h0, *h1, *h2, 0]) + 1),
        })
    }

    fn write(&self, flags: u8, out: &mut Vec<u8>) {
        let mut content = vec![flags, 0, 0, 0];
        for side in [self.size.0, self.size.1] {
            content.extend((side - 1).to_le_bytes().iter().take(3));
        }
        put_chunk(out, *b"VP8X", &content);
    }
}

/// What has been read of the file so far.
#[derive(Default)]
struct Parts<'a> {
    extended: Option<Extended>,
    alpha: Option<&'a [u8]>,
    picture: Option<Picture<'a>>,
    profile: Option<&'a [u8]>,
    orientation: Option<Orientation>,
    chunks_count: usize,
}

impl<'a> Parts<'a> {
    fn take(&mut self, chunk: &Chunk<'a>, gate: &Gate) -> Result<(), PhotoFault> {
        let content = chunk.content;
        let is_first = self.chunks_count == 0;
        self.chunks_count += 1;
        match &chunk.kind {
            b"VP8X" if is_first => {
                let extended = Extended::parse(content)?;
                check_cost(gate, extended.size)?;
                self.extended = Some(extended);
            }
            b"ANIM" | b"ANMF" => return Err(PhotoFault::Animated),
            b"VP8 " | b"VP8L" if self.picture.is_none() => {
                let picture = Picture::parse(chunk.kind, content)?;
                check_cost(gate, picture.size)?;
                self.picture = Some(picture);
            }
            b"VP8X" | b"VP8 " | b"VP8L" => return Err(PhotoFault::Damaged),
            b"ALPH" if self.picture.is_none() => self.alpha = self.alpha.or(Some(content)),
            b"ICCP" => self.profile = self.profile.or(Some(content)),
            b"EXIF" if self.orientation.is_none() => {
                self.orientation = Some(exif::orientation(content));
            }
            _ => {}
        }
        if is_first && self.extended.is_none() && self.picture.is_none() {
            return Err(PhotoFault::Damaged);
        }
        Ok(())
    }

    fn finish(self) -> Result<Stripped, PhotoFault> {
        let picture = self.picture.ok_or(PhotoFault::Damaged)?;
        let profile = (self.profile).and_then(|profile| icc::keep_needed(profile, ColourModel::Rgb));
        let mut content = b"WEBP".to_vec();
        if let Some(extended) = &self.extended {
            if extended.size != picture.size {
                return Err(PhotoFault::Damaged);
            }
            let is_lossy = &picture.kind == b"VP8 ";
            let alpha = self.alpha.filter(|_| extended.has_alpha && is_lossy);
            let has_alpha = alpha.is_some() || (extended.has_alpha && !is_lossy);
            let alpha_flag = if has_alpha { FLAG_ALPHA } else { 0 };
            let profile_flag = if profile.is_some() { FLAG_PROFILE } else { 0 };
            extended.write(alpha_flag | profile_flag, &mut content);
            if let Some(profile) = &profile {
                put_chunk(&mut content, *b"ICCP", profile);
            }
            if let Some(alpha) = alpha {
                put_chunk(&mut content, *b"ALPH", alpha);
            }
        }
        put_chunk(&mut content, picture.kind, picture.content);
        let mut bytes = Vec::with_capacity(content.len() + 8);
        put_chunk(&mut bytes, *b"RIFF", &content);
        let (width, height) = picture.size;
        Ok(Stripped {
            bytes,
            width,
            height,
            orientation: self.orientation.unwrap_or(Orientation::NoTransforms),
            pixel_bytes: pixel_bytes(picture.size),
            decoder_bytes: decoder_bytes(picture.size),
            profile,
            png_colours: Vec::new(),
            is_plain: false,
        })
    }
}

fn check_cost(gate: &Gate, size: Size) -> Result<(), PhotoFault> {
    gate.check_size(size.0, size.1)?;
    gate.check_memory(pixel_bytes(size) + decoder_bytes(size))
}

fn pixel_bytes((width, height): Size) -> u64 {
    u64::from(width) * u64::from(height) * 4
}

fn decoder_bytes((width, height): Size) -> u64 {
    u64::from(width) * u64::from(height) * DECODER_BYTES_PER_PIXEL
}
