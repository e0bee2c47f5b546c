//! Every route of the api, and who may call it.

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Whoever comes.
    Anybody,
    /// A learner, for themselves; others are sent to sign in.
    Learner,
    /// A key with a scope that does for this one.
    Key(Scope),
    /// Whoever holds a signed link.
    Link,
    /// The vendor in the format `software-secure`, by its signature.
    SoftwareSecure,
    /// The vendor in the format `sealed`, by its signature.
    Sealed,
    /// CyberSource, by its signature.
    Payments,
    /// Who is signed in at the console.
    Console,
    /// Who is signed in at the console with a key that may act.
    ConsoleOperator,
}

/// What a key must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Any,
    Write,
    Read,
    Operate,
    Admin,
}

impl Scope {
    /// Whether a key with this one scope may pass.
    pub(super) fn admits(self, held: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Write => matches!(held, "lms:write" | "admin"),
            Self::Read => matches!(held, "attempts:read" | "attempts:operate" | "admin"),
            Self::Operate => matches!(held, "attempts:operate" | "admin"),
            Self::Admin => held == "admin",
        }
    }
}

use Scope::{Admin, Any, Operate, Read, Write};
use Who::{Anybody, Console, ConsoleOperator, Key, Learner, Link, Payments, Sealed, SoftwareSecure};

