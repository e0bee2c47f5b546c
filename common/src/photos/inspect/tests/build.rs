//! Makes the files that the tests need.

use std::io::{Cursor, Write};
use std::ops::Range;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

use crate::domain::photo::PhotoFormat;

const PHOTOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/photos/");

/// Reads a sample photo, such as `good/face.jpg`.
pub(super) fn sample(name: &str) -> Vec<u8> {
    std::fs::read(format!("{PHOTOS}{name}")).unwrap()
}

/// Lists the names of all sample photos in `folder`, with the folder.
pub(super) fn samples(folder: &str) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(format!("{PHOTOS}{folder}"))
        .unwrap()
        .map(|entry| format!("{folder}/{}", entry.unwrap().file_name().display()))
        .collect();
    names.sort();
    names
}

/// 120 by 100 pixels; red, green (above), blue, white (below).
pub(super) fn quarters() -> DynamicImage {
    let picture = RgbImage::from_fn(120, 100, |x, y| match (x < 60, y < 50) {
        (true, true) => Rgb([255, 0, 0]),
        (false, true) => Rgb([0, 255, 0]),
        (true, false) => Rgb([0, 0, 255]),
        (false, false) => Rgb([255, 255, 255]),
    });
    DynamicImage::ImageRgb8(picture)
}

/// 120 by 100 pixels of coarse noise, so that a changed byte changes something.
pub(super) fn noise() -> DynamicImage {
    let mut random = Random(99);
    let picture = RgbImage::from_fn(120, 100, |_, _| {
        let value = random.next();
        Rgb([value as u8 & 0x7F, (value >> 8) as u8, (value >> 16) as u8])
    });
    DynamicImage::ImageRgb8(picture)
}

pub(super) fn encode(picture: &DynamicImage, format: PhotoFormat) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    let format = match format {
        PhotoFormat::Jpeg => ImageFormat::Jpeg,
        PhotoFormat::Png => ImageFormat::Png,
        PhotoFormat::Webp => ImageFormat::WebP,
    };
    picture.write_to(&mut out, format).unwrap();
    out.into_inner()
}

/// A small generator of numbers that are the same in every run.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end
    }
}

/// An EXIF block (without prefix) with a maker's name and an orientation.
pub(super) fn exif(orientation: u16, is_big_endian: bool) -> Vec<u8> {
    let two = |v: u16| {
        if is_big_endian { v.to_be_bytes() } else { v.to_le_bytes() }
    };
    let four = |v: u32| {
        if is_big_endian { v.to_be_bytes() } else { v.to_le_bytes() }
    };
    let mut out = if is_big_endian { *b"MM" } else { *b"II" }.to_vec();
    out.extend(two(42));
    out.extend(four(8));
    out.extend(two(2));
    out.extend(two(0x010F));
    out.extend(two(2));
    out.extend(four(4));
    out.extend(b"Spy\0");
    out.extend(two(0x0112));
    out.extend(two(3));
    out.extend(four(1));
    out.extend(two(orientation));
    out.extend(two(0));
    out.extend(four(0));
    out
}

/// Puts an EXIF block into a photo of `format`.
pub(super) fn with_exif(bytes: &[u8], format: PhotoFormat, block: &[u8]) -> Vec<u8> {
    match format {
        PhotoFormat::Jpeg => {
            let prefixed = [b"Exif\0\0", block].concat();
            insert(bytes, 2, &segment(0xE1, &prefixed))
        }
        PhotoFormat::Png => insert(bytes, 33, &png_chunk(*b"eXIf", block)),
        PhotoFormat::Webp => extended_webp(bytes, 0x08, &[], &webp_chunk(*b"EXIF", block)),
    }
}

/// Returns `bytes` with `part` put in at `at`.
pub(super) fn insert(bytes: &[u8], at: usize, part: &[u8]) -> Vec<u8> {
    [&bytes[..at], part, &bytes[at..]].concat()
}

/// A JPEG segment with its marker and length.
pub(super) fn segment(marker: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 2).unwrap().to_be_bytes();
    [&[0xFF, marker], &length[..], payload].concat()
}

/// Where each segment of a JPEG lies, a scan's data belonging to its header.
pub(super) fn segments(bytes: &[u8]) -> Vec<(u8, Range<usize>)> {
    let mut found = Vec::new();
    let mut at = 2;
    while bytes[at + 1] != 0xD9 {
        let length = usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
        let mut end = at + 2 + length;
        if bytes[at + 1] == 0xDA {
            while bytes[end] != 0xFF || matches!(bytes[end + 1], 0 | 0xD0..=0xD7) {
                end += 1;
            }
        }
        found.push((bytes[at + 1], at..end));
        at = end;
    }
    found
}

