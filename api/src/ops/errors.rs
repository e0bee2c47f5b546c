//! Dead jobs, grouped by what went wrong.

use poem::{Response, handler};
use serde_json::{Value, json};

use super::{
    client::Refusal,
    fields::Fields,
    overview::{items, number},
    view::Page,
    visit::Visit,
};

const FILTERS: [&str; 3] = ["queue", "kind", "error_class"];
/// The most that the api gives at once.
const LIMIT: &str = "200";

#[handler]
pub(super) async fn show(visit: Visit) -> Response {
    let page = async {
        let filter = filter(&visit);
        let facts = json!({
            "now": now(&visit).await?,
            "filter": filter.shown(),
            "query": filter.query(),
            "choices": super::search::choices(),
        });
        Ok(Page::new("errors.html", "errors", "Errors", facts))
    };
    visit.show(page.await)
}

fn filter(visit: &Visit) -> Fields {
    visit.query.only(&FILTERS)
}

/// The groups as they are now.
pub(super) async fn now(visit: &Visit) -> Result<Value, Refusal> {
    let groups = visit.client().get("/errors", &filter(visit).with("limit", LIMIT)).await?;
    let dead: i64 = items(&groups).iter().map(|group| number(group, "dead")).sum();
    Ok(json!({ "items": items(&groups), "dead": dead }))
}
