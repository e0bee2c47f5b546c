//! Who looks at a page, as far as showing it goes: the language, the CSRF token, the key of the draft.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use poem::{Request, web::cookie::Cookie};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use url::form_urlencoded;
use vouch_common::ids;

use super::language::Language;
use crate::extract::learner::{SESSION_COOKIE, bearer};

/// The cookie of the CSRF token, which the page's script reads and sends back.
pub(super) const CSRF_COOKIE: &str = "csrftoken";
/// The cookie that remembers the language chosen.
pub(super) const LANGUAGE_COOKIE: &str = "vouch_language";
/// Fewest characters of a CSRF token that counts; the check of the POSTs has the same.
const TOKEN_LENGTH_MIN: usize = 16;
/// Longest CSRF token that is kept.
const TOKEN_LENGTH_MAX: usize = 256;

/// What a page must know of its visitor.
pub(super) struct Visitor {
    pub(super) language: Language,
    /// Whether the language was chosen just now and is to be remembered.
    pub(super) chose_language: bool,
    /// A CSRF token that the visitor does not have yet.
    pub(super) new_token: Option<String>,
    /// Under which name the browser keeps photos that are not sent yet: another learner on the same machine
    /// has another.
    pub(super) draft_key: String,
    /// The same address in each language.
    pub(super) addresses: Vec<(Language, String)>,
}

impl Visitor {
    pub(super) fn of(request: &Request) -> Self {
        let chosen = parameter(request, "lang").as_deref().and_then(Language::of_tag);
        let remembered = || cookie(request, LANGUAGE_COOKIE).as_deref().and_then(Language::of_tag);
        let wished = || request.header("accept-language").and_then(Language::of_wishes);
        let language = chosen.or_else(remembered).or_else(wished).unwrap_or(Language::English);
        let known = cookie(request, CSRF_COOKIE).filter(|token| (TOKEN_LENGTH_MIN..=TOKEN_LENGTH_MAX).contains(&token.len()));
        let new_token = known.is_none().then(|| URL_SAFE_NO_PAD.encode(ids::random_bytes::<24>()));
        let token = known.or_else(|| new_token.clone()).unwrap_or_default();
        Self {
            language,
            chose_language: chosen.is_some(),
            draft_key: draft_key(request, &token),
            addresses: Language::ALL.into_iter().map(|language| (language, address_in(request, language))).collect(),
            new_token,
        }
    }
}

/// By the learner's id, which stays the same when somebody signs in again; a page for nobody has its own.
fn draft_key(request: &Request, token: &str) -> String {
    let session = bearer(request).map(str::to_owned).or_else(|| cookie(request, SESSION_COOKIE)).unwrap_or_default();
    let owner = subject(&session).map_or_else(|| format!("token {token}"), |subject| format!("learner {subject}"));
    let mut hash = Sha256::new();
    hash.update(b"vouch draft\0");
    hash.update(owner);
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

/// Whom a token names. It is not verified here: the route has done so before it asks for a page.
fn subject(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        sub: String,
    }
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Claims>(&claims).ok().map(|claims| claims.sub)
}

fn address_in(request: &Request, language: Language) -> String {
    let uri = request.original_uri();
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs(request).filter(|(name, _)| name != "lang"));
    query.append_pair("lang", language.tag());
    format!("{}?{}", uri.path(), query.finish())
}

fn parameter(request: &Request, wanted: &str) -> Option<String> {
    pairs(request).find(|(name, _)| name == wanted).map(|(_, value)| value)
}

fn pairs(request: &Request) -> impl Iterator<Item = (String, String)> {
    let query = request.uri().query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned()))
}

fn cookie(request: &Request, wanted: &str) -> Option<String> {
    let headers = request.headers().get_all("cookie").iter().filter_map(|value| value.to_str().ok());
    headers
        .flat_map(|header| header.split(';'))
        .filter_map(|text| Cookie::parse(text.trim()).ok())
        .find(|cookie| cookie.name() == wanted)
        .map(|cookie| cookie.value_str().to_owned())
}
