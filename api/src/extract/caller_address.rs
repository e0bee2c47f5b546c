//! The address that a request comes from, for country rules. Source: reference 4.2 and 4.10.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use poem::Request;

/// Most addresses of a proxy's list that are looked at.
const HOPS_MAX: usize = 20;

/// The first public address that the proxies name, else the one of the connection, if it is public.
///
/// A caller can write the header too; country rules are therefore no lock, and never more than a hint.
#[must_use]
pub fn caller_address(request: &Request) -> Option<IpAddr> {
    let forwarded = request.header("x-forwarded-for").unwrap_or_default();
    let named = forwarded.split(',').take(HOPS_MAX).filter_map(read_address);
    named.chain(connection_address(request)).find(is_public)
}

/// An address of a proxy's list; some proxies write the port too.
#[must_use]
pub fn read_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    text.parse().ok().or_else(|| text.parse().ok().map(|place: SocketAddr| place.ip()))
}

/// The address of the connection: the caller's, or that of a proxy before us.
#[must_use]
pub fn connection_address(request: &Request) -> Option<IpAddr> {
    request.remote_addr().as_socket_addr().map(SocketAddr::ip)
}

fn is_public(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(*address),
        IpAddr::V6(address) => address.to_ipv4_mapped().map_or_else(|| is_public_v6(*address), is_public_v4),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    let is_special = address.is_private() || address.is_loopback() || address.is_link_local() || address.is_broadcast();
    !(is_special || is_shared || address.is_documentation() || address.is_multicast() || a == 0 || a >= 240)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let first = address.segments()[0];
    let is_local = first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80;
    !(is_local || address.is_loopback() || address.is_unspecified() || address.is_multicast())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(forwarded: &str) -> Option<String> {
        let request = Request::builder().header("x-forwarded-for", forwarded).finish();
        caller_address(&request).map(|address| address.to_string())
    }

    #[test]
    fn the_first_public_address_of_the_proxies_counts() {
        assert_eq!(from("10.0.0.1, 203.1.2.3, 8.8.8.8").as_deref(), Some("203.1.2.3"));
        assert_eq!(from("unknown, fd00::1, 2a02:1748::5").as_deref(), Some("2a02:1748::5"));
        assert_eq!(from("::ffff:192.168.1.1, ::ffff:8.8.8.8").as_deref(), Some("::ffff:8.8.8.8"));
        assert_eq!(from("127.0.0.1, 100.64.0.1, 169.254.1.1"), None);
        assert_eq!(from("10.0.0.1:80, 203.1.2.3:51234").as_deref(), Some("203.1.2.3"), "a proxy wrote the port too");
        assert_eq!(from(""), None);
    }
}