/// All scans of a JPEG, headers and data, one after the other.
pub(super) fn scans(bytes: &[u8]) -> Vec<u8> {
    segments(bytes).into_iter().filter(|(marker, _)| *marker == 0xDA).flat_map(|(_, range)| bytes[range].to_vec()).collect()
}

/// A PNG chunk with its length and checksum.
pub(super) fn png_chunk(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let mut sum = flate2::Crc::new();
    sum.update(&kind);
    sum.update(content);
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&length[..], &kind, content, &sum.sum().to_be_bytes()].concat()
}

/// A gray PNG of the given size around the given pixel stream.
pub(super) fn png(width: u32, height: u32, stream: &[u8]) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 0, 0, 0, 0]].concat();
    png_around(&header, stream)
}

/// A PNG with the given header and pixel stream.
pub(super) fn png_around(header: &[u8], stream: &[u8]) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n".to_vec(), png_chunk(*b"IHDR", header), png_chunk(*b"IDAT", stream), png_chunk(*b"IEND", &[])].concat()
}

/// Makes every checksum of a PNG right again, as far as its chunks can be followed.
pub(super) fn mend_png(bytes: &mut [u8]) {
    let mut at = 8;
    while let Some(raw) = bytes.get(at..at + 4) {
        let length = u32::from_be_bytes(raw.try_into().unwrap()) as usize;
        let end = at + 8 + length;
        if end + 4 > bytes.len() {
            return;
        }
        let mut sum = flate2::Crc::new();
        sum.update(&bytes[at + 4..end]);
        bytes[end..end + 4].copy_from_slice(&sum.sum().to_be_bytes());
        at = end + 4;
    }
}

pub(super) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn webp_chunk(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_le_bytes();
    let padding = vec![0; content.len() % 2];
    [&kind, &length[..], content, &padding].concat()
}

/// Puts the picture of a simple lossless WebP between other chunks in an extended one.
pub(super) fn extended_webp(simple: &[u8], flags: u8, before: &[u8], after: &[u8]) -> Vec<u8> {
    let decoded = image::load_from_memory(simple).unwrap();
    let mut head = vec![flags, 0, 0, 0];
    head.extend(&(decoded.width() - 1).to_le_bytes()[..3]);
    head.extend(&(decoded.height() - 1).to_le_bytes()[..3]);
    let content =
        [b"WEBP".to_vec(), webp_chunk(*b"VP8X", &head), before.to_vec(), simple[12..].to_vec(), after.to_vec()].concat();
    webp_chunk(*b"RIFF", &content)
}

/// A small colour profile; `model` is `RGB ` or `CMYK`.
pub(super) fn profile(model: [u8; 4], primaries: [[f64; 3]; 3]) -> Vec<u8> {
    let fixed = |v: f64| ((v * 65536.0).round() as i32).to_be_bytes();
    let mut data = Vec::new();
    let mut table = 6_u32.to_be_bytes().to_vec();
    let start = 128 + 4 + 6 * 12;
    let mut put = |name: [u8; 4], content: &[u8], data: &mut Vec<u8>| {
        table.extend(name);
        table.extend(u32::try_from(start + data.len()).unwrap().to_be_bytes());
        table.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
        data.extend(content);
    };
    for (name, point) in [*b"rXYZ", *b"gXYZ", *b"bXYZ"].into_iter().zip(primaries) {
        let content = [&b"XYZ \0\0\0\0"[..], &fixed(point[0]), &fixed(point[1]), &fixed(point[2])].concat();
        put(name, &content, &mut data);
    }
    for name in [*b"rTRC", *b"gTRC", *b"bTRC"] {
        put(name, b"curv\0\0\0\0\0\0\0\x01\x02\x33\0\0", &mut data);
    }
    let mut head = vec![0; 128];
    head[16..20].copy_from_slice(&model);
    head[36..40].copy_from_slice(b"acsp");
    let length = u32::try_from(start + data.len()).unwrap();
    head[..4].copy_from_slice(&length.to_be_bytes());
    [head, table, data].concat()
}

pub(super) const SRGB: [[f64; 3]; 3] = [[0.4361, 0.2225, 0.0139], [0.3851, 0.7169, 0.0971], [0.1431, 0.0606, 0.7141]];

pub(super) const DISPLAY_P3: [[f64; 3]; 3] = [[0.5151, 0.2412, -0.0011], [0.2919, 0.6922, 0.0419], [0.1572, 0.0666, 0.7841]];
