//! Reads one thing from EXIF: how the camera was held.
//!
//! Written by hand because EXIF is a maze of offsets from outside, and one tag of it is all we
//! need before the whole block is thrown away. No other tag is looked at.

use image::metadata::Orientation;

const TAG_ORIENTATION: u16 = 0x0112;
const TYPE_SHORT: u16 = 3;
const ENTRY_BYTES: usize = 12;
/// Most entries looked at. Cameras write the tag among the first dozen; the block's own count
/// comes from outside and may be 65,535.
const ENTRIES_MAX: usize = 512;
/// What stands before the TIFF header in JPEG, and by habit in some WebP and PNG files.
const PREFIX: &[u8] = b"Exif\0\0";

/// Returns the turn that the EXIF block asks for, with or without its "Exif" prefix.
///
/// A block that makes no sense asks for no turn: EXIF is a hint, and a photo is not refused for it.
pub(super) fn orientation(block: &[u8]) -> Orientation {
    let tiff = block.strip_prefix(PREFIX).unwrap_or(block);
    find_orientation(tiff)
        .and_then(|value| u8::try_from(value).ok())
        .and_then(Orientation::from_exif)
        .unwrap_or(Orientation::NoTransforms)
}

/// Returns whether the payload of a JPEG APP1 segment is EXIF.
pub(super) fn is_exif(payload: &[u8]) -> bool {
    payload.starts_with(PREFIX)
}

fn find_orientation(tiff: &[u8]) -> Option<u16> {
    let order = match tiff.get(..4)? {
        b"II*\0" => Order::Little,
        b"MM\0*" => Order::Big,
        _ => return None,
    };
    let table_at = usize::try_from(order.u32(tiff, 4)?).ok()?;
    let count = usize::from(order.u16(tiff, table_at)?).min(ENTRIES_MAX);
    let entries = tiff.get(table_at.checked_add(2)?..)?;
    let entry = entries.chunks_exact(ENTRY_BYTES).take(count).find(|entry| order.u16(entry, 0) == Some(TAG_ORIENTATION))?;
    let is_one_short = order.u16(entry, 2)? == TYPE_SHORT && order.u32(entry, 4)? == 1;
    is_one_short.then(|| order.u16(entry, 8)).flatten()
}

#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let raw = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Little => u16::from_le_bytes(raw),
            Self::Big => u16::from_be_bytes(raw),
        })
    }

    fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let raw = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Little => u32::from_le_bytes(raw),
            Self::Big => u32::from_be_bytes(raw),
        })
    }
}
