//! Who did what, when and why.

use poem::{Response, handler};
use serde_json::json;

use super::{
    overview::items,
    search::{choices, first, next},
    view::Page,
    visit::Visit,
};

const FILTERS: [&str; 5] = ["target", "actor", "action", "after", "cursor"];

#[handler]
pub(super) async fn show(visit: Visit) -> Response {
    let filter = visit.query.only(&FILTERS);
    let page = async {
        let found = visit.client().get("/audit", &filter).await?;
        let facts = json!({
            "filter": filter.shown(),
            "items": items(&found),
            "next": next("/ops/audit", &filter, &found),
            "first": first("/ops/audit", &filter),
            "choices": choices(),
        });
        Ok(Page::new("audit.html", "audit", "Audit", facts))
    };
    visit.show(page.await)
}
