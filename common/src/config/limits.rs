//! How much of whom: requests, connections, bodies.

use std::{num::NonZeroU32, time::Duration};

use ipnet::IpNet;

use super::read::Reader;

/// Most networks of proxies.
const PROXIES_MAX: usize = 100;
/// Longest time over which requests are counted.
const PERIOD_MAX: Duration = Duration::from_hours(24);
/// Most requests of a rate.
const REQUESTS_MAX: u32 = 10_000_000;
/// What a body takes at most, and so the least that there must be room for.
const BODY_BYTES: u64 = 24 << 20;
/// Most room for bodies.
const ROOM_BYTES_MAX: u64 = 1 << 40;

/// So many requests in so long; all of them may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub requests: NonZeroU32,
    /// In how long.
    pub period: Duration,
}

impl Rate {
    /// Reads `300/1m`.
    ///
    /// # Errors
    ///
    /// A sentence for who wrote it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let wrong = "it must be requests/time such as 300/1m, at most 10000000 requests and 1day";
        let (requests, period) = text.split_once('/').ok_or(wrong)?;
        let requests: NonZeroU32 = requests.trim().parse().map_err(|_| wrong)?;
        let period = humantime::parse_duration(period.trim()).map_err(|_| wrong)?;
        let is_in_range = requests.get() <= REQUESTS_MAX && !period.is_zero() && period <= PERIOD_MAX;
        // Each request needs a moment of its own to become free again.
        let is_fine = !(period / requests.get()).is_zero();
        if is_in_range && is_fine { Ok(Self { requests, period }) } else { Err(wrong) }
    }
}

/// What one caller may take of the api.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Requests of a learner.
    pub learner: Rate,
    /// Submissions of a learner.
    pub submissions: Rate,
    /// Requests with one key.
    pub key: Rate,
    /// Requests from one address by nobody who is known.
    pub address: Rate,
    /// Wrong keys, tokens, signatures and links from one address.
    pub failures: Rate,
    /// Connections at a time.
    pub connections: u32,
    /// How long a connection may take to send the head of its first request.
    pub header_timeout: Duration,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How many bytes of large bodies are held at a time.
    pub body_memory_bytes: u64,
}

pub(super) fn read_limits(reader: &mut Reader<'_>) -> Option<Limits> {
    let trusted_proxies =
        reader.text("VOUCH_TRUSTED_PROXIES").map_or(Some(Vec::new()), |_| reader.parse("VOUCH_TRUSTED_PROXIES", networks));
    let learner = reader.parse("VOUCH_RATE_LEARNER", Rate::parse);
    let submissions = reader.parse("VOUCH_RATE_SUBMISSIONS", Rate::parse);
    let key = reader.parse("VOUCH_RATE_KEY", Rate::parse);
    let address = reader.parse("VOUCH_RATE_ADDRESS", Rate::parse);
    let failures = reader.parse("VOUCH_RATE_FAILURES", Rate::parse);
    let connections = reader.number("VOUCH_CONNECTIONS", 10..=100_000);
    let header_timeout = reader.duration("VOUCH_HEADER_TIMEOUT", Duration::from_mins(5));
    let body_timeout = reader.duration("VOUCH_BODY_TIMEOUT", Duration::from_hours(1));
    let body_memory_bytes = reader.parse("VOUCH_BODY_MEMORY", room);
    Some(Limits {
        trusted_proxies: trusted_proxies?,
        learner: learner?,
        submissions: submissions?,
        key: key?,
        address: address?,
        failures: failures?,
        connections: connections?,
        header_timeout: header_timeout?,
        body_timeout: body_timeout?,
        body_memory_bytes: body_memory_bytes?,
    })
}

/// Networks such as `10.0.0.0/8, fd00::/8, 192.0.2.7`.
fn networks(text: &str) -> Result<Vec<IpNet>, &'static str> {
    let one = |text: &str| text.parse().or_else(|_| text.parse().map(|address: std::net::IpAddr| IpNet::from(address)));
    let networks: Result<Vec<IpNet>, _> = text.split(',').map(|text| one(text.trim())).collect();
    let networks = networks.map_err(|_| "it must be addresses or networks such as 10.0.0.0/8, comma separated")?;
    if networks.len() > PROXIES_MAX { Err("it must not name more than 100 networks") } else { Ok(networks) }
}

/// A size such as `256MiB`.
fn room(text: &str) -> Result<u64, &'static str> {
    let wrong = "it must be a size from 24MiB to 1024GiB, such as 256MiB";
    let (number, shift) = match (text.strip_suffix("MiB"), text.strip_suffix("GiB")) {
        (Some(number), _) => (number, 20),
        (_, Some(number)) => (number, 30),
        _ => return Err(wrong),
    };
    let number: u64 = number.trim().parse().map_err(|_| wrong)?;
    let bytes = number.checked_mul(1 << shift).ok_or(wrong)?;
    if (BODY_BYTES..=ROOM_BYTES_MAX).contains(&bytes) { Ok(bytes) } else { Err(wrong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_requests_in_a_time_and_both_have_bounds() {
        let rate = Rate::parse("300/1m").unwrap();
        assert_eq!((rate.requests.get(), rate.period), (300, Duration::from_mins(1)));
        for wrong in ["", "300", "0/1m", "-1/1m", "300/0s", "300/2days", "10000001/1day", "300/1", "10000000/1ms", "x/1m"] {
            assert!(Rate::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn proxies_are_networks_or_addresses() {
        assert_eq!(networks("10.0.0.0/8, fd00::/8,192.0.2.7").unwrap().len(), 3);
        for wrong in ["10.0.0.0/33", "proxy", "10.0.0.1,,10.0.0.2", &["10.0.0.1"; 101].join(",")] {
            assert!(networks(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn there_is_room_for_one_body_at_least() {
        assert_eq!(room("24MiB"), Ok(24 << 20));
        assert_eq!(room("2GiB"), Ok(2 << 30));
        for wrong in ["23MiB", "1025GiB", "99999999999999999999GiB", "18446744073709551615MiB", "256", "MiB", "-24MiB"] {
            assert!(room(wrong).is_err(), "{wrong}");
        }
    }
}
