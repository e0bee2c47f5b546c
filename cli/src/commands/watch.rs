//! Watching: looks again and again. A terminal is redrawn in place; a pipe gets the lines that changed.

use std::{collections::HashSet, time::Duration};

use anyhow::Result;
use serde_json::Value;

use crate::{
    failure::code_of,
    out::{Session, note, print},
    show::Look,
};

/// So many looks in a row may fail before the watch gives up: an api is restarted meanwhile.
const FAILURES_MAX: u32 = 30;
/// The cursor goes to the top left; then each line is cleared to its end, and all below.
const HOME: &str = "\u{1b}[H";
const CLEAR_ALL: &str = "\u{1b}[2J";
const CLEAR_LINE: &str = "\u{1b}[K";
const CLEAR_BELOW: &str = "\u{1b}[J";

/// Looks again and again, and shows what `show` makes of it, until that says that it is the end.
pub(super) async fn watch(
    session: &Session,
    every: Duration,
    look: impl AsyncFn() -> Result<Value>,
    mut show: impl FnMut(&Value, &Look) -> (String, bool),
) -> Result<Value> {
    let mut told = String::new();
    let (mut failures, mut has_looked) = (0, false);
    loop {
        match look().await {
            Ok(document) => {
                (failures, has_looked) = (0, true);
                let (text, is_end) = show(&document, &session.look());
                let text = if session.is_json { format!("{document}\n") } else { text };
                print(&redrawn(&told, &text, session.look().width.is_some() && !session.is_json))?;
                told = text;
                if is_end {
                    return Ok(document);
                }
            }
            Err(error) if code_of(&error) == 1 && failures < FAILURES_MAX && has_looked => {
                failures += 1;
                note(&format!("vouch: {error:#}; looking again"));
            }
            Err(error) => return Err(error),
        }
        tokio::time::sleep(every).await;
    }
}

/// What is written so that `text` stands where `before` stood.
fn redrawn(before: &str, text: &str, is_terminal: bool) -> String {
    if is_terminal && text.is_empty() {
        // Somebody else draws, such as a bar.
        return String::new();
    }
    if is_terminal {
        let start = if before.is_empty() { CLEAR_ALL } else { "" };
        return format!("{start}{HOME}{}{CLEAR_BELOW}", text.replace('\n', &format!("{CLEAR_LINE}\n")));
    }
    let old: HashSet<&str> = before.lines().collect();
    text.lines().filter(|line| !old.contains(line)).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_gets_the_lines_that_changed() {
        assert_eq!(redrawn("", "a\t1\nb\t1\n", false), "a\t1\nb\t1\n");
        assert_eq!(redrawn("a\t1\nb\t1\n", "a\t1\nb\t2\n", false), "b\t2\n");
        assert_eq!(redrawn("a\n", "a\n", false), "");
    }

    #[test]
    fn a_terminal_is_cleared_once_and_then_drawn_over() {
        assert_eq!(redrawn("", "a\n", true), "\u{1b}[2J\u{1b}[Ha\u{1b}[K\n\u{1b}[J");
        assert_eq!(redrawn("", "", true), "");
        assert_eq!(redrawn("a\n", "b\n", true), "\u{1b}[Hb\u{1b}[K\n\u{1b}[J");
    }
}
