//! What a learner sees: pages from templates, texts from the catalogue, scripts and styles of our own.
//!
//! A route hands over the facts that it would tell a program as JSON; this module shows the same facts to a
//! person. It decides nothing, and it asks nothing of anybody. Everything is built into the program; see
//! `docs/pages.md`.

mod assets;
mod catalogue;
mod headers;
mod language;
mod view;
mod visitor;

use minijinja::Environment;
use poem::{Request, Response, http::StatusCode};
use serde_json::Value;

pub use self::{
    assets::{capture_sound_url, console_script_url, console_style_url, icon_url, static_routes},
    catalogue::CatalogueError,
    headers::everywhere,
};
use self::{catalogue::Texts, language::Language, view::View, visitor::Visitor};

/// The pages, ready to be shown in every language.
pub struct Pages {
    editions: Vec<Edition>,
    is_https: bool,
}

/// What a page shows.
#[derive(Debug, Clone, Copy)]
pub struct PageFacts<'a> {
    /// The page's name: `pay-and-verify`, `missed-deadline`, `reverify`, `reverify-not-allowed`,
    /// `incourse-reverify`, `embargo-blocked` or `submission-status`.
    pub page: &'a str,
    /// The JSON object that a program gets.
    pub facts: &'a Value,
    /// The answer's status; normally 200.
    pub status: StatusCode,
}

/// Why the pages can't be built.
#[derive(Debug, thiserror::Error)]
pub enum PagesError {
    /// A catalogue of texts has a fault.
    #[error("the catalogue of texts can't be read")]
    Catalogue(#[from] CatalogueError),
    /// A template has a fault.
    #[error("a page's template can't be read")]
    Template(#[from] minijinja::Error),
}

/// The templates and texts of one language.
struct Edition {
    language: Language,
    templates: Environment<'static>,
    texts: Texts,
}

impl Pages {
    /// Builds the pages once, at start. `is_https` tells whether learners come by https: then cookies are sent
    /// over nothing else.
    ///
    /// # Errors
    ///
    /// When a template or a catalogue has a fault; the unit tests show it before a learner does.
    pub fn new(is_https: bool) -> Result<Self, PagesError> {
        let editions = Language::ALL.into_iter().map(Edition::new).collect::<Result<_, _>>()?;
        Ok(Self { editions, is_https })
    }

    /// A whole HTML answer with its security headers, and the cookies that the page's own POSTs need.
    #[must_use]
    pub fn answer(&self, request: &Request, page: &PageFacts<'_>) -> Response {
        let visitor = Visitor::of(request);
        let found = self.editions.iter().find(|edition| edition.language == visitor.language).or(self.editions.first());
        let Some(edition) = found else { return headers::no_page() };
        let view = View { page: page.page, facts: page.facts, visitor: &visitor, texts: &edition.texts };
        match view.render(&edition.templates) {
            Ok(html) => headers::answer(html, page.status, &visitor, self.is_https),
            Err(error) => {
                tracing::error!(error = %vouch_common::telemetry::chain(&error), page = page.page, "a page can't be shown");
                headers::no_page()
            }
        }
    }
}

impl Edition {
    fn new(language: Language) -> Result<Self, PagesError> {
        let texts = Texts::read(language)?;
        Ok(Self { language, templates: view::templates(&texts)?, texts })
    }
}

#[cfg(test)]
mod tests;
