//! The pages in words: templates, one stylesheet, and what a browser may do with them.

use anyhow::Result;
use base64::{Engine, engine::general_purpose::STANDARD};
use minijinja::{Environment, UndefinedBehavior, Value, context};
use poem::{Response, http::StatusCode};
use sha2::{Digest, Sha256};
use url::Url;

const TEMPLATES: [(&str, &str); 6] = [
    ("layout.html", include_str!("../../../templates/layout.html")),
    ("login.html", include_str!("../../../templates/login.html")),
    ("dashboard.html", include_str!("../../../templates/dashboard.html")),
    ("courseware.html", include_str!("../../../templates/courseware.html")),
    ("pay.html", include_str!("../../../templates/pay.html")),
    ("pay_answer.html", include_str!("../../../templates/pay_answer.html")),
];

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2430;--paper:#fff;--soft:#5b6675;--line:#d5dbe3;--deed:#0b5cad}\
@media (prefers-color-scheme:dark){:root{--ink:#e8ecf2;--paper:#14181f;--soft:#a3adbb;--line:#3a4454;--deed:#7cb8f5}}\
body{font:1rem/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:44rem;margin:0 auto;padding:2rem 1rem}\
h1{font-size:1.6rem;line-height:1.2}h2{font-size:1.1rem;margin:1.5rem 0 .25rem}small,.soft{color:var(--soft)}\
a{color:var(--deed)}button{font:inherit;padding:.6rem 1rem;border:1px solid var(--deed);border-radius:.4rem;color:var(--deed);\
background:transparent;cursor:pointer;text-align:left}button.main{background:var(--deed);color:var(--paper)}\
:focus-visible{outline:3px solid var(--deed);outline-offset:2px}.row{display:flex;flex-wrap:wrap;gap:.6rem;margin:1rem 0}\
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:.6rem;padding:0;list-style:none}.grid button{width:100%}\
.price{font-size:2rem;font-weight:600}section{border-top:1px solid var(--line)}";

const SCRIPT: &str = "document.forms[0].submit()";

/// Renders pages.
pub(super) struct Pages {
    environment: Environment<'static>,
    policy: String,
}

impl Pages {
    pub(super) fn new(api: &Url) -> Result<Self> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, source) in TEMPLATES {
            environment.add_template(name, source)?;
        }
        environment.add_global("style", Value::from_safe_string(STYLE.to_owned()));
        environment.add_global("script", Value::from_safe_string(SCRIPT.to_owned()));
        let digest = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; form-action 'self' {}; frame-ancestors 'none'; base-uri 'none'",
            digest(STYLE),
            digest(SCRIPT),
            api.origin().ascii_serialization(),
        );
        Ok(Self { environment, policy })
    }

    pub(super) fn show(&self, name: &str, values: &Value) -> Response {
        let page = self.environment.get_template(name).and_then(|template| template.render(context! { ..values.clone() }));
        match page {
            Ok(page) => Response::builder()
                .content_type("text/html; charset=utf-8")
                .header("content-security-policy", &self.policy)
                .header("cache-control", "no-store")
                .header("referrer-policy", "same-origin")
                .body(page),
            Err(error) => {
                Response::builder().status(StatusCode::INTERNAL_SERVER_ERROR).body(format!("This page can't be shown: {error}"))
            }
        }
    }
}
