//! How much one caller may take: requests by learner, by key and by address, and wrong credentials by address.
//!
//! Counted in this process alone, so with several processes a caller has several times as much. A right credential is
//! never refused for the wrong ones that others at the same address tried: nobody can lock anybody out.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use ipnet::IpNet;
use poem::{Endpoint, IntoResponse, Request, Response, http::HeaderMap};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vouch_common::config;

use crate::{
    error::Fault,
    extract::{caller_address::read_address, learner},
    state::AppState,
};

/// Most callers that are counted each for themselves; those beyond share one count.
const CALLERS_MAX: usize = 100_000;
/// After so many requests callers who have all their requests again are forgotten.
const SWEEP_EVERY: u64 = 8_192;
/// Room for bodies is given in pieces of so many bytes.
const PIECE_BYTES: usize = 64 * 1024;
/// How long a body waits for room.
const ROOM_PATIENCE: Duration = Duration::from_secs(2);
/// Most addresses of a proxy's list that are looked at.
const HOPS_MAX: usize = 20;
/// Paths that machines ask again and again, and files that never change.
const UNCOUNTED: [&str; 4] = ["/healthz", "/readyz", "/metrics", "/verify_student/static/"];
/// Paths where the credential is in the address or in the body.
const SIGNED: [&str; 4] =
    ["/photos/", "/callbacks/vendor", "/verify_student/results_callback", "/shoppingcart/postpay_callback/"];

/// What is counted.
#[derive(Debug, Clone, Copy)]
enum Counted {
    Learner,
    Submissions,
    Key,
    Address,
    Failures,
}

impl Counted {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Learner => "learner",
            Self::Submissions => "submissions",
            Self::Key => "key",
            Self::Address => "address",
            Self::Failures => "failures",
        }
    }
}

/// The counts of this process, and its room for bodies.
pub struct Limits {
    learners: Counter<i64>,
    submissions: Counter<i64>,
    /// Submissions of learners that were counted and could not be taken.
    spared: Mutex<HashMap<i64, u32>>,
    keys: Counter<i64>,
    addresses: Counter<IpAddr>,
    failures: Counter<IpAddr>,
    room: Arc<Semaphore>,
    trusted_proxies: Vec<IpNet>,
}

impl Limits {
    /// Nobody has asked for anything yet.
    #[must_use]
    pub fn new(limits: &config::Limits) -> Self {
        let pieces = usize::try_from(limits.body_memory_bytes).unwrap_or(usize::MAX) / PIECE_BYTES;
        Self {
            learners: Counter::new(limits.learner, Counted::Learner),
            submissions: Counter::new(limits.submissions, Counted::Submissions),
            spared: Mutex::default(),
            keys: Counter::new(limits.key, Counted::Key),
            addresses: Counter::new(limits.address, Counted::Address),
            failures: Counter::new(limits.failures, Counted::Failures),
            room: Arc::new(Semaphore::new(pieces.min(Semaphore::MAX_PERMITS))),
            trusted_proxies: limits.trusted_proxies.clone(),
        }
    }

    /// One more request of a learner.
    ///
    /// # Errors
    ///
    /// 429 when they have none left.
    pub fn of_learner(&self, user: i64) -> Result<(), Fault> {
        self.learners.take(user)
    }

    /// One more submission of a learner.
    ///
    /// # Errors
    ///
    /// 429 when they have none left.
    pub fn of_submissions(&self, user: i64) -> Result<(), Fault> {
        let mut spared = self.spared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut left) = spared.entry(user) {
            *left.get_mut() -= 1;
            if *left.get() == 0 {
                left.remove();
            }
            return Ok(());
        }
        drop(spared);
        self.submissions.take(user)
    }

    /// A submission that was counted could not be taken for a fault of ours: another is free. Who tries again and again
    /// while a server is away has all their submissions afterwards.
    pub fn spare_submission(&self, user: i64) {
        let mut spared = self.spared.lock().unwrap_or_else(PoisonError::into_inner);
        if spared.len() < CALLERS_MAX {
            *spared.entry(user).or_default() += 1;
        }
    }

    /// One more request with a key; the one of the settings has no number.
    ///
    /// # Errors
    ///
    /// 429 when it has none left.
    pub fn of_key(&self, key: Option<i64>) -> Result<(), Fault> {
        self.keys.take(key.unwrap_or_default())
    }
}

/// A count for each caller, of bounded size.
struct Counter<K: Hash + Eq + Clone> {
    limiter: DefaultKeyedRateLimiter<Option<K>>,
    clock: DefaultClock,
    taken: AtomicU64,
    counted: Counted,
}

