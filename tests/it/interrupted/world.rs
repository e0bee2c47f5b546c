//! A Vouch whose steps the test takes itself, with two ways to its database: one of them can be cut. What was
//! prepared is put back before every try, so that all tries begin alike.

use std::path::Path;

use poem::{
    Server,
    listener::{Acceptor, Listener, TcpListener},
};
use sqlx::AssertSqlSafe;
use url::Url;
use vouch_api::state::AppState;
use vouch_cli::simulator::Script;
use vouch_common::{
    config::{Program, Settings, Source},
    domain::effect::Queue,
    operations::hand_out_jobs,
    store::jobs::{ClaimedJob, Lease},
};
use vouch_tests::{TestApp, Wishes, proxy::Proxy, samples, wait_for};
use vouch_worker::{runtime::heartbeat::LEASE, services::Services};

use crate::{create_order::cybersource, events::Service};

/// Tables that say nothing of what was done.
const LEFT_OUT: [&str; 2] = ["_sqlx_migrations", "schedule_ticks"];

pub(super) struct World {
    pub(super) app: TestApp,
    pub(super) proxy: Proxy,
    pub(super) events: Service,
    /// Straight to the database.
    pub(super) direct: Side,
    /// Through the proxy.
    pub(super) cut: Side,
    pub(super) tables: Vec<String>,
    /// The statements that put back what was kept.
    restoring: String,
    /// The photos that were kept.
    photos: tempfile::TempDir,
}

/// An api and a worker's services on one way to the database.
pub(super) struct Side {
    pub(super) url: String,
    pub(super) services: Services,
}

/// How a connection is cut.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cut {
    /// After so many requests were answered, before the next is passed on.
    After(u64),
    /// Before the answer to this request, which is done.
    Unanswered(u64),
}

impl Cut {
    /// Every way to cut, in two rows that each end when the work comes through.
    pub(super) fn rows() -> [fn(u64) -> Self; 2] {
        [|number| Self::After(number), |number| Self::Unanswered(number + 1)]
    }
}

impl World {
    /// A Vouch with a course, whose vendor says nothing; `settings` over the usual ones.
    pub(super) async fn start(settings: Vec<(&'static str, String)>) -> Self {
        let (events, url) = Service::start().await;
        let mut all = vec![("VOUCH_SEGMENT_KEY", "write-key".to_owned()), ("VOUCH_SEGMENT_URL", url)];
        all.extend(cybersource());
        all.extend(settings);
        let script = Script::parse(br#"{"callback": {"copies": 0}}"#).unwrap();
        let app = TestApp::start_with(Wishes { settings: all, script, is_without_worker: true, ..Wishes::default() }).await;
        let mut course = samples::course();
        course["modes"] = serde_json::json!([{ "slug": "verified", "display_name": "Verified", "min_price": 50 }]);
        app.put(&format!("courses/{}", vouch_tests::percent(samples::COURSE)), &course).await;
        let database = app.settings.iter().find(|(name, _)| name == "DATABASE_URL").unwrap().1.clone();
        let mut url = Url::parse(&database).unwrap();
        let upstream = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432)).parse().unwrap();
        let proxy = Proxy::start(upstream).await;
        url.set_port(Some(proxy.addr().port())).unwrap();
        let mut settings = app.settings.clone();
        settings.push(("DATABASE_URL".to_owned(), url.to_string()));
        // One connection, so that the requests come in one order.
        settings.push(("VOUCH_DATABASE_CONNECTIONS".to_owned(), "2".to_owned()));
        let services =
            |settings: &[(String, String)]| Services::with_clock(read(settings, Program::Worker), app.clock.clone()).unwrap();
        let direct = Side { url: app.url.clone(), services: services(&app.settings) };
        let state = AppState::with_clock(read(&settings, Program::Api), app.clock.clone(), None).unwrap();
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let address = acceptor.local_addr()[0].as_socket_addr().copied().unwrap();
        tokio::spawn(Server::new_with_acceptor(acceptor).run(vouch_api::app(state)));
        let cut = Side { url: format!("http://{address}"), services: services(&settings) };
        let named = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1";
        let mut tables: Vec<String> = sqlx::query_scalar(named).fetch_all(&app.db).await.unwrap();
        tables.retain(|table| !LEFT_OUT.contains(&table.as_str()));
        let photos = tempfile::tempdir().unwrap();
        Self { app, proxy, events, direct, cut, tables, restoring: String::new(), photos }
    }

