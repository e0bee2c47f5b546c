//! Finding jobs among a million: each statement walks one index in the order of the list and stops at a page.
//!
//! What a failure is (kind, class, code) is its group's, and groups are few; so whatever is asked of failures
//! becomes a list of fingerprints, each with its own stretch of an index.

use chrono::{DateTime, Utc};

use super::{Connection, StoreError};
use crate::domain::{
    effect::{Effect, Queue},
    page::Key,
};

/// Most groups that one search looks through.
const GROUPS_MAX: i64 = 1_000;

/// What failures have in common that are looked for; nothing given: all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupFilter {
    /// The queue.
    pub queue: Option<String>,
    /// The kind of job.
    pub kind: Option<String>,
    /// The class.
    pub error_class: Option<String>,
    /// The far side's code.
    pub error_code: Option<String>,
    /// The group itself.
    pub fingerprint: Option<String>,
}

impl GroupFilter {
    /// Whether it asks for failures: a queue and a kind alone do not.
    #[must_use]
    pub const fn is_of_failures(&self) -> bool {
        self.error_class.is_some() || self.error_code.is_some() || self.fingerprint.is_some()
    }
}

/// Which stretches of an index are walked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Among {
    /// The jobs of these queues, of that kind if one is given.
    Queues(Vec<String>, Option<String>),
    /// The failures of these groups.
    Groups(Vec<String>),
}

impl Among {
    /// The queues on which jobs of a queue and kind can be; all when neither is given.
    pub(crate) fn queues(queue: Option<&str>, kind: Option<&str>) -> Self {
        let of_kind = kind.and_then(Effect::queue_of);
        let may_be = |wanted: &Queue| {
            of_kind.is_none_or(|of_kind| of_kind == *wanted) && queue.is_none_or(|queue| queue == wanted.as_str())
        };
        let queues = Queue::ALL.iter().filter(|wanted| may_be(wanted)).map(|wanted| wanted.as_str().to_owned()).collect();
        Self::Queues(queues, kind.map(str::to_owned))
    }

    /// How many stretches of the index are walked.
    pub(crate) fn stretches(&self) -> i64 {
        let (Self::Queues(names, _) | Self::Groups(names)) = self;
        i64::try_from(names.len()).unwrap_or(i64::MAX)
    }
}

/// Where a page begins and how much of it there is. Jobs that died at `dead_before` or later are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) after: Key,
    pub(crate) dead_before: Option<DateTime<Utc>>,
    pub(crate) limit: i64,
}

/// When a job may be due, and in which phase it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DueFilter<'a> {
    pub(crate) after: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
    pub(crate) phase: Option<&'a str>,
}

/// A job that is due some time, and when it was born.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NextJob {
    pub(crate) at: DateTime<Utc>,
    pub(crate) id: i64,
    pub(crate) created_at: DateTime<Utc>,
}

impl NextJob {
    pub(crate) const fn key(&self) -> Key {
        Key { at: self.at, id: self.id }
    }
}

struct Found {
    at: DateTime<Utc>,
    id: i64,
}

impl From<Found> for Key {
    fn from(found: Found) -> Self {
        Self { at: found.at, id: found.id }
    }
}

/// The groups of failures that fit, by fingerprint.
pub(crate) async fn groups(conn: &mut Connection, filter: &GroupFilter) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"
        SELECT fingerprint FROM error_groups
        WHERE ($1::text IS NULL OR queue = $1) AND ($2::text IS NULL OR kind = $2)
          AND ($3::text IS NULL OR error_class = $3) AND ($4::text IS NULL OR error_code = $4)
          AND ($5::text IS NULL OR fingerprint = $5)
        ORDER BY first_seen DESC, fingerprint
        LIMIT $6
        "#,
        filter.queue,
        filter.kind,
        filter.error_class,
        filter.error_code,
        filter.fingerprint,
        GROUPS_MAX,
    )
    .fetch_all(conn)
    .await?)
}

/// Jobs in any state, the newest first.
pub(crate) async fn newest(conn: &mut Connection, among: &Among, stretch: Stretch) -> Result<Vec<Key>, StoreError> {
    let found = match among {
        Among::Queues(queues, kind) => {
            sqlx::query_as!(
                Found,
                r#"
                SELECT found.created_at AS "at!", found.id AS "id!"
                FROM unnest($1::text[]) AS wanted (queue) CROSS JOIN LATERAL (
                    SELECT created_at, id FROM jobs
                    WHERE jobs.queue = wanted.queue AND (created_at, id) < ($2, $3)
                      AND ($4::timestamptz IS NULL OR dead_at IS NULL OR dead_at < $4) AND ($5::text IS NULL OR kind = $5)
                    ORDER BY created_at DESC, id DESC
                    LIMIT $6) AS found
                ORDER BY 1 DESC, 2 DESC
                LIMIT $6
                "#,
                queues,
                stretch.after.at,
                stretch.after.id,
                stretch.dead_before,
                kind.as_deref(),
                stretch.limit,
            )
            .fetch_all(conn)
            .await?
        }
        Among::Groups(groups) => {
            sqlx::query_as!(
                Found,
                r#"
                SELECT found.created_at AS "at!", found.id AS "id!"
                FROM unnest($1::text[]) AS wanted (fingerprint) CROSS JOIN LATERAL (
                    SELECT created_at, id FROM jobs
                    WHERE jobs.fingerprint = wanted.fingerprint AND (created_at, id) < ($2, $3)
                      AND ($4::timestamptz IS NULL OR dead_at IS NULL OR dead_at < $4)
                    ORDER BY created_at DESC, id DESC
                    LIMIT $5) AS found
                ORDER BY 1 DESC, 2 DESC
                LIMIT $5
                "#,
                groups,
                stretch.after.at,
                stretch.after.id,
                stretch.dead_before,
                stretch.limit,
            )
            .fetch_all(conn)
            .await?
        }
    };
    Ok(found.into_iter().map(Key::from).collect())
}

