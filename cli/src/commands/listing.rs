//! Lists: one page, or all of them one after the other.

use anyhow::Result;
use serde_json::Value;

use super::arguments::Page;
use crate::{
    api::Query,
    out::{Session, note, print},
    show::{
        items_at,
        table::{self, Column},
        text_at,
    },
};

/// Tells a list. One page, and where the next begins; or all, each page as soon as it is there.
pub(super) async fn tell(session: &Session, path: &[&str], query: Query, page: &Page, columns: &[Column]) -> Result<()> {
    let query = page.first(query);
    if !page.all {
        let document = session.api.get(path, &query.with("cursor", page.cursor.as_ref())).await?;
        session.tell(&document, |document, look| table::list(columns, document, look))?;
        let next = text_at(&document, "/next_cursor");
        if !next.is_empty() && !session.is_json {
            note(&format!("more: --cursor {next}"));
        }
        return Ok(());
    }
    let mut cursor: Option<String> = None;
    let mut is_first = true;
    loop {
        let document = session.api.get(path, &query.clone().with("cursor", cursor.as_ref())).await?;
        if session.is_json {
            for item in items_at(&document, "items") {
                print(&format!("{item}\n"))?;
            }
        } else if is_first || items_at(&document, "items").next().is_some() {
            print(&table::list(columns, &document, &session.look()))?;
        }
        is_first = false;
        cursor = next_cursor(&document, cursor.as_ref());
        if cursor.is_none() {
            return Ok(());
        }
    }
}

/// Where the next page begins; none at the end, and when a page names itself again.
pub(super) fn next_cursor(document: &Value, before: Option<&String>) -> Option<String> {
    document["next_cursor"].as_str().map(str::to_owned).filter(|next| before != Some(next))
}
