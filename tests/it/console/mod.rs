//! The operators' console over HTTP: who gets in, what the pages hold, and what their forms do.

mod actions;
mod live;
mod pages;
mod rights;

use reqwest::{Response, header::SET_COOKIE};
use vouch_common::operations::api_keys;
use vouch_tests::{API_KEY, TestApp};

/// Somebody who is signed in at the console.
pub(crate) struct Desk<'a> {
    app: &'a TestApp,
    pub(crate) cookie: String,
    pub(crate) csrf: String,
}

/// A form's answer or a page.
pub(crate) struct Shown {
    pub(crate) status: u16,
    pub(crate) location: String,
    pub(crate) text: String,
    pub(crate) cookies: Vec<String>,
}

impl Shown {
    pub(crate) async fn of(answer: Response) -> Self {
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        let cookies = answer.headers().get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap().to_owned()).collect();
        Self { status: answer.status().as_u16(), location: header("location"), cookies, text: answer.text().await.unwrap() }
    }

    /// The cookies as a browser sends them.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let found = self.cookies.iter().find(|cookie| cookie.starts_with(&format!("{name}=")))?;
        Some(found.split(';').next().unwrap().to_owned())
    }
}

/// A key with one scope.
pub(crate) async fn key(app: &TestApp, name: &str, scope: &str) -> String {
    let made = api_keys::create(app.services().db(), name, &[scope.to_owned()], None, app.now()).await.unwrap();
    String::from_utf8(made.expose().to_vec()).unwrap()
}

/// Gives a key to the form.
pub(crate) async fn give(app: &TestApp, key: &str, next: &str) -> Shown {
    let form = [("key", key), ("next", next)];
    let request = app.client.post(format!("{}/ops/sign-in", app.url)).header("sec-fetch-site", "same-origin").form(&form);
    Shown::of(request.send().await.unwrap()).await
}

impl<'a> Desk<'a> {
    /// Signs in with the key that may do everything.
    pub(crate) async fn open(app: &'a TestApp) -> Self {
        Self::open_with(app, API_KEY).await
    }

    pub(crate) async fn open_with(app: &'a TestApp, key: &str) -> Self {
        let answer = give(app, key, "/ops").await;
        assert_eq!((answer.status, answer.location.as_str()), (303, "/ops"), "{}", answer.text);
        let cookie = answer.cookie("vouch_ops").unwrap();
        let mut desk = Self { app, cookie, csrf: String::new() };
        let page = desk.page("/ops/audit").await;
        page.text.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().clone_into(&mut desk.csrf);
        desk
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        let request = self.app.client.get(format!("{}{path}", self.app.url)).header("cookie", &self.cookie);
        request.send().await.unwrap()
    }

    pub(crate) async fn page(&self, path: &str) -> Shown {
        Shown::of(self.get(path).await).await
    }

    /// Sends a form as the browser does.
    pub(crate) async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let form = [&[("csrf", self.csrf.as_str())], fields].concat();
        let request = self.app.client.post(format!("{}{path}", self.app.url)).header("cookie", &self.cookie);
        Shown::of(request.header("sec-fetch-site", "same-origin").form(&form).send().await.unwrap()).await
    }

    /// What is said on the page after a form was taken.
    pub(crate) async fn after(&self, answer: &Shown) -> String {
        assert_eq!(answer.status, 303, "{}", answer.text);
        let cookie = format!("{}; {}", self.cookie, answer.cookie("vouch_ops_flash").unwrap());
        let request = self.app.client.get(format!("{}{}", self.app.url, answer.location)).header("cookie", cookie);
        let page = Shown::of(request.send().await.unwrap()).await;
        assert_eq!(page.status, 200, "{}", page.text);
        page.text
    }
}

/// Makes a job of `receipt` fail as a worker would, and die; its number.
pub(crate) async fn dead_job(app: &TestApp, receipt: &str, (queue, kind): (&str, &str), error: &str) -> i64 {
    let signature = vouch_common::domain::failure::Signature::of(kind, "vendor_refused", "400", error);
    sqlx::query(
        "INSERT INTO error_groups (fingerprint, queue, kind, error_class, error_code, message)
         VALUES ($1, $2, $3, 'vendor_refused', '400', $4) ON CONFLICT DO NOTHING",
    )
    .bind(&signature.fingerprint)
    .bind(queue)
    .bind(kind)
    .bind(&signature.message)
    .execute(&app.db)
    .await
    .unwrap();
    sqlx::query_scalar(
        "INSERT INTO jobs (queue, kind, args, subject, failures, error_class, error_code, last_error, fingerprint, failed_at, dead_at)
         VALUES ($1, $2, jsonb_build_object('v', 1, 'receipt', $3), $3::uuid, 3, 'vendor_refused', '400', $4, $5, now(), now())
         RETURNING id",
    )
    .bind(queue)
    .bind(kind)
    .bind(receipt)
    .bind(error)
    .bind(&signature.fingerprint)
    .fetch_one(&app.db)
    .await
    .unwrap()
}
