//! Every number that a program shows, once: its name, kind, labels with all their values, and meaning.
//!
//! From it every series is there from the start (`numbers`), and `docs/metrics.md` is made.

use std::fmt::Write;

use crate::{
    config::Program,
    domain::{
        attempt::Status,
        callback::VerdictKind,
        effect::{Effect, Queue},
        retention,
    },
    vendor::software_secure::VENDOR,
};

/// How a number moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// It only rises, from 0 at the start of the process.
    Counter,
    /// It rises and falls.
    Gauge,
    /// How often it fell under each of these bounds.
    Histogram(&'static [f64]),
}

/// The values that a label can have.
#[derive(Debug, Clone, Copy)]
pub enum Values {
    /// These.
    Listed(&'static [&'static str]),
    /// What the code knows, such as every queue.
    Known(fn() -> Vec<&'static str>),
    /// The api's routes, which only the api knows.
    Routes,
}

/// A label.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub values: Values,
}

/// A number.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name; `_seconds` says its unit, `_total` that it is counted.
    pub name: &'static str,
    /// How it moves.
    pub kind: Kind,
    /// Who shows it.
    pub programs: &'static [Program],
    /// Its labels.
    pub labels: &'static [Label],
    /// What it means.
    pub help: &'static str,
}

use Program::{Api, Worker};
use Values::{Known, Listed};

const API: &[Program] = &[Api];
const WORKER: &[Program] = &[Worker];
const BOTH: &[Program] = &[Api, Worker];

/// Times of a request or a job.
const QUICK: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Times in a queue.
const PATIENT: &[f64] = &[0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0];
/// Times until a verdict.
const LONG: &[f64] = &[5.0, 30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0, 86_400.0, 172_800.0, 604_800.0];

/// The states of an attempt that is not finished.
const OPEN: [Status; 4] = [Status::Created, Status::Ready, Status::Submitted, Status::MustRetry];

const fn label(name: &'static str, values: Values) -> Label {
    Label { name, values }
}

