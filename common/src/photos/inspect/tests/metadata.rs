//! Metadata goes, the camera's turn is obeyed, needed colours stay.

use super::super::exif;
use super::build::{
    DISPLAY_P3, SRGB, deflate, encode, exif as exif_block, extended_webp, insert, noise, png_chunk, profile, quarters, sample,
    scans, segment, segments, webp_chunk, with_exif,
};
use super::{contains, decode, look};
use crate::domain::photo::PhotoFormat;
use image::metadata::Orientation;

const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const WHITE: [u8; 3] = [255; 3];

#[test]
fn each_orientation_brings_the_right_corners_to_the_top() {
    let tops = [
        (1, RED, GREEN),
        (2, GREEN, RED),
        (3, WHITE, BLUE),
        (4, BLUE, WHITE),
        (5, RED, BLUE),
        (6, BLUE, RED),
        (7, WHITE, GREEN),
        (8, GREEN, WHITE),
    ];
    for format in PhotoFormat::ALL {
        let plain = encode(&quarters(), format);
        for (orientation, left, right) in tops {
            for is_big_endian in [false, true] {
                let block = exif_block(orientation, is_big_endian);
                let clean = look(&with_exif(&plain, format, &block)).unwrap();
                let size = if orientation < 5 { (120, 100) } else { (100, 120) };
                assert_eq!((clean.width, clean.height), size);
                let pixels = decode(&clean.bytes);
                assert_eq!(pixels.dimensions(), size);
                for (x, wanted) in [(4, left), (size.0 - 5, right)] {
                    let found = pixels.get_pixel(x, 4).0;
                    let is_near = found.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) < 12);
                    assert!(is_near, "{format:?} {orientation}: {found:?} {wanted:?}");
                }
                assert!(!contains(&clean.bytes, b"Spy"));
            }
        }
    }
}

#[test]
fn an_orientation_that_makes_no_sense_leaves_the_bytes_alone() {
    for format in PhotoFormat::ALL {
        let plain = encode(&quarters(), format);
        let wanted = look(&plain).unwrap();
        for orientation in [0, 1, 9, 262, u16::MAX] {
            let marked = with_exif(&plain, format, &exif_block(orientation, true));
            let clean = look(&marked).unwrap();
            assert!(decode(&clean.bytes) == decode(&wanted.bytes));
            if format != PhotoFormat::Webp {
                assert!(clean == wanted);
            }
        }
    }
}

#[test]
fn exif_with_offsets_from_outside_asks_for_no_turn() {
    let sound = exif_block(6, false);
    assert_eq!(exif::orientation(&sound), Orientation::Rotate90);
    for at in 0..sound.len() {
        assert_eq!(exif::orientation(&sound[..at]) == Orientation::Rotate90, at >= 34, "{at}");
        for value in [0, 1, 0x7F, 0xFF] {
            let mut changed = sound.clone();
            changed[at] = value;
            exif::orientation(&changed);
        }
    }
    let far = b"II*\0\xFF\xFF\xFF\xFF";
    assert_eq!(exif::orientation(far), Orientation::NoTransforms);
}

#[test]
fn jpeg_segments_that_show_nothing_go() {
    let face = sample("good/face-progressive.jpg");
    let last_scan = segments(&face).last().unwrap().1.start;
    let with_comment = insert(&face, last_scan, &segment(0xFE, b"secret"));
    let with_hidden = insert(&with_comment, last_scan, &segment(0xED, b"secret"));
    let mut thumbnail = b"JFIF\0\x01\x02\0\0\x01\0\x01\x01\x01secret".to_vec();
    thumbnail.resize(17, 0);
    let with_thumbnail = insert(&with_hidden, 2, &segment(0xE0, &thumbnail));
    let xmp = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0secret");
    let clean = look(&insert(&with_thumbnail, 2, &xmp)).unwrap();
    assert!(!contains(&clean.bytes, b"secret"));
    assert!(!contains(&clean.bytes, b"adobe"));
    assert!(clean == look(&face).unwrap());
    assert!(scans(&clean.bytes) == scans(&face));
}

#[test]
fn adobe_segments_stay_where_colours_need_them() {
    let cmyk = look(&sample("good/face-cmyk.jpg")).unwrap();
    assert!(contains(&cmyk.bytes, b"\xFF\xEE\0\x0EAdobe"));
    assert!(!contains(&cmyk.bytes, b"JFIF"));
    let gray = sample("good/face-gray.jpg");
    let marked = insert(&gray, 2, &segment(0xEE, b"Adobe\0\x64\0\0\0\0\x01"));
    assert!(!contains(&look(&marked).unwrap().bytes, b"Adobe"));
}

#[test]
fn png_chunks_that_show_nothing_go() {
    let plain = encode(&quarters(), PhotoFormat::Png);
    let chunks = [
        png_chunk(*b"tEXt", b"Author\0secret"),
        png_chunk(*b"zTXt", &[&b"Author\0\0"[..], &deflate(b"secret")].concat()),
        png_chunk(*b"iTXt", b"Author\0\0\0\0\0secret"),
        png_chunk(*b"tIME", &[7, 230, 1, 1, 1, 1, 1]),
        png_chunk(*b"pHYs", &[0, 0, 0, 1, 0, 0, 0, 1, 1]),
        png_chunk(*b"seCr", b"secret"),
    ]
    .concat();
    let clean = look(&insert(&plain, 33, &chunks)).unwrap();
    assert!(clean == look(&plain).unwrap());
    let gamma = png_chunk(*b"gAMA", &100_000_u32.to_be_bytes());
    let clean = look(&insert(&plain, 33, &gamma)).unwrap();
    assert!(contains(&clean.bytes, &gamma));
}

