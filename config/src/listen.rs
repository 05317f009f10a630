//! An address to listen on.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The host and the port of an address to listen on. The host is an IP address or a name; whether the name resolves is found
/// out when it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    host: String,
    port: u16,
}

/// The text is no host and port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a host and a port, such as 127.0.0.1:9464 or localhost:9464")]
pub struct InvalidAddress;

impl ListenAddress {
    /// Returns the IP address, or the name. An IPv6 address has no brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port; 0 stands for any free one.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the address at which a program on this machine reaches a process that listens here: localhost, if the process
    /// listens on all addresses.
    #[must_use]
    pub fn reachable(&self) -> Self {
        match self.host.parse() {
            Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)) => SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)).into(),
            Ok(IpAddr::V6(Ipv6Addr::UNSPECIFIED)) => SocketAddr::from((Ipv6Addr::LOCALHOST, self.port)).into(),
            _ => self.clone(),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(address.into());
        }
        let (host, port) = text.rsplit_once(':').ok_or(InvalidAddress)?;
        let port = port.parse().map_err(|_| InvalidAddress)?;
        if is_name(host) { Ok(Self { host: host.to_owned(), port }) } else { Err(InvalidAddress) }
    }
}

/// Whether this may be the name of a host. Four numbers between dots are an IP address, which has been parsed before.
fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or_default();
    host.len() <= 253 && host.split('.').all(is_label) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        // The text of an IPv6 address has its scope, too.
        let text = address.to_string();
        let host = text.rsplit_once(':').map_or(text.as_str(), |(host, _)| host);
        Self { host: host.trim_matches(['[', ']']).to_owned(), port: address.port() }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> ListenAddress {
        text.parse().expect(text)
    }

    #[test]
    fn a_host_is_an_ip_address_or_a_name() {
        for (text, host) in [
            ("127.0.0.1:9464", "127.0.0.1"),
            ("[::]:0", "::"),
            ("[fe80::1%3]:80", "fe80::1%3"),
            ("localhost:80", "localhost"),
            ("quipu-0.quipu.svc.cluster.local:9464", "quipu-0.quipu.svc.cluster.local"),
            ("host.:1", "host."),
            ("my_host:1", "my_host"),
        ] {
            assert_eq!((address(text).host(), address(text).to_string().as_str()), (host, text));
        }
        let long = format!("{}:1", "a".repeat(64));
        for text in [
            "",
            ":",
            ":9464",
            "9464",
            "localhost",
            "localhost:",
            "localhost:x",
            "localhost:65536",
            "a b:1",
            "::1:80x",
            "::1",
            "[::1]",
            "[localhost]:1",
            "http://localhost:1",
            "a..b:1",
            "256.0.0.1:1",
            "1.2.3:1",
            "a/b:1",
            &long,
        ] {
            assert_eq!(text.parse::<ListenAddress>(), Err(InvalidAddress), "{text}");
        }
    }

    #[test]
    fn a_process_that_listens_on_all_addresses_is_reached_on_localhost() {
        let reached = |text: &str| address(text).reachable().to_string();
        assert_eq!(reached("0.0.0.0:9464"), "127.0.0.1:9464");
        assert_eq!(reached("[::]:9464"), "[::1]:9464");
        assert_eq!(reached("10.0.0.1:80"), "10.0.0.1:80");
        assert_eq!(reached("quipu.example:80"), "quipu.example:80");
    }
}
