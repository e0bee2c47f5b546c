//! Keys from the terminal: what is printed, as lines and as JSON, and how it ends.

use serde_json::Value;
use vouch_tests::TestApp;

use super::{Ended, program, run};

async fn vouch(app: &TestApp, words: &[&str]) -> Ended {
    let mut command = program();
    command.envs(app.settings.iter().filter(|(name, _)| name == "DATABASE_URL").cloned());
    run(command, words).await
}

#[tokio::test]
async fn keys_are_lines_with_tabs_in_a_pipe_and_documents_with_json() {
    let app = TestApp::without_worker().await;
    let scopes = ["--scope", "lms:write", "attempts:read", "--expires-in", "90d"];
    let key = vouch(&app, &[&["keys", "create", "--name", "ann"][..], &scopes].concat()).await.done();
    assert!(key.starts_with("vk_") && key.lines().count() == 1, "the key alone");
    let made = vouch(&app, &["--json", "keys", "create", "--name", "bob", "--scope", "admin"]).await.json();
    assert!(made["key"].as_str().unwrap().starts_with("vk_") && made["expires_at"] == Value::Null, "{made}");
    let rows = vouch(&app, &["keys", "list"]).await.rows();
    let told: Vec<Vec<&str>> = rows.iter().map(|row| row[1..5].iter().map(String::as_str).collect()).collect();
    assert_eq!(told, [["bob", "admin", "live", ""], ["ann", "lms:write,attempts:read", "live", ""]]);
    assert!(chrono::DateTime::parse_from_rfc3339(&rows[1][5]).is_ok(), "{rows:?}");
    let listed = vouch(&app, &["keys", "list", "--json"]).await.json();
    assert_eq!((&listed["items"][1]["name"], &listed["next_cursor"]), (&"ann".into(), &Value::Null));
    let id = rows[1][0].as_str();
    assert_eq!(vouch(&app, &["keys", "revoke", id, "--json"]).await.json()["id"].to_string(), id);
    assert_eq!(vouch(&app, &["keys", "list"]).await.rows()[1][3], "revoked");
    assert_eq!(vouch(&app, &["migrate", "--json"]).await.json()["database"], "up to date");
}

#[tokio::test]
async fn a_key_that_is_not_there_and_a_scope_that_is_none_have_their_exit_codes() {
    let app = TestApp::without_worker().await;
    vouch(&app, &["keys", "revoke", "999"]).await.refused(4, "there is no live key 999");
    vouch(&app, &["keys", "create", "--name", "ann", "--scope", "root"]).await.refused(2, "lms:write");
    vouch(&app, &["keys", "create", "--name", "ann", "--scope", "admin", "--expires-in", "300000y"]).await.refused(3, "too long");
    assert_eq!(app.count("SELECT count(*) FROM api_keys").await, 0);
}
