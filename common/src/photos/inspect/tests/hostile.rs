//! Files made to hurt: cut, flipped, bombs. None may panic, and none may cost much.

use std::time::{Duration, Instant};

use super::build::{
    Random, deflate, encode, extended_webp, insert, mend_png, noise, png, png_chunk, quarters, sample, scans, segment, segments,
    webp_chunk,
};
use super::{decode, look, strip_jpeg};
use crate::domain::photo::{PhotoFault, PhotoFormat};

const BOMB_BYTES: usize = 16 * 1024 * 1024;

#[test]
fn every_photo_cut_short_is_refused() {
    for name in ["good/face.jpg", "good/face-progressive.jpg", "good/face.png", "good/face.webp"] {
        let bytes = sample(name);
        for step in 0..200 {
            let end = bytes.len() * step / 200;
            assert!(look(&bytes[..end]).is_err(), "{name} cut at {end}");
        }
        for end in bytes.len() - 20..bytes.len() {
            assert!(look(&bytes[..end]).is_err(), "{name} cut at {end}");
        }
    }
}

#[test]
fn a_jpeg_cut_short_and_given_an_end_is_damaged() {
    for name in ["good/face-gray.jpg", "good/face-progressive.jpg"] {
        let bytes = sample(name);
        let first_scan = segments(&bytes).iter().find(|(marker, _)| *marker == 0xDA).map(|(_, range)| range.start + 20).unwrap();
        // A progressive picture that ends between two scans is merely coarse, so it may pass.
        let scan_ends: Vec<_> = segments(&bytes).iter().map(|(_, range)| range.end).collect();
        for step in 0..100 {
            let end = first_scan + (bytes.len() - 4 - first_scan) * step / 100;
            if scan_ends.contains(&end) {
                continue;
            }
            let cut = [&bytes[..end], &[0xFF, 0xD9]].concat();
            assert_eq!(look(&cut), Err(PhotoFault::Damaged), "{name} cut at {end}");
        }
    }
}

#[test]
fn a_jpeg_with_bytes_added_to_its_scan_is_damaged() {
    let bytes = sample("good/face.jpg");
    let padded = insert(&bytes, bytes.len() - 2, b"secret");
    assert_eq!(look(&padded), Err(PhotoFault::Damaged));
}

#[test]
fn flipped_bytes_never_panic() {
    let mut random = Random(7);
    for format in PhotoFormat::ALL {
        let bytes = encode(&noise(), format);
        for _ in 0..100 {
            let mut changed = bytes.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(changed.len());
                changed[at] ^= 1 << random.below(8);
            }
            let _ = look(&changed);
            mend_png(&mut changed);
            let _ = look(&changed);
        }
    }
}

#[test]
fn a_jpeg_that_passes_without_being_decoded_decodes() {
    let mut random = Random(23);
    for (picture, turns) in [(encode(&quarters(), PhotoFormat::Jpeg), 3000), (sample("good/face-progressive.jpg"), 100)] {
        assert_eq!(strip_jpeg(&picture), Some(true));
        let first_scan = segments(&picture).iter().find(|(marker, _)| *marker == 0xDA).unwrap().1.end;
        let mut passed = 0;
        for turn in 0..turns {
            let mut changed = picture.clone();
            // Half of them in what says how to read the scans.
            let at = random.below(if turn % 2 == 0 { first_scan } else { changed.len() });
            changed[at] = random.next().to_le_bytes()[0];
            let Ok(clean) = look(&changed) else { continue };
            let decoded = image::load_from_memory(&clean.bytes).unwrap_or_else(|error| panic!("byte {at}, turn {turn}: {error}"));
            assert_eq!((decoded.width(), decoded.height()), (clean.width, clean.height), "byte {at}, turn {turn}");
            passed += 1;
        }
        assert!(passed > turns / 30, "{passed}");
    }
}

#[test]
fn flipped_bytes_in_headers_never_panic() {
    let mut random = Random(11);
    for name in ["good/face-progressive.jpg", "good/face-cmyk.jpg", "good/face-exif-rotated-gps.jpg", "good/face.webp"] {
        let bytes = sample(name);
        for _ in 0..12 {
            let mut changed = bytes.clone();
            let at = random.below(1024.min(changed.len()));
            changed[at] = random.next().to_le_bytes()[0];
            let _ = look(&changed);
        }
    }
}

#[test]
fn most_flipped_scans_are_noticed() {
    let bytes = sample("good/face-gray.jpg");
    let mut random = Random(3);
    let start = bytes.len() - scans(&bytes).len() + 20;
    let noticed = (0..50)
        .filter(|_| {
            let mut changed = bytes.clone();
            for _ in 0..10 {
                let at = start + random.below(bytes.len() - start - 4);
                changed[at] = random.next().to_le_bytes()[0];
            }
            look(&changed).is_err()
        })
        .count();
    assert!(noticed >= 45, "{noticed} of 50");
}