const fn listed(name: &'static str, values: &'static [&'static str]) -> Label {
    label(name, Listed(values))
}

const QUEUE: Label = label("queue", Known(|| Queue::ALL.map(Queue::as_str).to_vec()));
const KIND: Label = label("kind", Known(|| Effect::KINDS.to_vec()));
const KIND_OR_UNKNOWN: Label = label("kind", Known(|| [Effect::KINDS.as_slice(), &["unknown"]].concat()));
const VENDORS: Label = listed("vendor", &[VENDOR]);
const STATUS: Label = label("status", Known(|| Status::ALL.map(Status::as_str).to_vec()));
const OPEN_STATUS: Label = label("status", Known(|| OPEN.map(Status::as_str).to_vec()));
const ROUTE: Label = label("route", Values::Routes);

const fn counter(name: &'static str, programs: &'static [Program], labels: &'static [Label], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, programs, labels, help }
}

const fn gauge(name: &'static str, programs: &'static [Program], labels: &'static [Label], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, programs, labels, help }
}

const fn histogram(
    (name, bounds): (&'static str, &'static [f64]),
    programs: &'static [Program],
    labels: &'static [Label],
    help: &'static str,
) -> Metric {
    Metric { name, kind: Kind::Histogram(bounds), programs, labels, help }
}

/// All numbers, in the order of the documentation.
pub const CATALOGUE: &[Metric] = &[
    gauge(
        "vouch_queue_oldest_due_seconds",
        WORKER,
        &[QUEUE],
        "For how long the oldest due job of the queue has been due; 0 when none is. What to scale on.",
    ),
    gauge(
        "vouch_queue_jobs",
        WORKER,
        &[QUEUE, listed("place", &["due", "dispatched", "running", "scheduled", "dead"])],
        "Jobs by where they are: `due` in the ledger, `dispatched` to Redis, `running`, `scheduled` for later, or `dead`; \
         above 10,000 an estimate.",
    ),
    gauge("vouch_queue_paused_seconds", WORKER, &[QUEUE], "For how long an operator's pause has lasted; 0 without one."),
    gauge("vouch_queue_held_seconds", WORKER, &[QUEUE], "For how much longer a far side asked us to wait; 0 when it did not."),
    gauge(
        "vouch_breaker_state",
        WORKER,
        &[VENDORS, listed("state", &["closed", "open", "recovering"])],
        "1 for the state that the vendor's breaker is in, as it is obeyed: an operator's word stands above what was measured.",
    ),
    gauge("vouch_breaker_forced", WORKER, &[VENDORS], "1 when the breaker's state is an operator's word."),
    gauge("vouch_attempts_open", WORKER, &[OPEN_STATUS], "Attempts that are not finished, by status; above 10,000 an estimate."),
    gauge("vouch_retries_left", WORKER, &[], "Items that the running bulk retries still have before them."),
    gauge(
        "vouch_database_oldest_transaction_seconds",
        WORKER,
        &[],
        "How old the oldest transaction of the database is that keeps dead rows from being cleared away; 0 without one. \
         Those of other roles count only for a role with `pg_read_all_stats`.",
    ),
    counter(
        "vouch_jobs_total",
        WORKER,
        &[KIND_OR_UNKNOWN, listed("outcome", &["done", "retried", "dead", "obsolete", "fenced", "put_back", "unsettled"])],
        "Tries of jobs, by what became of them. `fenced`: the lease had passed to another worker and nothing was changed; \
         `put_back`: another release's, it waits for it; `unsettled`: the database was away too long, and the job is done again.",
    ),
    histogram(("vouch_job_wait_seconds", PATIENT), WORKER, &[KIND], "From due to claimed."),
    histogram(("vouch_job_seconds", QUICK), WORKER, &[KIND], "From claimed to the end of the try."),
    counter("vouch_relayed_total", WORKER, &[QUEUE], "Jobs that the relay handed out."),
    histogram(("vouch_relay_lag_seconds", PATIENT), WORKER, &[QUEUE], "How overdue jobs were when they were handed out."),
    counter(
        "vouch_leases_expired_total",
        WORKER,
        &[QUEUE, listed("place", &["dispatched", "running"])],
        "Jobs handed out again because nobody claimed them in time (`dispatched`), or whoever did never ended (`running`).",
    ),
    counter(
        "vouch_jobs_quarantined_total",
        WORKER,
        &[QUEUE],
        "Jobs that died because they were delivered again and again without an outcome: they end their worker.",
    ),
    counter("vouch_tickets_stale_total", WORKER, &[QUEUE], "Entries in Redis whose job was somebody else's by then; harmless."),
    counter("vouch_queue_malformed_total", WORKER, &[QUEUE], "Entries in Redis that are none of ours and were dropped."),
    counter("vouch_workers_restarted_total", WORKER, &[QUEUE], "Workers that ended by themselves and were started again."),
    counter("vouch_sweep_repaired_total", WORKER, &[], "Stuck work that the sweep set going again; it should find none."),
    counter(
        "vouch_purged_total",
        WORKER,
        &[label("kind", Known(|| retention::TABLE.iter().filter(|rule| rule.has_clock()).map(|rule| rule.name).collect()))],
        "Rows and photos that went or were emptied because their time was over, by kind (docs/privacy.md).",
    ),
    counter("vouch_leftovers_removed_total", WORKER, &[], "Stored objects that belonged to no attempt and were removed."),
    counter(
        "vouch_vendor_answers_total",
        WORKER,
        &[listed("class", &["2xx", "3xx", "4xx", "429", "5xx", "timeout", "unreachable"])],
        "What came back when an attempt was sent to the vendor.",
    ),
    histogram(("vouch_vendor_seconds", QUICK), WORKER, &[], "How long the vendor took to answer, or not to."),
    counter(
        "vouch_callbacks_total",
        API,
        &[listed("outcome", &["kept", "duplicate", "orphan", "unknown_result", "other_body", "erased", "refused", "failed"])],
        "The vendor's callbacks. `other_body`: the id of another with another body, not applied.",
    ),
    counter(
        "vouch_callbacks_refused_total",
        API,
        &[listed(
            "reason",
            &["content_type", "headers", "invalid_json", "not_an_object", "access_key", "signature", "stale", "ended_secret"],
        )],
        "Callbacks that were refused, by why. `ended_secret`: its secret was good until its end.",
    ),
    counter(
        "vouch_callbacks_doubtful_total",
        API,
        &[listed("doubt", &["mismatch", "date_missing", "date_off", "line_break", "not_text"])],
        "Callbacks whose signature is in doubt, let through by `VOUCH_CALLBACK_SIGNATURE=audit`; when it stands still, \
         `enforce` refuses nothing that is right.",
    ),
    counter(
        "vouch_callbacks_former_secret_total",
        API,
        &[],
        "Callbacks signed with a secret that is not the first; when it stands still, the others can go.",
    ),
    counter(
        "vouch_limited_total",
        API,
        &[listed("limit", &["learner", "submissions", "key", "address", "failures", "room"])],
        "Requests that were refused because their caller had enough (429), or because no room was left for their body \
         (`room`, 503).",
    ),
    counter(
        "vouch_security_events_total",
        API,
        &[listed("event", &["webhook_id_reused"])],
        "What somebody should look into at once. `webhook_id_reused`: a signed callback with the id of another and another \
         body; nothing was applied.",
    ),
    counter(
        "vouch_verdicts_total",
        WORKER,
        &[
            label("verdict", Known(|| VerdictKind::ALL.map(VerdictKind::as_str).to_vec())),
            listed("outcome", &["applied", "duplicate", "late", "contradiction"]),
        ],
        "The vendor's verdicts, by what became of them.",
    ),
    counter(
        "vouch_submissions_total",
        API,
        &[listed("outcome", &["taken", "repeated", "refused", "failed"])],
        "Submissions of learners. `repeated`: the same Idempotency-Key again.",
    ),
    counter("vouch_attempts_moved_total", BOTH, &[STATUS], "Attempts that came into this status."),
    histogram(
        ("vouch_verdict_seconds", LONG),
        BOTH,
        &[listed("status", &["approved", "denied"])],
        "From the learner's submission to the verdict, whoever gave it.",
    ),
    counter(
        "vouch_mails_total",
        WORKER,
        &[listed("outcome", &["sent", "mail_server", "mail_refused", "mail_address", "mail_unsendable", "settings"])],
        "Tries to send a mail: sent, or the error class.",
    ),
    counter(
        "vouch_credit_updates_total",
        WORKER,
        &[listed("outcome", &["not_required", "kept", "set", "eligible"])],
        "Updates of credit requirements.",
    ),
    counter("vouch_events_delivered_total", WORKER, &[], "Events that the analytics service took."),
    counter(
        "vouch_http_requests_total",
        API,
        &[ROUTE, listed("class", &["2xx", "3xx", "4xx", "5xx"])],
        "Requests, by route and class of status.",
    ),
    histogram(("vouch_http_seconds", QUICK), API, &[ROUTE], "How long requests took."),
    gauge(
        "vouch_server_up",
        BOTH,
        &[listed("server", &["database", "redis", "storage"])],
        "1 when the server answered when last asked.",
    ),
    counter("vouch_traces_sent_total", BOTH, &[listed("outcome", &["sent", "failed"])], "Batches of spans for the collector."),
];

impl Metric {
    /// Every combination of its labels' values; one empty one without labels.
    #[must_use]
    pub fn series(&self, routes: &[String]) -> Vec<Vec<(&'static str, String)>> {
        let mut all = vec![Vec::new()];
        for label in self.labels {
            let values = label.values.list(routes);
            all = all
                .into_iter()
                .flat_map(|series: Vec<(&'static str, String)>| {
                    values.iter().map(move |value| [series.as_slice(), &[(label.name, value.clone())]].concat())
                })
                .collect();
        }
        all
    }
}

impl Values {
    /// Every value.
    #[must_use]
    pub fn list(&self, routes: &[String]) -> Vec<String> {
        match self {
            Self::Listed(values) => values.iter().map(ToString::to_string).collect(),
            Self::Known(values) => values().into_iter().map(str::to_owned).collect(),
            Self::Routes => routes.to_vec(),
        }
    }
}

/// The page `docs/metrics.md`.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         Made from `common/src/telemetry/catalogue.rs` by `scripts/generate`; do not edit.\n\n\
         The api and each worker with `--metrics-listen` show theirs at `/metrics`. Every series is there from the \
         start, with 0. Gauges of the queues are the whole cluster's and are shown by each worker that has the queue \
         `upkeep`: take the `max`, not the sum. Counters and histograms are the process' own: sum them. Nothing \
         personal is in any.\n\n\
         | Metric | Kind | Shown by | Labels | Meaning |\n|---|---|---|---|---|\n",
    );
    for metric in CATALOGUE {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let names = [(Api, "api"), (Worker, "worker")];
        let shown: Vec<&str> =
            names.iter().filter(|(program, _)| metric.programs.contains(program)).map(|(_, name)| *name).collect();
        let labels: Vec<String> = metric.labels.iter().map(Label::markdown).collect();
        // Writing to a string can't fail.
        let _ = writeln!(page, "| `{}` | {kind} | {} | {} | {} |", metric.name, shown.join(", "), labels.join("; "), metric.help);
    }
    page.push_str("\nHistograms have these bounds, in seconds:\n\n");
    for metric in CATALOGUE {
        if let Kind::Histogram(bounds) = metric.kind {
            let bounds: Vec<String> = bounds.iter().map(ToString::to_string).collect();
            let _ = writeln!(page, "- `{}`: {}", metric.name, bounds.join(", "));
        }
    }
    page
}

