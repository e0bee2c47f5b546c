//! Callbacks that are signed with a secret which is being replaced: told, so that it is known when it can go.

/// Why a callback is refused whose secret was good until its end.
pub(super) const ENDED: &str = "ended_secret";

/// Counts and tells a callback whose secret is not the first.
pub(super) fn tell(place: usize) {
    if place > 0 {
        metrics::counter!("vouch_callbacks_former_secret_total").increment(1);
        tracing::warn!(
            secret.place = place,
            "a callback was signed with a former secret; it must be replaced at the vendor before it is taken away"
        );
    }
}