    /// Keeps everything as it is now, to be put back.
    pub(super) async fn keep(&mut self) {
        self.quiet().await;
        let mut keeping = "DROP SCHEMA IF EXISTS kept CASCADE; CREATE SCHEMA kept;".to_owned();
        let mut restoring = "BEGIN; SET LOCAL session_replication_role = replica;".to_owned();
        for table in &self.tables {
            keeping += &format!("CREATE TABLE kept.{table} AS TABLE public.{table};");
            let columns = format!(
                "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns
                 WHERE table_schema = 'public' AND table_name = '{table}' AND is_generated = 'NEVER'"
            );
            let columns: String = sqlx::query_scalar(AssertSqlSafe(columns)).fetch_one(&self.app.db).await.unwrap();
            restoring += &format!("DELETE FROM public.{table};");
            if self.app.count(&format!("SELECT count(*) FROM public.{table}")).await > 0 {
                restoring += &format!(
                    "INSERT INTO public.{table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM kept.{table};"
                );
            }
        }
        sqlx::raw_sql(AssertSqlSafe(keeping)).execute(&self.app.db).await.unwrap();
        self.restoring = restoring + "COMMIT;";
        self.photos = tempfile::tempdir().unwrap();
        copy(self.app.folder.path(), self.photos.path());
    }

    /// Puts everything back.
    pub(super) async fn restore(&self) {
        self.quiet().await;
        sqlx::raw_sql(AssertSqlSafe(self.restoring.clone())).execute(&self.app.db).await.unwrap();
        for entry in std::fs::read_dir(self.app.folder.path()).unwrap().map(Result::unwrap) {
            std::fs::remove_dir_all(entry.path()).unwrap();
        }
        copy(self.photos.path(), self.app.folder.path());
    }

    /// Waits until nobody has a transaction open: who was cut off is undone.
    pub(super) async fn quiet(&self) {
        let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                    AND backend_type = 'client backend' AND state <> 'idle'";
        wait_for("transactions to end", async || (self.app.count(open).await == 0).then_some(())).await;
    }

    /// Plans a cut.
    pub(super) fn plan(&self, cut: Cut) {
        match cut {
            Cut::After(count) => self.proxy.cut_after_requests(count),
            Cut::Unanswered(count) => self.proxy.cut_before_answer(count),
        }
    }

    /// Whether the planned cut never came. All is well afterwards.
    pub(super) fn came_through(&self) -> bool {
        let is_through = !self.proxy.is_closed();
        self.proxy.heal();
        is_through
    }

    /// Claims all that there is to do, whoever had it and however long it should wait.
    pub(super) async fn claim_all(&self) -> Vec<ClaimedJob> {
        self.app.sql("UPDATE jobs SET due_at = now(), deliveries = 0, phase = 'waiting' WHERE dead_at IS NULL").await;
        let mut claimed = Vec::new();
        for queue in Queue::ALL {
            claimed.extend(self.claim(queue).await);
        }
        claimed
    }

    /// Claims what is due of a queue.
    pub(super) async fn claim(&self, queue: Queue) -> Vec<ClaimedJob> {
        let db = self.direct.services.db();
        let handed = hand_out_jobs::hand_out(db, queue, 100).await.unwrap();
        let leases: Vec<Lease> =
            handed.tickets.iter().map(|ticket| Lease { job: ticket.id, generation: ticket.generation }).collect();
        hand_out_jobs::claim(db, queue, &leases, LEASE).await.unwrap()
    }
}

fn read(settings: &[(String, String)], program: Program) -> Settings {
    Settings::read(&Source::from_pairs(settings.iter().cloned()), program).unwrap()
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