#[test]
fn webp_chunks_that_show_nothing_go_and_flags_follow() {
    let plain = encode(&quarters(), PhotoFormat::Webp);
    let after =
        [webp_chunk(*b"EXIF", &exif_block(1, true)), webp_chunk(*b"XMP ", b"secret"), webp_chunk(*b"sEcR", b"secret")].concat();
    let icc = webp_chunk(*b"ICCP", &profile(*b"RGB ", SRGB));
    let clean = look(&extended_webp(&plain, 0x2C, &icc, &after)).unwrap();
    assert!(clean.bytes == extended_webp(&plain, 0, &[], &[]));
    assert!(decode(&clean.bytes) == decode(&plain));
}

#[test]
fn an_srgb_profile_goes_and_a_wide_one_stays() {
    for (primaries, is_kept) in [(SRGB, false), (DISPLAY_P3, true)] {
        let icc = profile(*b"RGB ", primaries);
        for format in PhotoFormat::ALL {
            for orientation in [1, 6] {
                let marked = with_profile(format, &icc, orientation);
                let clean = look(&marked).unwrap();
                let found = decode_profile(&clean.bytes, format);
                assert_eq!(found.is_some(), is_kept, "{format:?} {orientation}");
                if is_kept {
                    assert_eq!(found, Some(icc.clone()), "{format:?} {orientation}");
                }
            }
        }
    }
}

#[test]
fn an_ink_profile_stays_with_inks_and_goes_elsewhere() {
    let icc = profile(*b"CMYK", DISPLAY_P3);
    let piece = segment(0xE2, &[&b"ICC_PROFILE\0\x01\x01"[..], &icc].concat());
    let inks = look(&insert(&sample("good/face-cmyk.jpg"), 2, &piece)).unwrap();
    assert!(contains(&inks.bytes, &icc));
    let colours = look(&insert(&sample("good/face.jpg"), 2, &piece)).unwrap();
    assert!(!contains(&colours.bytes, b"ICC_PROFILE"));
}

#[test]
fn a_profile_in_several_pieces_is_joined_and_a_torn_one_is_dropped() {
    let icc = profile(*b"RGB ", DISPLAY_P3);
    let (head, tail) = icc.split_at(100);
    let piece = |number: u8, content: &[u8]| {
        let payload = [&b"ICC_PROFILE\0"[..], &[number, 2], content].concat();
        segment(0xE2, &payload)
    };
    let face = sample("good/face.jpg");
    let swapped = [piece(2, tail), piece(1, head)].concat();
    let clean = look(&insert(&face, 2, &swapped)).unwrap();
    assert!(contains(&clean.bytes, &icc));
    let clean = look(&insert(&face, 2, &piece(1, head))).unwrap();
    assert!(!contains(&clean.bytes, b"ICC_PROFILE"));
}

#[test]
fn bytes_after_the_end_are_gone() {
    for format in PhotoFormat::ALL {
        let plain = encode(&noise(), format);
        for tail in [&b"<script>alert(1)</script>"[..], b"PK\x03\x04secret", &plain] {
            let clean = look(&[&plain, tail].concat()).unwrap();
            assert!(clean == look(&plain).unwrap());
        }
    }
}

fn with_profile(format: PhotoFormat, icc: &[u8], orientation: u16) -> Vec<u8> {
    let plain = encode(&quarters(), format);
    let block = exif_block(orientation, false);
    match format {
        PhotoFormat::Jpeg => {
            let piece = segment(0xE2, &[&b"ICC_PROFILE\0\x01\x01"[..], icc].concat());
            insert(&with_exif(&plain, format, &block), 2, &piece)
        }
        PhotoFormat::Png => {
            let content = [&b"Spy's profile\0\0"[..], &deflate(icc)].concat();
            let chunk = png_chunk(*b"iCCP", &content);
            insert(&with_exif(&plain, format, &block), 33, &chunk)
        }
        PhotoFormat::Webp => {
            let before = webp_chunk(*b"ICCP", icc);
            extended_webp(&plain, 0x28, &before, &webp_chunk(*b"EXIF", &block))
        }
    }
}

fn decode_profile(bytes: &[u8], format: PhotoFormat) -> Option<Vec<u8>> {
    use image::ImageDecoder;
    let input = std::io::Cursor::new(bytes);
    match format {
        PhotoFormat::Jpeg => image::codecs::jpeg::JpegDecoder::new(input).unwrap().icc_profile(),
        PhotoFormat::Png => image::codecs::png::PngDecoder::new(input).unwrap().icc_profile(),
        PhotoFormat::Webp => image::codecs::webp::WebPDecoder::new(input).unwrap().icc_profile(),
    }
    .unwrap()
}
