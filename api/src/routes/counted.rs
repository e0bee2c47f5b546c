//! The routes by which requests are counted: few, known from the start, and never a path, which may name somebody.

use std::{collections::BTreeMap, sync::LazyLock};

/// No route.
pub(super) const NONE: &str = "none";

/// The undocumented routes, as in `app`.
const OTHERS: &[&str] = &[
    "/verify_student/start-flow/*course",
    "/verify_student/begin-flow/*course",
    "/verify_student/upgrade/*course",
    "/verify_student/verify-now/*course",
    "/verify_student/verify-later/*course",
    "/verify_student/payment-confirmation/*course",
    "/verify_student/reverify",
    "/verify_student/reverify/*checkpoint",
    "/verify_student/status/",
    "/embargo/blocked-message/:access_point/:message_key/",
    "/verify_student/submit-photos/",
    "/verify_student/results_callback",
    "/verify_student/create_order/",
    "/verify_student/create_order",
    "/shoppingcart/postpay_callback/",
    "/shoppingcart/receipt/:id/",
    "/verify_student/events/",
    "/photos/*name",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
];

/// Routes that are counted as one, by how they begin.
const FOLDERS: &[&str] = &["/verify_student/static", "/docs", "/ops", "/api/v1"];

/// Each route as the router knows it, with its name.
static KNOWN: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let document: serde_json::Value = serde_json::from_str(&super::openapi()).unwrap_or_default();
    let documented = document["paths"].as_object().into_iter().flat_map(serde_json::Map::keys).map(|path| documented(path));
    let others = OTHERS.iter().chain(FOLDERS).chain([&NONE]).map(|route| ((*route).to_owned(), (*route).to_owned()));
    documented.chain(others).collect()
});

/// A route of the document: the router numbers the parameters, people name them.
fn documented(path: &str) -> (String, String) {
    let (mut pattern, mut name, mut parameters) = ("/api/v1".to_owned(), "/api/v1".to_owned(), 0);
    for part in path.split('/').skip(1) {
        let parameter = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        let (numbered, named) = match parameter {
            Some(parameter) => (format!(":param{parameters}"), format!(":{parameter}")),
            None => (part.to_owned(), part.to_owned()),
        };
        parameters += usize::from(parameter.is_some());
        pattern.extend(["/", &numbered]);
        name.extend(["/", &named]);
    }
    (pattern, name)
}

/// Every name under which requests are counted.
#[must_use]
pub fn routes() -> Vec<String> {
    KNOWN.values().cloned().collect()
}

/// The name under which requests to a route are counted.
pub(super) fn name_of(route: &str) -> &'static str {
    if let Some(known) = KNOWN.get(route) {
        return known;
    }
    FOLDERS.iter().find(|folder| route.starts_with(**folder)).unwrap_or(&NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_has_its_name_and_a_path_has_none() {
        assert_eq!(name_of("/api/v1/attempts/:param0"), "/api/v1/attempts/:receipt_id");
        assert_eq!(name_of("/healthz"), "/healthz");
        assert_eq!(name_of("/verify_student/static/base.css"), "/verify_student/static");
        assert_eq!(name_of("/photos/somebody"), NONE);
    }
}