impl Label {
    fn markdown(&self) -> String {
        match self.values {
            Values::Routes => format!("`{}`: each route of the api, or `none`", self.name),
            values => format!("`{}`: {}", self.name, values.list(&[]).join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_name_says_the_kind_and_the_unit() {
        for metric in CATALOGUE {
            assert!(metric.name.starts_with("vouch_"), "{}", metric.name);
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
            if matches!(metric.kind, Kind::Histogram(_)) {
                assert!(metric.name.ends_with("_seconds"), "{}", metric.name);
            }
        }
        let names: BTreeSet<_> = CATALOGUE.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), CATALOGUE.len(), "each once");
    }

    #[test]
    fn bounds_rise() {
        for bounds in [QUICK, PATIENT, LONG] {
            assert!(bounds.is_sorted());
        }
    }

    #[test]
    fn series_are_every_combination() {
        let jobs = CATALOGUE.iter().find(|metric| metric.name == "vouch_jobs_total").map(|metric| metric.series(&[]).len());
        assert_eq!(jobs, Some((Effect::KINDS.len() + 1) * 7));
        let left = CATALOGUE.iter().find(|metric| metric.name == "vouch_retries_left").map(|metric| metric.series(&[]));
        assert_eq!(left, Some(vec![Vec::new()]));
    }
}