impl<K: Hash + Eq + Clone> Counter<K> {
    fn new(rate: config::Rate, counted: Counted) -> Self {
        let one = rate.period / rate.requests.get();
        // A rate is only made with a moment for each request.
        let quota = Quota::with_period(one).unwrap_or(Quota::per_second(rate.requests)).allow_burst(rate.requests);
        Self { limiter: RateLimiter::keyed(quota), clock: DefaultClock::default(), taken: AtomicU64::new(0), counted }
    }

    fn take(&self, caller: K) -> Result<(), Fault> {
        if self.taken.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        let caller = (self.limiter.len() < CALLERS_MAX).then_some(caller);
        self.limiter.check_key(&caller).map_err(|full| {
            metrics::counter!("vouch_limited_total", "limit" => self.counted.as_str()).increment(1);
            let wait = full.wait_time_from(self.clock.now());
            Fault::TooMany(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
        })
    }
}

/// What is known of a request beside what stands in it: it lives as long as its answer is made.
#[derive(Clone)]
struct Visit(Arc<Known>);

struct Known {
    address: IpAddr,
    is_proven: AtomicBool,
    room: Mutex<Vec<OwnedSemaphorePermit>>,
}

/// Counts requests of nobody by their address, and keeps what a request may hold until it is answered.
///
/// # Errors
///
/// Those of the endpoint.
pub async fn counted<E: Endpoint>(next: Arc<E>, mut request: Request) -> poem::Result<Response> {
    let Some(state) = request.data::<AppState>().cloned() else { return Err(Fault::Internal.into()) };
    let limits = state.limits();
    let path = request.uri().path();
    let is_free = UNCOUNTED.iter().any(|free| path.starts_with(free));
    let is_api = path.starts_with("/api/");
    let peer = request.remote_addr().as_socket_addr().map(SocketAddr::ip).filter(|_| !is_free);
    let Some(address) = peer.map(|peer| address_of(peer, request.headers(), &limits.trusted_proxies)) else {
        return next.call(request).await.map(IntoResponse::into_response);
    };
    let refusal = |fault: Fault| if is_api { fault.problem() } else { fault.plain() };
    let has_credential = has_credential(&request);
    if !has_credential && let Err(fault) = limits.addresses.take(address) {
        return Ok(refusal(fault));
    }
    let visit = Visit(Arc::new(Known { address, is_proven: AtomicBool::new(false), room: Mutex::default() }));
    request.set_data(visit.clone());
    let answer = next.call(request).await.map(IntoResponse::into_response);
    // A credential that nothing looked at is none.
    if has_credential
        && !visit.0.is_proven.load(Ordering::Relaxed)
        && let Err(fault) = limits.addresses.take(address)
    {
        return Ok(refusal(fault));
    }
    answer
}

fn has_credential(request: &Request) -> bool {
    let path = request.uri().path();
    let cookies = || request.headers().get_all("cookie").iter().filter_map(|value| value.to_str().ok());
    let has_session = || cookies().any(|text| text.contains(learner::SESSION_COOKIE) || text.contains("vouch_ops="));
    request.headers().contains_key("authorization") || SIGNED.iter().any(|signed| path.starts_with(signed)) || has_session()
}

/// The request's credential is right.
pub fn proven(request: &Request) {
    if let Some(Visit(known)) = request.data::<Visit>() {
        known.is_proven.store(true, Ordering::Relaxed);
    }
}

/// The request's credential is wrong: `otherwise`.
///
/// # Errors
///
/// 429 when too many wrong ones came from there.
pub fn failed<T>(request: &Request, otherwise: impl FnOnce() -> T) -> Result<T, Fault> {
    let (Some(Visit(known)), Some(state)) = (request.data::<Visit>(), request.data::<AppState>()) else {
        return Ok(otherwise());
    };
    // It is counted as a failure, and not once more as a request of nobody.
    known.is_proven.store(true, Ordering::Relaxed);
    state.limits().failures.take(known.address).map(|()| otherwise())
}

/// The answer to a request whose signature is wrong: `fault`, or 429 when too many were from there.
pub fn refused(request: &Request, fault: Fault) -> Fault {
    failed(request, || fault).unwrap_or_else(|too_many| too_many)
}

/// Room for a large body of a request, which grows as the body comes; it is given back when the request is answered,
/// or the body refused.
pub struct Room<'a> {
    place: Option<(Arc<Semaphore>, &'a Known)>,
    pieces: usize,
}

impl<'a> Room<'a> {
    /// No room yet. Calls of our own need none: what they carry was let in before.
    #[must_use]
    pub fn of(request: &'a Request) -> Self {
        let place = request.data::<AppState>().zip(request.data::<Visit>());
        let place = place.map(|(state, Visit(known))| (Arc::clone(&state.limits().room), known.as_ref()));
        Self { place, pieces: 0 }
    }

