//! Every column that can hold text, JSON or bytes, with the kind that stands in it or why it is about no learner.
//!
//! A test compares the list with the tables, so that no column is forgotten.

use super::Kind;

/// Whom a column is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// A person, with data of this kind.
    Person(Kind),
    /// No learner; what it is about instead.
    Nobody(&'static str),
}

/// Columns of one table that are about the same.
#[derive(Debug, Clone, Copy)]
pub struct Columns {
    /// The table.
    pub table: &'static str,
    /// Whom they are about.
    pub about: About,
    /// The columns.
    pub names: &'static [&'static str],
}

const fn person(table: &'static str, kind: Kind, names: &'static [&'static str]) -> Columns {
    Columns { table, about: About::Person(kind), names }
}

const fn nobody(table: &'static str, what: &'static str, names: &'static [&'static str]) -> Columns {
    Columns { table, about: About::Nobody(what), names }
}

/// All of them, by table.
pub const COLUMNS: &[Columns] = &[
    person("analytics_events", Kind::Events, &["name", "properties"]),
    nobody("api_keys", "the name, digest and rights of a program's or an operator's key", &["digest", "name", "scopes"]),
    person("attempt_events", Kind::AttemptDetails, &["detail"]),
    person("attempt_events", Kind::Decisions, &["actor", "from_status", "kind", "to_status"]),
    person("attempts", Kind::AttemptDetails, &["error_code", "error_msg", "name", "trace"]),
    person("attempts", Kind::Uploads, &["face_upload", "photo_id_upload"]),
    person("attempts", Kind::Faces, &["face_key", "face_object"]),
    person("attempts", Kind::IdPhotos, &["photo_id_key", "photo_id_object"]),
    nobody("attempts", "the id of a master key", &["upload_master_key"]),
    person("attempts", Kind::Decisions, &["reviewing_service", "reviewing_user", "status", "vendor_format"]),
    nobody("breakers", "how the vendor does", &["forced", "queue", "reason", "state", "suspects", "vendor"]),
    person("checkpoint_statuses", Kind::Decisions, &["status"]),
    nobody("checkpoints", "places in courses", &["course_key", "usage"]),
    nobody("country_access_rules", "countries of a course", &["country", "course_key", "rule"]),
    nobody("course_modes", "what a course is sold as", &["course_key", "currency", "display_name", "sku", "slug"]),
    nobody("courses", "courses", &["course_key", "display_name"]),
    nobody("credit_courses", "courses", &["course_key"]),
    person("credit_eligibilities", Kind::Decisions, &["course_key"]),
    nobody("credit_providers", "who gives credit", &["course_key", "display_name", "provider_id"]),
    person("credit_requests", Kind::CreditApplications, &["parameters"]),
    person("credit_requests", Kind::Decisions, &["course_key", "provider_id", "status"]),
    person("credit_requirement_statuses", Kind::CreditReasons, &["reason"]),
    person("credit_requirement_statuses", Kind::Decisions, &["status"]),
    nobody("credit_requirements", "what a course demands", &["course_key", "criteria", "display_name", "name", "namespace"]),
    nobody("dead_tallies", "counts", &["fingerprint", "queue"]),
    person("enrollments", Kind::Profiles, &["course_key", "mode"]),
    person("erasures", Kind::Erasures, &["counts", "public_key", "receipt", "requested_by", "signature", "status"]),
    nobody(
        "error_groups",
        "a failure with its numbers and names taken out",
        &["error_class", "error_code", "fingerprint", "kind", "message", "queue"],
    ),
    person("flow_choices", Kind::Drafts, &["contribution", "course_key"]),
    person("job_runs", Kind::AttemptDetails, &["error", "error_class", "error_code", "kind", "outcome", "queue", "trace"]),
    person(
        "jobs",
        Kind::Jobs,
        &["args", "error_class", "error_code", "fingerprint", "kind", "last_error", "phase", "queue", "trace"],
    ),
    person("operator_actions", Kind::Audit, &["action", "actor", "detail", "reason", "target"]),
    person("order_items", Kind::Orders, &["course_key", "currency", "line_desc", "mode", "status"]),
    person("orders", Kind::Payers, &["billed_to"]),
    person("orders", Kind::Orders, &["currency", "processor_reference", "status"]),
    nobody(
        "queue_controls",
        "what holds a queue back, and the name of the operator's key",
        &["limit_reason", "paused_by", "paused_reason", "queue", "reason"],
    ),
    nobody("queue_samples", "counts", &["queue"]),
    nobody("restricted_courses", "courses", &["course_key", "message_key"]),
    person("retries", Kind::Audit, &["created_by", "filter", "reason", "status"]),
    person("retry_items", Kind::BulkRetries, &["outcome"]),
    person("retry_keys", Kind::BulkRetries, &["body_digest", "caller", "key"]),
    nobody(
        "reverification_blocks",
        "places in courses",
        &["chapter", "course_key", "position", "related_assessment", "section", "usage"],
    ),
    nobody("schedule_ticks", "when a task last ran", &["task"]),
    person("skipped_reverifications", Kind::Profiles, &["course_key"]),
    person("submission_keys", Kind::SubmissionKeys, &["answer", "body_digest", "caller", "key"]),
    nobody("switches", "settings, and the name of the key that turned them", &["changed_by", "name"]),
    person("user_name_changes", Kind::FormerNames, &["new_name", "old_name"]),
    person("users", Kind::Profiles, &["country", "email", "full_name", "username"]),
    person(
        "vendor_callbacks",
        Kind::Callbacks,
        &["body_digest", "body_sealed", "event_key", "outcome", "receipt", "vendor", "verdict"],
    ),
    nobody(
        "verification_deadline_changes",
        "a course's deadlines, and the name of the key that set them",
        &["actor", "change", "course_key"],
    ),
    nobody("verification_deadline_removals", "courses", &["course_key"]),
    nobody("verification_deadlines", "courses", &["course_key"]),
];
