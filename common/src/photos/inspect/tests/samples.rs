//! The sample photos: the good pass unchanged, the bad are refused for the right reason.

use image::{DynamicImage, Rgb, RgbImage};

use super::super::Limits;
use super::build::{deflate, encode, noise, png_around, quarters, sample, samples, scans, segments};
use super::{contains, decode, inspect, look, strip_jpeg};
use crate::domain::photo::{PhotoFault, PhotoFormat};

#[test]
fn every_good_photo_passes_with_its_pixels_and_without_metadata() {
    let names = samples("good");
    assert!(names.len() >= 12);
    for name in names {
        let bytes = sample(&name);
        let clean = look(&bytes).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert_eq!(PhotoFormat::sniff(&clean.bytes), Some(clean.format));
        for trace in [&b"Exif"[..], b"Phone", b"http://ns.adobe.com"] {
            assert!(!contains(&clean.bytes, trace), "{name}");
        }
        let strangers = list_strangers(&clean.bytes, clean.format);
        assert!(strangers.is_empty(), "{name}: {strangers:?}");
        let pixels = decode(&clean.bytes);
        assert_eq!(pixels.dimensions(), (clean.width, clean.height), "{name}");
        if !name.contains("rotated") {
            assert!(pixels == decode(&bytes), "{name} changed");
        }
    }
}

#[test]
fn a_photo_taken_sideways_stands_upright() {
    let clean = look(&sample("good/face-exif-rotated-gps.jpg")).unwrap();
    assert_eq!((clean.width, clean.height), (640, 480));
    let upright = decode(&sample("good/face.jpg"));
    let turned = decode(&clean.bytes);
    let difference: u64 = (upright.as_raw().iter().zip(turned.as_raw())).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    assert!(difference / (640 * 480 * 3) < 3);
}

#[test]
fn jpeg_scans_are_passed_on_byte_for_byte() {
    for name in small_samples() {
        if !name.contains(".jpg") || name.contains("rotated") {
            continue;
        }
        let bytes = sample(&name);
        assert!(scans(&look(&bytes).unwrap().bytes) == scans(&bytes), "{name}");
    }
}

#[test]
fn every_bad_photo_is_refused_for_its_own_reason() {
    let wanted = [
        ("bad/animated.gif", PhotoFault::NotAPhoto),
        ("bad/black.jpg", PhotoFault::TooDark),
        ("bad/bomb.png", PhotoFault::TooLarge),
        ("bad/corrupt.jpg", PhotoFault::Damaged),
        ("bad/empty.jpg", PhotoFault::NotAPhoto),
        ("bad/lying-header.png", PhotoFault::TooLarge),
        ("bad/polyglot.gif", PhotoFault::NotAPhoto),
        ("bad/script.svg", PhotoFault::NotAPhoto),
        ("bad/text.jpg", PhotoFault::NotAPhoto),
        ("bad/tiny.jpg", PhotoFault::TooSmall),
        ("bad/truncated.jpg", PhotoFault::Damaged),
    ];
    assert_eq!(samples("bad"), wanted.map(|(name, _)| name.to_owned()));
    for (name, fault) in wanted {
        assert_eq!(look(&sample(name)), Err(fault), "{name}");
    }
}

#[test]
fn a_plain_jpeg_is_not_decoded_and_one_on_which_little_can_be_seen_is() {
    for name in ["good/face.jpg", "good/id.jpg", "good/face-progressive.jpg", "good/face-gray.jpg"] {
        assert_eq!(strip_jpeg(&sample(name)), Some(true), "{name}");
    }
    for name in ["bad/black.jpg", "good/face-cmyk.jpg"] {
        assert_eq!(strip_jpeg(&sample(name)), Some(false), "{name}");
    }
    let pink = RgbImage::from_pixel(120, 100, Rgb([250, 90, 160]));
    assert_eq!(strip_jpeg(&encode(&DynamicImage::ImageRgb8(pink), PhotoFormat::Jpeg)), Some(false));
}

#[test]
fn a_face_in_dim_light_passes() {
    let mut face = decode(&sample("good/face.jpg"));
    for value in face.iter_mut() {
        *value = u8::try_from(u32::from(*value) * 15 / 100).unwrap();
    }
    let dim = encode(&DynamicImage::ImageRgb8(face), PhotoFormat::Jpeg);
    assert!(look(&dim).is_ok());
}