    /// Room for so many bytes in all; waits briefly.
    ///
    /// # Errors
    ///
    /// 503 when there is none.
    pub async fn grow(&mut self, bytes: usize) -> Result<(), Fault> {
        let Some((room, known)) = &self.place else { return Ok(()) };
        let more = bytes.div_ceil(PIECE_BYTES).saturating_sub(self.pieces);
        let Ok(wanted @ 1..) = u32::try_from(more) else { return Ok(()) };
        let given = tokio::time::timeout(ROOM_PATIENCE, Arc::clone(room).acquire_many_owned(wanted)).await;
        let Ok(Ok(permit)) = given else {
            metrics::counter!("vouch_limited_total", "limit" => "room").increment(1);
            return Err(Fault::Unavailable);
        };
        self.pieces += more;
        known.room.lock().unwrap_or_else(PoisonError::into_inner).push(permit);
        Ok(())
    }

    /// Gives back what a request has: its body is refused, and what is read of it from now on is not kept.
    pub fn give_back(request: &Request) {
        if let Some(Visit(known)) = request.data::<Visit>() {
            known.room.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}

/// Where a request comes from: the connection's address, or what the last of our proxies saw.
///
/// A list is read from its end, and only as far as each address was written by a proxy that is trusted; what stands
/// before that, anybody may have written. Addresses of IPv6 are taken by network (/64), for who has one has them all.
fn address_of(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut address = peer.to_canonical();
    let headers = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let list: Vec<&str> = headers.flat_map(|text| text.split(',')).collect();
    for named in list.iter().rev().take(HOPS_MAX) {
        if !is_trusted(&address) {
            break;
        }
        let Some(named) = read_address(named) else { break };
        address = named.to_canonical();
    }
    network_of(address)
}

fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        address_of(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_list_of_addresses_is_believed_as_far_as_trusted_proxies_wrote_it() {
        let ours = ["10.0.0.0/8"];
        assert_eq!(from("8.8.8.8", &["9.9.9.9"], &[]), "8.8.8.8", "nobody is trusted");
        assert_eq!(from("8.8.8.8", &["9.9.9.9"], &ours), "8.8.8.8", "the peer is no proxy of ours");
        assert_eq!(from("10.0.0.1", &["6.6.6.6, 9.9.9.9"], &ours), "9.9.9.9", "the caller wrote the first one");
        assert_eq!(from("10.0.0.1", &["6.6.6.6", "9.9.9.9, 10.0.0.2"], &ours), "9.9.9.9");
        assert_eq!(from("10.0.0.1", &["6.6.6.6, nonsense"], &ours), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &["9.9.9.9:51234, 10.0.0.2:80"], &ours), "9.9.9.9", "a proxy wrote the port too");
        assert_eq!(from("10.0.0.1", &["[2a02:1748:0:1::5]:443"], &ours), "2a02:1748:0:1::");
        assert_eq!(from("10.0.0.1", &[], &ours), "10.0.0.1");
        assert_eq!(from("::ffff:10.0.0.1", &["::ffff:9.9.9.9"], &ours), "9.9.9.9");
    }

    #[test]
    fn whoever_has_a_network_has_one_count() {
        assert_eq!(from("2a02:1748:0:1::5", &[], &[]), from("2a02:1748:0:1:ffff::9", &[], &[]));
        assert_ne!(from("2a02:1748:0:1::5", &[], &[]), from("2a02:1748:0:2::5", &[], &[]));
    }

    #[test]
    fn callers_beyond_those_who_are_counted_share_one_count() {
        let rate = config::Rate::parse("2/1day").unwrap();
        let counter: Counter<i64> = Counter::new(rate, Counted::Learner);
        for caller in 0..i64::try_from(CALLERS_MAX).unwrap() {
            assert!(counter.take(caller).is_ok());
        }
        assert!(counter.limiter.len() <= CALLERS_MAX + 1);
        let beyond = 10 * i64::try_from(CALLERS_MAX).unwrap();
        assert!((0..10).flat_map(|more| counter.take(beyond + more)).count() <= 2);
        assert!(counter.limiter.len() <= CALLERS_MAX + 1);
    }

    #[test]
    fn a_caller_has_as_many_as_the_rate_says_and_then_waits_for_the_next() {
        let counter = Counter::new(config::Rate::parse("3/1h").unwrap(), Counted::Key);
        assert!((0..3).all(|_| counter.take(7).is_ok()) && counter.take(8).is_ok());
        let Err(Fault::TooMany(seconds)) = counter.take(7) else { panic!("a fourth was let in") };
        assert!((1..=1200).contains(&seconds), "{seconds}");
    }
}
