//! `GET /shoppingcart/receipt/{id}/`: a learner looks at what they paid. Source: reference 4.9.

use std::fmt::Write;

use poem::{
    Request, Response, handler,
    web::{Data, Path},
};
use serde_json::json;
use vouch_common::{
    domain::ids::OrderId,
    operations::read_receipt::{self, Receipt},
};

use crate::{error::Fault, extract::learner::Learner, state::AppState};

/// Shows a receipt; only the learner's own.
#[handler]
pub(super) async fn show(
    request: &Request,
    learner: Learner,
    Path(id): Path<String>,
    state: Data<&AppState>,
) -> Result<Response, Fault> {
    let unknown = || Fault::not_found("There is no such receipt.");
    let order = id.parse().map(OrderId).map_err(|_| unknown())?;
    let receipt = read_receipt::find(state.db(), learner.submitter.user, order).await?.ok_or_else(unknown)?;
    let wants_json = request.header("accept").is_some_and(|accept| accept.contains("application/json"));
    let (kind, text) =
        if wants_json { ("application/json", as_json(&receipt)) } else { ("text/plain; charset=utf-8", as_text(&receipt)) };
    Ok(Response::builder()
        .content_type(kind)
        .header("cache-control", "private, no-store")
        .header("vary", "accept, cookie")
        .body(text))
}

/// When it was paid, for people. Source: reference 4.6.
fn paid_at(receipt: &Receipt) -> Option<String> {
    receipt.purchased_at.map(|at| at.format("%b %d, %Y at %H:%M UTC").to_string())
}

fn as_json(receipt: &Receipt) -> String {
    let lines = receipt.lines.iter().map(|line| json!({ "line_desc": line.description, "line_cost": line.cost.to_string() }));
    json!({
        "orderNum": receipt.order.0,
        "currency": receipt.currency,
        "purchase_datetime": paid_at(receipt),
        "total_cost": receipt.total.to_string(),
        "status": receipt.status.as_str(),
        "billed_to": receipt.billed_to,
        "items": lines.collect::<Vec<_>>(),
    })
    .to_string()
}

fn as_text(receipt: &Receipt) -> String {
    let currency = receipt.currency.to_uppercase();
    let mut text = format!("Receipt for order {}\n\n", receipt.order);
    for line in &receipt.lines {
        // Writing to a string can't fail.
        let _ = writeln!(text, "{}: {} {currency}", line.description, line.cost);
    }
    let _ = writeln!(text, "\nTotal: {} {currency}", receipt.total);
    let _ = writeln!(text, "Status: {}", receipt.status.as_str());
    if let Some(at) = paid_at(receipt) {
        let _ = writeln!(text, "Paid: {at}");
    }
    let payer = &receipt.billed_to;
    let name = format!("{} {}", payer.first_name, payer.last_name);
    let parts = [name.trim(), &payer.city, &payer.state, &payer.postal_code, &payer.country];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if !parts.is_empty() {
        let _ = writeln!(text, "Billed to: {}", parts.join(", "));
    }
    text
}
