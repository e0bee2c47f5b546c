//! The OpenAPI document as it is served: each path once, with all its methods.
//!
//! The framework writes a path once for each part that serves it, and of two members of one name a reader of JSON
//! keeps only the last.

use std::fmt;

use poem::{Endpoint, Response, Route, endpoint::make_sync, http::header};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Value};

#[derive(Deserialize, Serialize)]
struct Document {
    paths: Paths,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Paths, and of each what stands at it.
#[derive(Serialize)]
struct Paths(Map<String, Value>);

impl<'de> Deserialize<'de> for Paths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Merging)
    }
}

struct Merging;

impl<'de> Visitor<'de> for Merging {
    type Value = Paths;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("paths")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Paths, A::Error> {
        let mut paths: Map<String, Value> = Map::new();
        while let Some((path, item)) = members.next_entry::<String, Map<String, Value>>()? {
            let known = paths.entry(path).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(methods) = known {
                methods.extend(item);
            }
        }
        Ok(Paths(paths))
    }
}

/// What the page that shows the document may do: run what stands in it, and reach nobody.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; \
                      worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The document, and the page in which it stands, as the framework wrote them; with each path once.
pub(super) fn served(written: &str, page: &str) -> (impl Endpoint + use<>, impl Endpoint + use<>) {
    let document = merged(written);
    let page = page.replace(written, &document);
    let document = make_sync(move |_| Response::builder().content_type("application/json").body(document.clone()));
    let page = make_sync(move |_| {
        let answer = Response::builder().content_type("text/html; charset=utf-8").header(header::CONTENT_SECURITY_POLICY, POLICY);
        answer.body(page.clone())
    });
    (document, Route::new().at("/", page))
}

/// The document with each path once; as it came when it can't be read.
pub(super) fn merged(written: &str) -> String {
    let document = serde_json::from_str::<Document>(written);
    document.and_then(|document| serde_json::to_string(&document)).unwrap_or_else(|_| written.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_written_twice_keeps_all_its_methods() {
        let written = r#"{"openapi":"3.0.0","paths":{"/a":{"get":1},"/b":{"put":2},"/a":{"post":3}}}"#;
        let document: Value = serde_json::from_str(&merged(written)).unwrap();
        let wanted = serde_json::json!({ "openapi": "3.0.0", "paths": { "/a": { "get": 1, "post": 3 }, "/b": { "put": 2 } } });
        assert_eq!(document, wanted);
    }
}