#[test]
fn bombs_beside_the_pixels_are_never_opened() {
    let plain = encode(&quarters(), PhotoFormat::Png);
    let bomb = deflate(&vec![0; BOMB_BYTES]);
    let chunks = [
        png_chunk(*b"zTXt", &[&b"a\0\0"[..], &bomb].concat()),
        png_chunk(*b"iTXt", &[&b"a\0\x01\0\0\0"[..], &bomb].concat()),
        png_chunk(*b"iCCP", &[&b"a\0\0"[..], &bomb].concat()),
    ]
    .concat();
    let start = Instant::now();
    let clean = look(&insert(&plain, 33, &chunks)).unwrap();
    assert!(clean == look(&plain).unwrap());
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_pixel_stream_longer_or_shorter_than_the_picture_is_damaged() {
    let rows: Vec<u8> = (0_u8..100).flat_map(|row| [&[0][..], &[row * 2; 100]].concat()).collect();
    assert!(look(&png(100, 100, &deflate(&rows))).is_ok());
    let bomb = deflate(&vec![0; BOMB_BYTES]);
    assert_eq!(look(&png(100, 100, &bomb)), Err(PhotoFault::Damaged));
    assert_eq!(look(&png(100, 101, &deflate(&rows))), Err(PhotoFault::Damaged));
    let followed = [deflate(&rows), b"secret".to_vec()].concat();
    assert_eq!(look(&png(100, 100, &followed)), Err(PhotoFault::Damaged));
}

#[test]
fn sizes_that_overflow_are_too_large() {
    for (width, height) in [(u32::MAX, u32::MAX), (1 << 31, 2), (6_325, 6_325)] {
        assert_eq!(look(&png(width, height, &[])), Err(PhotoFault::TooLarge), "{width} x {height}");
    }
    assert_eq!(look(&png(0, 100, &[])), Err(PhotoFault::Damaged));
}

#[test]
fn a_jpeg_header_that_claims_too_much_is_too_large() {
    let mut bytes = sample("good/face.jpg");
    let frame = segments(&bytes).iter().find(|(marker, _)| *marker == 0xC0).map(|(_, range)| range.start).unwrap();
    bytes[frame + 5..frame + 9].fill(0xFF);
    assert_eq!(look(&bytes), Err(PhotoFault::TooLarge));
}

#[test]
fn a_progressive_jpeg_whose_coefficients_fill_the_memory_is_too_large() {
    // 5,600 by 7,000 pixels in three full channels: 39 megapixels, 352 MB.
    let frame = segment(0xC2, &[8, 21, 224, 27, 88, 3, 1, 17, 0, 2, 17, 0, 3, 17, 0]);
    let bytes = [&[0xFF, 0xD8], &frame[..], &[0xFF, 0xD9]].concat();
    assert_eq!(look(&bytes), Err(PhotoFault::TooLarge));
}

#[test]
fn a_jpeg_with_hundreds_of_scans_is_refused() {
    let bytes = sample("good/face-progressive.jpg");
    // The scan that refines the means may be repeated at will.
    let refining = segments(&bytes)
        .into_iter()
        .map(|(marker, range)| (marker, bytes[range].to_vec()))
        .find(|(marker, scan)| *marker == 0xDA && scan[4] == 3 && scan[13] != 1)
        .map(|(_, scan)| scan)
        .unwrap();
    let end = bytes.len() - 2;
    let long = insert(&bytes, end, &refining.repeat(300));
    let start = Instant::now();
    assert_eq!(look(&long), Err(PhotoFault::TookTooLong));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn animations_are_refused() {
    let still = encode(&quarters(), PhotoFormat::Png);
    let control = png_chunk(*b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]);
    assert_eq!(look(&insert(&still, 33, &control)), Err(PhotoFault::Animated));
    let still = encode(&quarters(), PhotoFormat::Webp);
    let frames = webp_chunk(*b"ANIM", &[0; 6]);
    for flags in [0, 2] {
        assert_eq!(look(&extended_webp(&still, flags, &frames, &[])), Err(PhotoFault::Animated));
    }
}

#[test]
fn a_png_with_a_wrong_checksum_anywhere_is_damaged() {
    let bytes = insert(&encode(&quarters(), PhotoFormat::Png), 33, &png_chunk(*b"tEXt", b"a\0b"));
    let mut at = 8;
    while at < bytes.len() {
        let length = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let mut changed = bytes.clone();
        changed[at + 8 + length] ^= 1;
        assert_eq!(look(&changed), Err(PhotoFault::Damaged));
        at += 12 + length;
    }
}

#[test]
fn restart_markers_out_of_order_are_damaged() {
    let face = sample("good/face.jpg");
    let scan = segments(&face).last().unwrap().1.clone();
    let stray = insert(&face, scan.end, &[0xFF, 0xD0]);
    assert_eq!(look(&stray), Err(PhotoFault::Damaged));
    let interval = insert(&face, scan.start, &segment(0xDD, &[0, 1]));
    assert_eq!(look(&interval), Err(PhotoFault::Damaged));
    assert!(decode(&face).width() > 0);
}
