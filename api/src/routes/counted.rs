//! The routes by which requests are counted: few, known from the start, and never a path, which may name somebody.

use std::{collections::BTreeSet, sync::LazyLock};

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

static KNOWN: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let document: serde_json::Value = serde_json::from_str(&super::openapi()).unwrap_or_default();
    let documented = document["paths"].as_object().into_iter().flat_map(serde_json::Map::keys);
    documented
        .map(|path| format!("/api/v1{}", path.replace('{', ":").replace('}', "")))
        .chain(OTHERS.iter().chain(FOLDERS).chain([&NONE]).map(ToString::to_string))
        .collect()
});

/// Every name under which requests are counted.
#[must_use]
pub fn routes() -> Vec<String> {
    KNOWN.iter().cloned().collect()
}

/// The name under which requests to a route are counted.
pub(super) fn name_of(route: &str) -> &'static str {
    if let Some(known) = KNOWN.get(route) {
        return known;
    }
    FOLDERS.iter().find(|folder| route.starts_with(**folder)).unwrap_or(&NONE)
}