/// Dead jobs, the last that died first.
pub(crate) async fn dead(conn: &mut Connection, among: &Among, (after, limit): (Key, i64)) -> Result<Vec<Key>, StoreError> {
    let found = match among {
        Among::Queues(queues, kind) => {
            sqlx::query_as!(
                Found,
                r#"
                SELECT found.dead_at AS "at!", found.id AS "id!"
                FROM unnest($1::text[]) AS wanted (queue) CROSS JOIN LATERAL (
                    SELECT dead_at, id FROM jobs
                    WHERE jobs.queue = wanted.queue AND dead_at IS NOT NULL AND (dead_at, id) < ($2, $3)
                      AND ($4::text IS NULL OR kind = $4)
                    ORDER BY dead_at DESC, id DESC
                    LIMIT $5) AS found
                ORDER BY 1 DESC, 2 DESC
                LIMIT $5
                "#,
                queues,
                after.at,
                after.id,
                kind.as_deref(),
                limit,
            )
            .fetch_all(conn)
            .await?
        }
        Among::Groups(groups) => {
            sqlx::query_as!(
                Found,
                r#"
                SELECT found.dead_at AS "at!", found.id AS "id!"
                FROM unnest($1::text[]) AS wanted (fingerprint) CROSS JOIN LATERAL (
                    SELECT dead_at, id FROM jobs
                    WHERE jobs.fingerprint = wanted.fingerprint AND dead_at IS NOT NULL AND (dead_at, id) < ($2, $3)
                    ORDER BY dead_at DESC, id DESC
                    LIMIT $4) AS found
                ORDER BY 1 DESC, 2 DESC
                LIMIT $4
                "#,
                groups,
                after.at,
                after.id,
                limit,
            )
            .fetch_all(conn)
            .await?
        }
    };
    Ok(found.into_iter().map(Key::from).collect())
}

/// Jobs that are not dead, the first due first.
pub(crate) async fn next(
    conn: &mut Connection,
    among: &Among,
    due: DueFilter<'_>,
    (after, limit): (Key, i64),
) -> Result<Vec<NextJob>, StoreError> {
    // One bound at each end: an index with two of them at one end may start at the wrong one.
    let after = after.max(Key { at: due.after, id: i64::MAX });
    let found = match among {
        Among::Queues(queues, kind) => {
            sqlx::query_as!(
                NextJob,
                r#"
                SELECT found.due_at AS "at!", found.id AS "id!", found.created_at AS "created_at!"
                FROM unnest($1::text[]) AS wanted (queue) CROSS JOIN LATERAL (
                    SELECT due_at, id, created_at FROM jobs
                    WHERE jobs.queue = wanted.queue AND dead_at IS NULL AND (due_at, id) > ($2, $3)
                      AND due_at <= $4 AND ($5::text IS NULL OR phase = $5) AND ($6::text IS NULL OR kind = $6)
                    ORDER BY due_at, id
                    LIMIT $7) AS found
                ORDER BY 1, 2
                LIMIT $7
                "#,
                queues,
                after.at,
                after.id,
                due.until,
                due.phase,
                kind.as_deref(),
                limit,
            )
            .fetch_all(conn)
            .await?
        }
        Among::Groups(groups) => {
            sqlx::query_as!(
                NextJob,
                r#"
                SELECT found.due_at AS "at!", found.id AS "id!", found.created_at AS "created_at!"
                FROM unnest($1::text[]) AS wanted (fingerprint) CROSS JOIN LATERAL (
                    SELECT due_at, id, created_at FROM jobs
                    WHERE jobs.fingerprint = wanted.fingerprint AND dead_at IS NULL AND (due_at, id) > ($2, $3)
                      AND due_at <= $4 AND ($5::text IS NULL OR phase = $5)
                    ORDER BY due_at, id
                    LIMIT $6) AS found
                ORDER BY 1, 2
                LIMIT $6
                "#,
                groups,
                after.at,
                after.id,
                due.until,
                due.phase,
                limit,
            )
            .fetch_all(conn)
            .await?
        }
    };
    Ok(found)
}
