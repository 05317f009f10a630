use rdkafka::ClientConfig;

/// What every client has unless the user's properties differ.
///
/// A broker that is paused or cut off answers nothing and closes no connection. librdkafka then waits for its timeouts
/// before it looks for the partition's new leader: 60 s for a request and 30 s for a connection by default. With these
/// values it is seconds. The price: a request that a slow broker does not answer within 6 s is sent again, on a new
/// connection. `docs/decisions.md` has the measurements.
const DEFAULTS: [(&str, &str); 5] = [
    ("socket.timeout.ms", "6000"),
    ("socket.connection.setup.timeout.ms", "5000"),
    // Half of it is how long librdkafka waits between the connection to the bootstrap servers and the next one. While a
    // broker is away the wait doubles with each attempt.
    ("reconnect.backoff.ms", "20"),
    ("reconnect.backoff.max.ms", "1000"),
    // After this idle time the kernel asks whether the peer is there; a connection that a firewall forgot is noticed.
    ("socket.keepalive.enable", "true"),
];

/// A client's configuration: the user's properties, and defaults for what they leave open.
#[must_use]
pub fn client_config<'a>(properties: impl Iterator<Item = (&'a str, &'a str)>) -> ClientConfig {
    let mut client = ClientConfig::new();
    client.extend(properties.map(|(name, value)| (name.to_owned(), value.to_owned())));
    for (name, value) in DEFAULTS {
        set_default(&mut client, name, value);
    }
    client
}

/// The properties that a client takes over from another one: all but the brokers and the client's name, which it has of its
/// own.
pub fn without_identity<'a>(
    properties: impl Iterator<Item = (&'a str, &'a str)>,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    properties.filter(|(name, _)| !["bootstrap.servers", "client.id"].contains(name))
}

/// Sets a property unless it is set.
pub fn set_default(client: &mut ClientConfig, name: &str, value: &str) {
    if client.get(name).is_none() {
        client.set(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_properties_win() {
        let client = client_config([("socket.timeout.ms", "70000")].into_iter());
        assert_eq!(client.get("socket.timeout.ms"), Some("70000"));
        assert_eq!(client.get("reconnect.backoff.ms"), Some("20"));
    }
}
