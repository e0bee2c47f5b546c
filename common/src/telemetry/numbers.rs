//! The numbers of a process: every series of the catalogue from the start, as Prometheus reads them.

use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use super::catalogue::{CATALOGUE, Kind, Metric};
use crate::config::Program;

/// How often samples that nobody has asked for are put together, so that they don't pile up.
const UPKEEP: Duration = Duration::from_secs(5);

/// The numbers of this process; a clone is cheap.
#[derive(Clone)]
pub struct Numbers(PrometheusHandle);

impl Numbers {
    /// Starts counting for the whole process: every series of `programs` is there, with 0. `routes` are the api's.
    ///
    /// # Errors
    ///
    /// When the process counts already.
    pub fn start(programs: &[Program], routes: &[String]) -> Result<Self, BuildError> {
        let mut builder = PrometheusBuilder::new();
        for metric in CATALOGUE {
            if let Kind::Histogram(bounds) = metric.kind {
                builder = builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), bounds)?;
            }
        }
        let handle = builder.install_recorder()?;
        for metric in CATALOGUE.iter().filter(|metric| metric.programs.iter().any(|program| programs.contains(program))) {
            show_from_the_start(metric, routes);
        }
        Ok(Self(handle))
    }

    /// The page `/metrics`.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Keeps the memory small as long as the runtime lives.
    pub async fn keep_up(self) {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            self.0.run_upkeep();
        }
    }
}

fn show_from_the_start(metric: &Metric, routes: &[String]) {
    let name = metric.name;
    let unit = if name.ends_with("_seconds") { metrics::Unit::Seconds } else { metrics::Unit::Count };
    match metric.kind {
        Kind::Counter => metrics::describe_counter!(name, unit, metric.help),
        Kind::Gauge => metrics::describe_gauge!(name, unit, metric.help),
        Kind::Histogram(_) => metrics::describe_histogram!(name, unit, metric.help),
    }
    for series in metric.series(routes) {
        match metric.kind {
            Kind::Counter => metrics::counter!(name, &series).absolute(0),
            Kind::Gauge => metrics::gauge!(name, &series).set(0),
            // It is shown once it is registered.
            Kind::Histogram(_) => drop(metrics::histogram!(name, &series)),
        }
    }
}

/// Shows which servers answer.
pub fn show_servers(database: bool, redis: bool, storage: bool) {
    for (server, is_up) in [("database", database), ("redis", redis), ("storage", storage)] {
        metrics::gauge!("vouch_server_up", "server" => server).set(f64::from(u8::from(is_up)));
    }
}
