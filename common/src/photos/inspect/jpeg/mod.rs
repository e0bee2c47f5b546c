//! Takes a JPEG apart, checks every bit of it, and puts together only what shows the picture.
//!
//! Kept: frame, quantization and Huffman tables, restart interval, scans byte for byte, plus
//! JFIF and Adobe segments written anew and a colour profile if the colours need one. Everything
//! else goes: EXIF, XMP, IPTC, comments, further pictures, whatever follows the end.
//! Pixels are not made here.

mod frame;
mod huffman;
mod profile;
mod runs;
mod scan;

use image::metadata::Orientation;

use super::gate::Gate;
use super::icc::{self, ColourModel};
use super::{PhotoFault, Stripped, exif};
use frame::{Frame, ScanHeader, Tables};
use scan::ScanData;

/// Most scans in one picture. Encoders make up to about 20; each costs a walk over all blocks
/// and may take no more than a dozen bytes, so files with thousands would hold us up.
const SCANS_MAX: u32 = 64;

const SOI: [u8; 2] = [0xFF, 0xD8];
const EOI: [u8; 2] = [0xFF, 0xD9];
/// JFIF 1.02, square pixels, no thumbnail.
const JFIF_SEGMENT: [u8; 18] = *b"\xFF\xE0\0\x10JFIF\0\x01\x02\0\0\x01\0\x01\0\0";
/// An Adobe segment up to its last byte, which says how colours are transformed.
const ADOBE_SEGMENT: [u8; 15] = *b"\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0";

/// Checks the JPEG and returns it without its metadata.
pub(super) fn strip(bytes: &[u8], gate: &Gate) -> Result<Stripped, PhotoFault> {
    let mut rest = bytes.strip_prefix(&SOI).ok_or(PhotoFault::NotAPhoto)?;
    let mut parts = Parts::default();
    loop {
        gate.check_time()?;
        let (marker, after) = split_marker(rest)?;
        if marker == 0xD9 {
            break;
        }
        let (payload, after) = split_segment(after)?;
        rest = if marker == 0xDA {
            let (data, after) = split_scan(after)?;
            parts.take_scan(payload, data, gate)?;
            after
        } else {
            parts.take_segment(marker, payload, gate)?;
            after
        };
    }
    parts.finish()
}

/// Returns the next marker's code and what follows it; fill bytes before it are skipped.
fn split_marker(bytes: &[u8]) -> Result<(u8, &[u8]), PhotoFault> {
    let after_fill = bytes.iter().position(|byte| *byte != 0xFF);
    match after_fill.and_then(|at| bytes.split_at_checked(at)) {
        Some(([_, ..], [marker, rest @ ..])) => Ok((*marker, rest)),
        _ => Err(PhotoFault::Damaged),
    }
}

/// Returns a segment's payload and what follows the segment.
fn split_segment(bytes: &[u8]) -> Result<(&[u8], &[u8]), PhotoFault> {
    let (length, rest) = bytes.split_first_chunk().ok_or(PhotoFault::Damaged)?;
    usize::from(u16::from_be_bytes(*length))
        .checked_sub(2)
        .and_then(|length| rest.split_at_checked(length))
        .ok_or(PhotoFault::Damaged)
}

/// Returns a scan's data, restart markers and stuffed zeros included, and what follows it.
fn split_scan(bytes: &[u8]) -> Result<(&[u8], &[u8]), PhotoFault> {
    memchr::memchr_iter(0xFF, bytes)
        .find(|at| !matches!(bytes.get(at + 1), None | Some(0x00 | 0xD0..=0xD7)))
        .and_then(|at| bytes.split_at_checked(at))
        .ok_or(PhotoFault::Damaged)
}

/// What has been read of the file so far.
#[derive(Default)]
struct Parts<'a> {
    /// Segments and scans that stay, in their order.
    kept: Vec<u8>,
    frame: Option<Frame>,
    tables: Tables,
    restart_interval: Option<usize>,
    scans_count: u32,
    is_buffered: bool,
    has_jfif: bool,
    /// The Adobe segment's colour transform.
    adobe_transform: Option<u8>,
    orientation: Option<Orientation>,
    profile: profile::Pieces<'a>,
}

impl<'a> Parts<'a> {
    fn take_segment(&mut self, marker: u8, payload: &'a [u8], gate: &Gate) -> Result<(), PhotoFault> {
        match marker {
            0xC0..=0xC2 => self.take_frame(payload, marker == 0xC2, gate)?,
            0xC4 => self.tables.take_huffman(payload)?,
            0xDB => self.tables.take_quantizers(payload)?,
            0xDD => {
                let raw = payload.try_into().map_err(|_| PhotoFault::Damaged)?;
                let interval = usize::from(u16::from_be_bytes(raw));
                self.restart_interval = (interval > 0).then_some(interval);
            }
            0xE0..=0xEF | 0xFE => {
                self.take_application(marker, payload);
                return Ok(());
            }
            // Lossless, hierarchical and arithmetic coding, which no browser shows either, and
            // codes that may not stand here.
            _ => return Err(PhotoFault::Damaged),
        }
        self.keep_segment(marker, payload)
    }

