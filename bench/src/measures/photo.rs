//! The photo work of an attempt on one core: opening, inspecting, encrypting; beside what libjpeg-turbo and OpenSSL
//! take to decode and encrypt the same bytes (`ceiling/photo.c`).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bytes::Bytes;
use tokio::process::Command;
use vouch_common::{
    config::{Program, Settings, Source},
    domain::{ids::ReceiptId, photo::PhotoKind},
    photos::{
        inspect::{Limits, inspect},
        keys::MasterKeys,
        seal::{open, seal, with_context},
    },
};
use vouch_tests::samples;
use vouch_worker::adapters::vendor::VendorClient;

use super::Pairs;
use crate::{
    figure::{Aim, Figure},
    ground::Ground,
    process::cpu_of_thread,
};

/// Tells gcc what the ceiling leans on.
const LIBRARIES: [&str; 2] = ["-lturbojpeg", "-lcrypto"];

pub async fn small(ground: &Ground) -> Result<Vec<Figure>> {
    measure(ground, "photo_640", ["face.jpg", "id.jpg"], ground.amount(300, 3)).await
}

pub async fn large(ground: &Ground) -> Result<Vec<Figure>> {
    measure(ground, "photo_1920", ["face-1920.jpg", "id-1920.jpg"], ground.amount(60, 1)).await
}

async fn measure(ground: &Ground, name: &'static str, photos: [&str; 2], rounds: usize) -> Result<Vec<Figure>> {
    let place = ground.place().await?;
    let ceiling = compile(place.folder()).await?;
    let settings = Settings::read(&Source::from_pairs(place.environment()?), Program::Worker)?;
    let (vendor, keys) = (VendorClient::new(&settings)?, settings.master_keys.clone());
    let mut pairs = Pairs::default();
    for _ in 0..ground.runs {
        let theirs = least(&ceiling, place.folder(), photos, rounds).await?;
        pairs.push(1_000.0 * ours(&vendor, &keys, photos, rounds)?, 1_000.0 * theirs);
    }
    ground.clear(place).await?;
    Ok(vec![pairs.figure(name, "ms of CPU", Aim::AtMost(1.25))])
}

/// Seconds of CPU that one attempt takes.
fn ours(vendor: &VendorClient, keys: &MasterKeys, photos: [&str; 2], rounds: usize) -> Result<f64> {
    let receipt = ReceiptId(uuid::Uuid::new_v4());
    let sealed: Vec<(PhotoKind, Bytes)> = [PhotoKind::Face, PhotoKind::PhotoId]
        .into_iter()
        .zip(photos)
        .map(|(kind, name)| {
            let photo = samples::bytes(&format!("good/{name}"));
            Ok((kind, with_context(receipt, kind.as_str(), |context| seal(keys, context, &photo))?))
        })
        .collect::<Result<_>>()?;
    let before = cpu_of_thread()?;
    for _ in 0..rounds {
        for (kind, sealed) in &sealed {
            let plain = with_context(receipt, kind.as_str(), |context| open(keys, context, sealed))?;
            let clean = inspect(&plain, &Limits::default()).ok().context("a good photo was refused")?;
            vendor.encrypt(receipt, *kind, &clean.bytes)?;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    Ok((cpu_of_thread()? - before) / rounds as f64)
}

async fn compile(folder: &Path) -> Result<PathBuf> {
    let (source, program) = (concat!(env!("CARGO_MANIFEST_DIR"), "/ceiling/photo.c"), folder.join("photo"));
    let mut gcc = Command::new("gcc");
    gcc.args(["-O2", "-Wno-deprecated-declarations", "-o"]).arg(&program).arg(source).args(LIBRARIES);
    let compiled = gcc.output().await.context("gcc")?;
    let why = String::from_utf8_lossy(&compiled.stderr);
    anyhow::ensure!(compiled.status.success(), "the ceiling needs gcc, libturbojpeg0-dev and libssl-dev: {why}");
    Ok(program)
}

async fn least(ceiling: &Path, folder: &Path, photos: [&str; 2], rounds: usize) -> Result<f64> {
    let key = folder.join("vendor.pem");
    std::fs::write(&key, crate::ground::PUBLIC_KEY)?;
    let photos = photos.map(|name| samples::photos().join("good").join(name));
    let output = Command::new(ceiling).arg(key).arg(rounds.to_string()).args(photos).output().await?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}
