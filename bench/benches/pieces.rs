//! The pieces that an attempt's CPU goes into, one by one: `scripts/bench --pieces`. Whole processes are measured by
//! the program `vouch-bench`.

#![allow(missing_docs, reason = "criterion's macros make public items without any")]
#![expect(clippy::unwrap_used, reason = "a piece that fails has nothing to measure")]

use std::hint::black_box;

use base64::{Engine, engine::general_purpose::STANDARD};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand::rngs::SysRng;
use vouch_common::{
    domain::{
        ids::ReceiptId,
        submission::{Facts, SentPhoto, Submission, check},
    },
    photos::{
        inspect::{Limits, inspect},
        keys::MasterKeys,
        seal::{open, seal, with_context},
    },
    vendor::software_secure::{
        cipher::{PhotoKey, encrypt_photo},
        rsa_keys::VendorPublicKey,
    },
};
use vouch_tests::{FACE_KEY, samples};

const PUBLIC_KEY: &[u8] = include_bytes!("../../tests/keys/vendor-test-public.pem");
/// Photos of every kind that is taken, as they are inspected.
const PHOTOS: [&str; 5] = ["face.jpg", "face-1920.jpg", "face-progressive.jpg", "face.png", "face.webp"];

fn inspection(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("inspect");
    for name in PHOTOS {
        let photo = samples::bytes(&format!("good/{name}"));
        group.throughput(Throughput::Bytes(photo.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| inspect(black_box(&photo), &Limits::default()).unwrap()));
    }
    group.finish();
}

fn submission(criterion: &mut Criterion) {
    let facts = Facts { profile_name: Some("Ada Lovelace".to_owned()), ..Facts::default() };
    let sent = |name| Some(SentPhoto::DataUrl(samples::good(name)));
    let both = Submission { face_image: sent("face.jpg"), photo_id_image: sent("id.jpg"), ..Submission::default() };
    criterion.bench_function("submission: check and decode", |bencher| {
        bencher.iter_batched(|| both.clone(), |both| check(both, &facts).is_ok(), criterion::BatchSize::SmallInput);
    });
}

fn cryptography(criterion: &mut Criterion) {
    let photo = samples::bytes("good/face.jpg");
    let keys = MasterKeys::parse(&format!("m1:{}", STANDARD.encode([7; 32]))).unwrap();
    let receipt = ReceiptId(uuid::Uuid::from_u128(1));
    let sealed = with_context(receipt, "face", |context| seal(&keys, context, &photo)).unwrap();
    let (face_key, vendor) = (PhotoKey::parse_hex(FACE_KEY).unwrap(), VendorPublicKey::parse(PUBLIC_KEY).unwrap());
    let mut group = criterion.benchmark_group("photo of 65 kB");
    group.throughput(Throughput::Bytes(photo.len() as u64));
    group.bench_function("seal", |bencher| {
        bencher.iter(|| with_context(receipt, "face", |context| seal(&keys, context, black_box(&photo))).unwrap());
    });
    group.bench_function("open", |bencher| {
        bencher.iter(|| with_context(receipt, "face", |context| open(&keys, context, black_box(&sealed))).unwrap());
    });
    group.bench_function("encrypt for the vendor", |bencher| bencher.iter(|| encrypt_photo(black_box(&photo), &face_key)));
    group.finish();
    criterion.bench_function("wrap a key for the vendor", |bencher| {
        bencher.iter(|| vendor.wrap(black_box(&face_key), &mut SysRng).unwrap());
    });
}

criterion_group!(pieces, inspection, submission, cryptography);
criterion_main!(pieces);