/// Method, path as the router has it, who may call it. A route without a row fails `routes`.
pub(super) const ROUTES: &[(&str, &str, Who)] = &[
    ("POST", "/verify_student/results_callback", SoftwareSecure),
    ("POST", "/callbacks/vendor", Sealed),
    ("GET", "/verify_student/start-flow/*course", Learner),
    ("GET", "/verify_student/begin-flow/*course", Learner),
    ("GET", "/verify_student/upgrade/*course", Learner),
    ("GET", "/verify_student/verify-now/*course", Learner),
    ("GET", "/verify_student/verify-later/*course", Learner),
    ("GET", "/verify_student/payment-confirmation/*course", Learner),
    ("GET", "/verify_student/reverify", Learner),
    ("GET", "/verify_student/reverify/*checkpoint", Learner),
    ("GET", "/verify_student/static/:file", Anybody),
    ("GET", "/verify_student/status/", Learner),
    ("GET", "/embargo/blocked-message/:access_point/:message_key/", Anybody),
    ("POST", "/verify_student/submit-photos/", Learner),
    ("POST", "/verify_student/create_order/", Learner),
    ("POST", "/verify_student/create_order", Learner),
    ("POST", "/shoppingcart/postpay_callback/", Payments),
    ("GET", "/shoppingcart/receipt/:id/", Learner),
    ("POST", "/verify_student/events/", Learner),
    ("GET", "/photos/*name", Link),
    ("GET", "/healthz", Anybody),
    ("GET", "/readyz", Anybody),
    ("GET", "/metrics", Anybody),
    ("GET", "/openapi.json", Anybody),
    ("GET", "/docs", Anybody),
    ("GET", "/ops/", Console),
    ("GET", "/ops/sign-in", Anybody),
    ("POST", "/ops/sign-in", Anybody),
    ("POST", "/ops/sign-out", Console),
    ("POST", "/ops/theme", Console),
    ("GET", "/ops/search", Console),
    ("GET", "/ops/errors", Console),
    ("GET", "/ops/attempts/:receipt", Console),
    ("GET", "/ops/attempts/:receipt/:action", Console),
    ("POST", "/ops/attempts/:receipt/:action", ConsoleOperator),
    ("GET", "/ops/jobs", Console),
    ("GET", "/ops/jobs/:id", Console),
    ("GET", "/ops/jobs/:id/:action", Console),
    ("POST", "/ops/jobs/:id/:action", ConsoleOperator),
    ("GET", "/ops/retries", Console),
    ("POST", "/ops/retries", ConsoleOperator),
    ("GET", "/ops/retries/new", Console),
    ("GET", "/ops/retries/:id", Console),
    ("POST", "/ops/retries/:id/cancel", ConsoleOperator),
    ("GET", "/ops/queues/:name", Console),
    ("POST", "/ops/queues/:name", ConsoleOperator),
    ("GET", "/ops/breakers/:vendor", Console),
    ("POST", "/ops/breakers/:vendor", ConsoleOperator),
    ("GET", "/ops/audit", Console),
    ("GET", "/ops/live/*screen", Console),
    ("GET", "/ops/:nothing", Console),
    ("GET", "/api/v1/me", Key(Any)),
    ("POST", "/api/v1/attempts", Key(Write)),
    ("GET", "/api/v1/attempts", Key(Read)),
    ("GET", "/api/v1/attempts/{receipt_id}", Key(Read)),
    ("POST", "/api/v1/attempts/{receipt_id}/approve", Key(Operate)),
    ("POST", "/api/v1/attempts/{receipt_id}/deny", Key(Operate)),
    ("POST", "/api/v1/attempts/{receipt_id}/retry", Key(Operate)),
    ("GET", "/api/v1/audit", Key(Read)),
    ("PUT", "/api/v1/breakers/{vendor}", Key(Operate)),
    ("POST", "/api/v1/bulk", Key(Write)),
    ("PUT", "/api/v1/courses/{course}", Key(Write)),
    ("GET", "/api/v1/courses/{course}/deadline", Key(Read)),
    ("GET", "/api/v1/erasures/{erasure_id}", Key(Admin)),
    ("GET", "/api/v1/errors", Key(Read)),
    ("GET", "/api/v1/jobs", Key(Read)),
    ("GET", "/api/v1/jobs/{id}", Key(Read)),
    ("DELETE", "/api/v1/jobs/{id}", Key(Operate)),
    ("POST", "/api/v1/jobs/{id}/retry", Key(Operate)),
    ("GET", "/api/v1/queues", Key(Read)),
    ("GET", "/api/v1/queues/history", Key(Read)),
    ("PUT", "/api/v1/queues/{name}/limit", Key(Operate)),
    ("POST", "/api/v1/queues/{name}/pause", Key(Operate)),
    ("POST", "/api/v1/queues/{name}/resume", Key(Operate)),
    ("GET", "/api/v1/retries", Key(Read)),
    ("POST", "/api/v1/retries", Key(Operate)),
    ("GET", "/api/v1/retries/{id}", Key(Read)),
    ("DELETE", "/api/v1/retries/{id}", Key(Operate)),
    ("GET", "/api/v1/settings/icrv-status-emails", Key(Write)),
    ("PUT", "/api/v1/settings/icrv-status-emails", Key(Write)),
    ("PUT", "/api/v1/users/{user_id}", Key(Write)),
    ("GET", "/api/v1/users/{user_id}/checkpoints/{course}", Key(Read)),
    ("GET", "/api/v1/users/{user_id}/checkpoints/{course}/{usage}", Key(Read)),
    ("POST", "/api/v1/users/{user_id}/checkpoints/{course}/{usage}/start", Key(Write)),
    ("GET", "/api/v1/users/{user_id}/credit/{course}", Key(Read)),
    ("PUT", "/api/v1/users/{user_id}/credit/{course}/grade", Key(Write)),
    ("GET", "/api/v1/users/{user_id}/credit/{course}/requests", Key(Read)),
    ("PUT", "/api/v1/users/{user_id}/credit/{course}/requests/{provider}", Key(Write)),
    ("DELETE", "/api/v1/users/{user_id}/credit/{course}/requirements/{namespace}/{name}", Key(Write)),
    ("PUT", "/api/v1/users/{user_id}/credit/{course}/requirements/{namespace}/{name}", Key(Write)),
    ("PUT", "/api/v1/users/{user_id}/enrollments/{course}", Key(Write)),
    ("GET", "/api/v1/users/{user_id}/gating/{course}", Key(Read)),
    ("DELETE", "/api/v1/users/{user_id}/skips/{course}/{usage}", Key(Write)),
    ("PUT", "/api/v1/users/{user_id}/skips/{course}/{usage}", Key(Write)),
    ("GET", "/api/v1/users/{user_id}/verification", Key(Read)),
    ("GET", "/api/v1/users/{user_id}/verification/at", Key(Read)),
    ("GET", "/api/v1/users/{user_id}/verification/courses", Key(Read)),
    ("GET", "/api/v1/users/{user_id}/verification/courses/{course}", Key(Read)),
    ("POST", "/api/v1/users/{user_id}/erasure", Key(Admin)),
    ("POST", "/api/v1/users/{user_id}/verifications", Key(Operate)),
];
