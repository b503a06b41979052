//! Where a request comes from, behind trusted proxies, too.

use std::net::IpAddr;
use std::str::FromStr;

use actix_web::http::header::{HeaderMap, HeaderName};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// An address, or all that begin with the same bits: `10.0.0.0/8`, `::1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32 - self.bits.min(32);
                own.to_bits().checked_shr(shift) == other.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128 - self.bits.min(128);
                own.to_bits().checked_shr(shift) == other.to_bits().checked_shr(shift)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            format!("`{text}` is no address or network: write for example 10.0.0.0/8 or 192.0.2.1")
        };
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| expected())?;
        let address = address.to_canonical();
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most),
            None => Some(most),
        };
        Ok(Self {
            address,
            bits: bits.ok_or_else(expected)?,
        })
    }
}

/// The address of the client: that of the connection, or, when that is a trusted proxy, the last one in `X-Forwarded-For`
/// that is none.
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer;
    if trusted.is_empty() {
        return client;
    }
    let values: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for value in values.into_iter().rev() {
        if !is_trusted(client) {
            break;
        }
        match value.trim().parse() {
            Ok(address) => client = address,
            // What is behind something that cannot be read is not believed.
            Err(_) => break,
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    #[test]
    fn only_what_trusted_proxies_say_is_believed() {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let trusted = ["10.0.0.0/8", "::1"].map(|text| text.parse().expect("a network"));
        let client = |peer: &str, forwarded: &'static str, trusted: &[Network]| {
            let mut headers = HeaderMap::new();
            headers.insert(FORWARDED_FOR, HeaderValue::from_static(forwarded));
            client_address(address(peer), &headers, trusted)
        };
        let cases = [
            ("10.1.1.1", "192.0.2.7", "192.0.2.7"),
            ("10.1.1.1", "198.51.100.1, 192.0.2.7, 10.2.2.2", "192.0.2.7"),
            ("::1", "2001:db8::1", "2001:db8::1"),
            // Nobody vouches for it.
            ("192.0.2.1", "198.51.100.1", "192.0.2.1"),
            ("10.1.1.1", "nonsense", "10.1.1.1"),
        ];
        for (peer, forwarded, expected) in cases {
            assert_eq!(client(peer, forwarded, &trusted), address(expected));
        }
        assert_eq!(client("10.1.1.1", "192.0.2.7", &[]), address("10.1.1.1"));
    }

    #[test]
    fn networks_are_written_with_their_bits() {
        for text in ["10.0.0.0/33", "10.0.0", "::/129", "", "host"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        let all: Network = "0.0.0.0/0".parse().expect("a network");
        assert!(all.contains("192.0.2.1".parse().expect("an address")));
    }
}
