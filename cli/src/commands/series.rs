//! One action on several things: each is tried, what failed is named, and the exit code tells how it went.

use anyhow::Result;
use serde_json::Value;

use crate::{
    failure::{Failure, code_of},
    out::{Session, note},
    show::Look,
};

/// Does `act` to each of `targets` in turn. When the api is away or refuses the key, the rest is not tried.
pub(super) async fn each<T: std::fmt::Display>(
    session: &Session,
    targets: &[T],
    act: impl AsyncFn(&T) -> Result<Value>,
    show: impl Fn(&Value, &Look) -> String,
) -> Result<()> {
    let (mut done, mut codes, mut first) = (0_usize, Vec::new(), None);
    for target in targets {
        match act(target).await {
            Ok(document) => {
                done += 1;
                if targets.len() == 1 {
                    session.tell(&document, &show)?;
                } else {
                    session.tell_one_of_many(&document, &show)?;
                }
            }
            Err(error) => {
                codes.push(code_of(&error));
                let ends = error.downcast_ref::<Failure>().is_some_and(Failure::ends_a_series);
                if targets.len() > 1 {
                    note(&format!("vouch: {target}: {error:#}"));
                }
                first.get_or_insert(error);
                if ends {
                    break;
                }
            }
        }
    }
    let Some(first) = first else { return Ok(()) };
    if targets.len() == 1 {
        return Err(first);
    }
    let untried = targets.len() - done - codes.len();
    let untried = if untried > 0 { format!(", {untried} not tried") } else { String::new() };
    let text = format!("{done} of {} done, {} failed{untried}", targets.len(), codes.len());
    if done > 0 || codes.iter().any(|code| Some(code) != codes.first()) {
        return Err(Failure::Partly(text).into());
    }
    Err(first.context(text))
}
