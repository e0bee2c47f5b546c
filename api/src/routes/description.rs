//! The OpenAPI document as it is served: each path once, with all its methods, and it says what may be null.
//!
//! The framework writes a path once for each part that serves it, and of two members of one name a reader of JSON
//! keeps only the last. It answers with null where there is nothing to tell, and does not say so.

use std::{collections::BTreeMap, fmt};

use poem::{Endpoint, Response, Route, endpoint::make_sync, http::header};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Value};

#[derive(Deserialize, Serialize)]
struct Document {
    paths: Paths,
    components: Components,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize, Serialize)]
struct Components {
    schemas: BTreeMap<String, Value>,
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

/// The document with each path once, and with what may be null; as it came when it can't be read.
pub(super) fn merged(written: &str) -> String {
    let whole = serde_json::from_str::<Document>(written).and_then(|mut document| {
        document.components.schemas.values_mut().for_each(tell_of_null);
        serde_json::to_string(&document)
    });
    whole.unwrap_or_else(|_| written.to_owned())
}

/// A member that need not be there may be null as well, unless something else is taken for it then.
fn tell_of_null(schema: &mut Value) {
    let required: Vec<Value> = schema["required"].as_array().cloned().unwrap_or_default();
    let Some(members) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (name, member) in members {
        let has_other = required.iter().any(|known| known == name.as_str()) || member.get("default").is_some();
        if let Some(member) = member.as_object_mut().filter(|_| !has_other) {
            member.insert("nullable".to_owned(), true.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_that_is_written_twice_keeps_all_its_methods() {
        let written = r#"{"paths":{"/a":{"get":1},"/b":{"put":2},"/a":{"post":3}},"components":{"schemas":{}}}"#;
        let document: Value = serde_json::from_str(&merged(written)).unwrap();
        assert_eq!(document["paths"], json!({ "/a": { "get": 1, "post": 3 }, "/b": { "put": 2 } }));
    }

    #[test]
    fn a_member_that_may_be_null_says_so() {
        let members = json!({ "a": { "type": "string" }, "b": { "type": "string" }, "c": { "type": "integer", "default": 0 } });
        let schema = json!({ "type": "object", "required": ["a"], "properties": members });
        let written = json!({ "paths": {}, "components": { "schemas": { "Some": schema } } });
        let document: Value = serde_json::from_str(&merged(&written.to_string())).unwrap();
        let told = &document["components"]["schemas"]["Some"]["properties"];
        assert_eq!(["a", "b", "c"].map(|name| told[name]["nullable"] == true), [false, true, false]);
    }
}
