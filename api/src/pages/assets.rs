//! Scripts, styles and the sound: built in, and served under an address that changes with the content, so that a
//! browser may keep them for good.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use poem::{Response, Route, get, handler, http::StatusCode, web::Path};
use sha2::{Digest, Sha256};

use super::{catalogue::Texts, language::Language};

/// Where the assets are served.
pub(super) const PREFIX: &str = "/verify_student/static";
/// How many bytes of the content's hash are in the address: enough that no two versions meet.
const HASH_BYTES: usize = 9;

/// The script's parts, in the order in which they are read. They share one scope.
pub(super) const SCRIPTS: [&str; 9] = [
    include_str!("../../pages/scripts/page.js"),
    include_str!("../../pages/scripts/draft.js"),
    include_str!("../../pages/scripts/quality.js"),
    include_str!("../../pages/scripts/camera.js"),
    include_str!("../../pages/scripts/photo.js"),
    include_str!("../../pages/scripts/submission.js"),
    include_str!("../../pages/scripts/status.js"),
    include_str!("../../pages/scripts/payment.js"),
    include_str!("../../pages/scripts/steps.js"),
];

const STYLES: [&str; 2] = [include_str!("../../pages/styles/base.css"), include_str!("../../pages/styles/steps.css")];

static SCRIPT: LazyLock<Asset> = LazyLock::new(|| Asset::of_text("vouch.js", "text/javascript; charset=utf-8", &SCRIPTS));
static STYLE: LazyLock<Asset> = LazyLock::new(|| Asset::of_text("vouch.css", "text/css; charset=utf-8", &STYLES));
static CONSOLE_SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::of_text("ops.js", "text/javascript; charset=utf-8", &[include_str!("../../pages/ops/ops.js")]));
static CONSOLE_STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::of_text("ops.css", "text/css; charset=utf-8", &[include_str!("../../pages/ops/ops.css")]));
static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::of_text("icon.svg", "image/svg+xml", &[include_str!("../../pages/styles/icon.svg")]));
static SOUND: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("capture.wav", "audio/wav", include_bytes!("../../pages/sound/capture.wav").to_vec()));

/// Per language, what the domain's reasons for a denial say, and what to do about them. Few learners need it, so it
/// is no part of the page.
static REASONS: LazyLock<Vec<(Language, Asset)>> = LazyLock::new(|| {
    let texts = Language::ALL.into_iter().filter_map(|language| Texts::read(language).ok());
    texts
        .map(|texts| (texts.language, Asset::new("reasons.json", "application/json", texts.of_reasons().to_string().into())))
        .collect()
});

/// Something that a page loads.
pub(super) struct Asset {
    file: String,
    media_type: &'static str,
    pub(super) bytes: Vec<u8>,
    /// Where it is served.
    pub(super) url: String,
}

impl Asset {
    fn new(name: &str, media_type: &'static str, bytes: Vec<u8>) -> Self {
        let hash = Sha256::digest(&bytes);
        let file = format!("{name}.{}", URL_SAFE_NO_PAD.encode(&hash[..HASH_BYTES]));
        Self { url: format!("{PREFIX}/{file}"), file, media_type, bytes }
    }

    fn of_text(name: &str, media_type: &'static str, parts: &[&str]) -> Self {
        Self::new(name, media_type, squeeze(&parts.concat()).into_bytes())
    }
}

/// The script of every page.
pub(super) fn script() -> &'static Asset {
    &SCRIPT
}

/// The style of every page.
pub(super) fn style() -> &'static Asset {
    &STYLE
}

/// The small picture of the browser's tab.
pub(super) fn icon() -> &'static Asset {
    &ICON
}

/// The sound of a photo being taken.
pub(super) fn sound() -> &'static Asset {
    &SOUND
}

/// Where the script finds the reasons' words in a language.
pub(super) fn reasons_url(language: Language) -> &'static str {
    REASONS.iter().find(|(known, _)| *known == language).map_or("", |(_, asset)| asset.url.as_str())
}

/// The address of the sound that a page plays when a photo is taken.
#[must_use]
pub fn capture_sound_url() -> &'static str {
    &SOUND.url
}

/// The address of the operators' console's script.
#[must_use]
pub fn console_script_url() -> &'static str {
    &CONSOLE_SCRIPT.url
}

/// The address of the operators' console's style.
#[must_use]
pub fn console_style_url() -> &'static str {
    &CONSOLE_STYLE.url
}

/// The address of the small picture of the browser's tab.
#[must_use]
pub fn icon_url() -> &'static str {
    &ICON.url
}

/// The routes of the assets, to be nested under `/verify_student/static`.
#[must_use]
pub fn static_routes() -> Route {
    Route::new().at("/:file", get(serve))
}

#[handler]
fn serve(Path(file): Path<String>) -> Response {
    let reasons = REASONS.iter().map(|(_, asset)| asset);
    let found = [script(), style(), icon(), sound(), &CONSOLE_SCRIPT, &CONSOLE_STYLE]
        .into_iter()
        .chain(reasons)
        .find(|asset| asset.file == file);
    let Some(asset) = found else {
        return Response::builder().status(StatusCode::NOT_FOUND).content_type("text/plain; charset=utf-8").body("Not found.");
    };
    Response::builder()
        .content_type(asset.media_type)
        .header("cache-control", "public, max-age=31536000, immutable")
        .header("x-content-type-options", "nosniff")
        .header("cross-origin-resource-policy", "same-origin")
        .body(asset.bytes.clone())
}

/// Leaves out indentation, empty lines and comment lines; a learner's line is slower than ours.
fn squeeze(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines.filter(|line| !(line.starts_with("/*") && line.ends_with("*/"))).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squeezing_changes_no_text_that_spans_lines() {
        for part in SCRIPTS {
            for line in part.lines() {
                assert!(line.matches('`').count() % 2 == 0, "a template literal spans lines: {line}");
            }
        }
    }

    #[test]
    fn an_address_changes_with_the_content() {
        let one = Asset::new("a", "text/css", b"1".to_vec());
        assert_ne!(one.url, Asset::new("a", "text/css", b"2".to_vec()).url);
        assert_eq!(one.url, Asset::new("a", "text/css", b"1".to_vec()).url);
    }
}
