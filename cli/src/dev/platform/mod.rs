//! A stand-in for the learning platform and the payment page, for development: sign in as anybody, look at
//! a dashboard, pay with play money.
//!
//! Cookies are by host and not by port, so the session that is set here holds for the api beside it.

mod pages;
mod pay;
mod sign_in;

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result};
use minijinja::context;
use poem::{
    EndpointExt, Request, Response, Route, Server, get, handler,
    http::StatusCode,
    listener::{Acceptor, Listener, TcpListener},
    post,
    web::Data,
};
use tokio::task::JoinHandle;
use url::Url;
use vouch_common::{config::Cybersource, domain::course::path_segment, domain::keys::CourseKey, secret::Secret};

use super::{
    api::{Api, percent},
    cast::{IDENTITY, Learner, MIDTERM, course_name},
    keys::DevKeys,
};
use pages::Pages;

/// The name by which Vouch and the payment page know each other.
const ACCOUNT: &str = "vouch-dev";

/// A running platform; dropping it stops it.
pub struct Platform {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What every page may use.
struct Shared {
    api: Api,
    api_origin: Url,
    account: Cybersource,
    pages: Pages,
}

impl Platform {
    /// Listens on `address` (port 0 takes a free one).
    ///
    /// # Errors
    ///
    /// When the address is taken.
    pub async fn start(address: SocketAddr, api: Api, keys: &DevKeys) -> Result<Self> {
        let acceptor = TcpListener::bind(address).into_acceptor().await.context("the platform's address is taken")?;
        let address = acceptor.local_addr().iter().find_map(|local| local.as_socket_addr().copied()).context("no address")?;
        let api_origin: Url = api.url.parse()?;
        let shared = Shared { pages: Pages::new(&api_origin)?, account: account(keys, address)?, api, api_origin };
        let routes = Route::new()
            .at("/login", get(sign_in::show).post(sign_in::sign_in))
            .at("/logout", post(sign_in::sign_out))
            .at("/dashboard", get(dashboard))
            .at("/courses/*path", get(courseware))
            .at("/pay", post(pay::show))
            .at("/pay/answer", post(pay::decide))
            .at("/", get(to_dashboard))
            .data(Arc::new(shared));
        let task = tokio::spawn(async move {
            if let Err(error) = Server::new_with_acceptor(acceptor).run(routes).await {
                eprintln!("the stand-in for the learning platform ended: {error}");
            }
        });
        Ok(Self { address, task })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the api must know of it.
    #[must_use]
    pub fn settings(&self, keys: &DevKeys) -> [(&'static str, String); 7] {
        let url = self.url();
        [
            ("VOUCH_LOGIN_URL", format!("{url}/login")),
            ("VOUCH_DASHBOARD_URL", format!("{url}/dashboard")),
            ("VOUCH_COURSEWARE_URL", format!("{url}/courses")),
            ("VOUCH_CYBERSOURCE_ACCESS_KEY", ACCOUNT.to_owned()),
            ("VOUCH_CYBERSOURCE_PROFILE_ID", ACCOUNT.to_owned()),
            ("VOUCH_CYBERSOURCE_SECRET_KEY", keys.cybersource_secret.clone()),
            ("VOUCH_CYBERSOURCE_PURCHASE_URL", format!("{url}/pay")),
        ]
    }
}

fn account(keys: &DevKeys, address: SocketAddr) -> Result<Cybersource> {
    Ok(Cybersource {
        access_key: ACCOUNT.to_owned(),
        profile_id: ACCOUNT.to_owned(),
        secret_key: Secret::new(keys.cybersource_secret.clone()),
        purchase_url: format!("http://{address}/pay").parse()?,
    })
}

fn redirect(location: &str) -> Response {
    Response::builder().status(StatusCode::FOUND).header("location", location).finish()
}

#[handler]
fn to_dashboard() -> Response {
    redirect("/dashboard")
}

/// The learner's courses, and every page of Vouch that can be seen from there.
#[handler]
async fn dashboard(request: &Request, Data(shared): Data<&Arc<Shared>>) -> Response {
    let Some(learner) = sign_in::who(request, shared) else { return redirect("/login") };
    let standing = shared.api.get(&format!("users/{}/verification", learner.id)).await.ok();
    let status = standing.as_ref().and_then(|standing| standing["status"].as_str()).unwrap_or("not known").to_owned();
    let reasons: Vec<String> = standing
        .as_ref()
        .and_then(|standing| standing["reasons"].as_array())
        .map(|reasons| reasons.iter().filter_map(|reason| reason.as_str().map(str::to_owned)).collect())
        .unwrap_or_default();
    let courses: Vec<_> = courses_of(learner)
        .into_iter()
        .map(|(course, mode)| context! { name => course_name(course), mode, links => links(&shared.api.url, course) })
        .collect();
    let api = shared.api.url.as_str();
    shared.pages.show("dashboard.html", &context! { name => learner.name, status, reasons, courses, api })
}

/// Where a learner is enrolled; who is nowhere may still begin.
fn courses_of(learner: &Learner) -> Vec<(&'static str, &'static str)> {
    if learner.enrollments.is_empty() { vec![(IDENTITY, "not enrolled")] } else { learner.enrollments.to_vec() }
}

fn links(api: &str, course: &str) -> Vec<(String, String)> {
    let Some(key) = CourseKey::parse(course) else { return Vec::new() };
    let segment = path_segment(&key);
    let pages = ["start-flow", "upgrade", "verify-now", "payment-confirmation"];
    let mut links: Vec<_> =
        pages.iter().map(|page| ((*page).to_owned(), format!("{api}/verify_student/{page}/{segment}/"))).collect();
    if course == IDENTITY {
        links.push(("checkpoint".to_owned(), format!("{api}/verify_student/reverify/{segment}/{}/", percent(MIDTERM))));
    }
    links.push(("courseware".to_owned(), format!("/courses/{segment}/courseware/")));
    links
}

#[handler]
fn courseware(request: &Request, Data(shared): Data<&Arc<Shared>>) -> Response {
    shared.pages.show("courseware.html", &context! { path => request.uri().path() })
}
