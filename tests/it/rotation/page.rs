//! `docs/rotation.md`: each of its commands is run, in the order of the page.

use std::collections::HashMap;

use vouch_tests::{API_KEY, TestApp};

use super::{list, plant, setting};
use crate::{
    cli::{program, run},
    tidy::root,
};

/// The commands of the page's `sh` blocks.
fn commands(page: &str) -> Vec<String> {
    let mut is_inside = false;
    let mut found = Vec::new();
    for line in page.lines().map(str::trim) {
        match line {
            "```sh" => is_inside = true,
            "```" => is_inside = false,
            "" => {}
            _ if is_inside => found.push(line.to_owned()),
            _ => {}
        }
    }
    found
}

/// Words as a shell reads them; there are no escapes in the page.
fn words(line: &str, known: &HashMap<&str, String>) -> Vec<String> {
    let mut words = vec![String::new()];
    for (number, part) in line.split('"').enumerate() {
        if number % 2 == 1 {
            words.last_mut().unwrap().push_str(part);
        } else {
            let mut pieces = part.split(' ');
            words.last_mut().unwrap().push_str(pieces.next().unwrap());
            words.extend(pieces.map(str::to_owned));
        }
    }
    let fill = |word: String| word.strip_prefix('$').map_or(word.clone(), |name| known[name].clone());
    words.into_iter().filter(|word| !word.is_empty()).map(fill).collect()
}

#[tokio::test]
async fn every_command_of_the_page_of_rotation_does_what_it_says() {
    let page = std::fs::read_to_string(root().join("docs/rotation.md")).unwrap();
    let app = TestApp::without_worker().await;
    plant(&app, 7).await;
    let mut known = HashMap::new();
    let all = commands(&page);
    assert!(all.len() >= 6, "{all:?}");
    for line in all {
        let words = words(&line, &known);
        assert_eq!(words[0], "vouch", "{line}");
        let mut command = program();
        command.env("DATABASE_URL", setting(&app, "DATABASE_URL")).env("VOUCH_MASTER_KEYS", list(&["m2", "m1"]));
        command.env("VOUCH_STORAGE_URL", setting(&app, "VOUCH_STORAGE_URL"));
        command.env("VOUCH_API_URL", &app.url).env("VOUCH_API_KEY", API_KEY);
        let words: Vec<&str> = words[1..].iter().map(String::as_str).collect();
        let out = run(command, &words).await.done();
        if words.starts_with(&["keys", "create"]) {
            known.insert("OLD", app.count("SELECT max(id) FROM api_keys").await.to_string());
        }
        assert!(!out.is_empty(), "{line}");
    }
}