    fn take_frame(&mut self, payload: &[u8], is_progressive: bool, gate: &Gate) -> Result<(), PhotoFault> {
        if self.frame.is_some() {
            return Err(PhotoFault::Damaged);
        }
        let mut frame = Frame::parse(payload, is_progressive)?;
        gate.check_size(frame.width, frame.height)?;
        gate.check_memory(frame.pixel_bytes())?;
        if is_progressive {
            gate.check_memory(frame.pixel_bytes() + frame.coefficient_bytes())?;
            self.is_buffered = true;
            frame.allocate_notes();
        }
        self.frame = Some(frame);
        Ok(())
    }

    /// Notes what a segment tells about the colours and the camera's turn, before the first scan.
    fn take_application(&mut self, marker: u8, payload: &'a [u8]) {
        if self.scans_count > 0 {
            return;
        }
        match marker {
            0xE0 if payload.starts_with(b"JFIF\0") => self.has_jfif = true,
            0xE1 if exif::is_exif(payload) && self.orientation.is_none() => {
                self.orientation = Some(exif::orientation(payload));
            }
            0xE2 => self.profile.take(payload),
            0xEE if payload.starts_with(b"Adobe") => {
                self.adobe_transform = payload.get(11).copied();
            }
            _ => {}
        }
    }

    fn take_scan(&mut self, payload: &[u8], data: &[u8], gate: &Gate) -> Result<(), PhotoFault> {
        self.scans_count += 1;
        if self.scans_count > SCANS_MAX {
            return Err(PhotoFault::TookTooLong);
        }
        let frame = self.frame.as_mut().ok_or(PhotoFault::Damaged)?;
        let header = ScanHeader::parse(payload, frame)?;
        if header.parts.len() < frame.components.len() {
            gate.check_memory(frame.pixel_bytes() + frame.coefficient_bytes())?;
            self.is_buffered = true;
        }
        let scan_data = ScanData { bytes: data, restart_interval: self.restart_interval };
        scan::walk(frame, &self.tables, &header, scan_data, gate)?;
        self.keep_segment(0xDA, payload)?;
        self.kept.extend_from_slice(data);
        Ok(())
    }

    fn keep_segment(&mut self, marker: u8, payload: &[u8]) -> Result<(), PhotoFault> {
        let length = u16::try_from(payload.len() + 2).map_err(|_| PhotoFault::Damaged)?;
        self.kept.extend([0xFF, marker]);
        self.kept.extend(length.to_be_bytes());
        self.kept.extend_from_slice(payload);
        Ok(())
    }

    fn finish(self) -> Result<Stripped, PhotoFault> {
        let frame = self.frame.ok_or(PhotoFault::Damaged)?;
        if !frame.components.iter().all(|component| component.is_seen) {
            return Err(PhotoFault::Damaged);
        }
        let model = frame.model();
        let profile = (self.profile.join()).and_then(|whole| icc::keep_needed(&whole, model));
        let mut bytes = SOI.to_vec();
        // JFIF promises luma and chroma, so it is added only where that is what decoders assume.
        if self.has_jfif || (self.adobe_transform.is_none() && frame.has_usual_ids()) {
            bytes.extend(JFIF_SEGMENT);
        }
        if let Some(transform) = self.adobe_transform
            && model != ColourModel::Gray
        {
            bytes.extend(ADOBE_SEGMENT);
            bytes.push(transform);
        }
        if let Some(profile) = &profile {
            profile::write(profile, &mut bytes);
        }
        bytes.extend(self.kept);
        bytes.extend(EOI);
        let coefficient_bytes = if self.is_buffered { frame.coefficient_bytes() } else { 0 };
        let is_plain = model != ColourModel::Cmyk && frame.has_usual_sampling() && frame.shades.are_plain();
        Ok(Stripped {
            bytes,
            width: frame.width,
            height: frame.height,
            orientation: self.orientation.unwrap_or(Orientation::NoTransforms),
            pixel_bytes: frame.pixel_bytes(),
            decoder_bytes: coefficient_bytes,
            // Ink values become red, green and blue when decoded, and then the profile lies.
            profile: profile.filter(|_| model != ColourModel::Cmyk),
            png_colours: Vec::new(),
            is_plain,
        })
    }
}