#[test]
fn black_with_sensor_noise_is_too_dark_and_one_colour_is_blank() {
    let noise = noise().to_rgb8();
    let dark = RgbImage::from_fn(120, 100, |x, y| Rgb(noise.get_pixel(x, y).0.map(|v| v / 25)));
    let pink = RgbImage::from_pixel(120, 100, Rgb([250, 90, 160]));
    let clear = image::RgbaImage::new(120, 100);
    for format in PhotoFormat::ALL {
        let dark = encode(&DynamicImage::ImageRgb8(dark.clone()), format);
        assert_eq!(look(&dark), Err(PhotoFault::TooDark));
        let pink = encode(&DynamicImage::ImageRgb8(pink.clone()), format);
        assert_eq!(look(&pink), Err(PhotoFault::Blank));
        if format != PhotoFormat::Jpeg {
            let clear = encode(&DynamicImage::ImageRgba8(clear.clone()), format);
            assert_eq!(look(&clear), Err(PhotoFault::Blank));
        }
    }
}

#[test]
fn an_interlaced_png_passes() {
    let passes = [(0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2)];
    let mut rows = Vec::new();
    for (left, across, top, down) in passes {
        for y in (top..101_u8).step_by(down) {
            rows.push(0);
            rows.extend((left..103_u8).step_by(across).map(|x| x + y));
        }
    }
    let header = [0, 0, 0, 103, 0, 0, 0, 101, 8, 0, 0, 0, 1];
    let bytes = png_around(&header, &deflate(&rows));
    let clean = look(&bytes).unwrap();
    assert!(clean.bytes == bytes);
    let pixels = decode(&clean.bytes);
    assert!(pixels.enumerate_pixels().all(|(x, y, p)| u32::from(p.0[0]) == x + y));
    rows.pop();
    assert_eq!(look(&png_around(&header, &deflate(&rows))), Err(PhotoFault::Damaged));
}

#[test]
fn what_passed_once_passes_again_unchanged() {
    for name in small_samples() {
        let once = look(&sample(&name)).unwrap();
        assert!(look(&once.bytes).unwrap() == once, "{name}");
    }
}

#[test]
fn pixels_memory_side_and_time_are_each_limited() {
    for format in PhotoFormat::ALL {
        let bytes = encode(&quarters(), format);
        let refuse = |change: fn(&mut Limits)| {
            let mut limits = Limits::default();
            change(&mut limits);
            inspect(&bytes, &limits).err()
        };
        assert_eq!(refuse(|_| {}), None);
        assert_eq!(refuse(|limits| limits.pixels_max = 11_999), Some(PhotoFault::TooLarge));
        assert_eq!(refuse(|limits| limits.memory_bytes_max = 35_999), Some(PhotoFault::TooLarge));
        assert_eq!(refuse(|limits| limits.side_pixels_min = 101), Some(PhotoFault::TooSmall));
        assert_eq!(refuse(|limits| limits.time_max = std::time::Duration::ZERO), Some(PhotoFault::TookTooLong));
        assert_eq!(refuse(|limits| limits.time_max = std::time::Duration::MAX), None);
    }
}

/// The good samples that are quick to decode without optimization.
fn small_samples() -> Vec<String> {
    let mut names = samples("good");
    names.retain(|name| !name.contains("8mp") && !name.contains("1920"));
    names
}

/// Lists the parts of a photo that are no part of the picture; short texts such as "GPS" also
/// occur by chance among pixels, so parts are told by their kind.
fn list_strangers(bytes: &[u8], format: PhotoFormat) -> Vec<String> {
    let known: &[&str] = match format {
        PhotoFormat::Jpeg => &["C0", "C2", "C4", "DA", "DB", "DD", "E0", "EE"],
        PhotoFormat::Png => &["IHDR", "PLTE", "tRNS", "gAMA", "cHRM", "sRGB", "IDAT", "IEND"],
        PhotoFormat::Webp => &["VP8X", "ALPH", "VP8 ", "VP8L"],
    };
    let mut kinds = match format {
        PhotoFormat::Jpeg => (segments(bytes).iter()).map(|(marker, _)| format!("{marker:02X}")).collect(),
        PhotoFormat::Png => chunk_kinds(bytes, 8, 4),
        PhotoFormat::Webp => chunk_kinds(bytes, 12, 0),
    };
    kinds.retain(|kind| !known.contains(&kind.as_str()));
    kinds
}

/// Lists the chunks from `at` on; PNG puts the length first, WebP second and low byte first.
fn chunk_kinds(bytes: &[u8], mut at: usize, kind_at: usize) -> Vec<String> {
    let mut kinds = Vec::new();
    while at < bytes.len() {
        kinds.push(String::from_utf8_lossy(&bytes[at + kind_at..at + kind_at + 4]).into_owned());
        let raw = bytes[at + 4 - kind_at..at + 8 - kind_at].try_into().unwrap();
        at += if kind_at == 4 {
            u32::from_be_bytes(raw) as usize + 12
        } else {
            u32::from_le_bytes(raw).next_multiple_of(2) as usize + 8
        };
    }
    assert_eq!(at, bytes.len());
    kinds
}
