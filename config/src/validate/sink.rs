//! What is wrong with a sink, and its secret.

use std::ffi::OsString;

use crate::secret::secret_file;
use crate::sink::{MAX_BATCH, Sink, SinkType};

/// Kafka's limit for the name of a group is far beyond; a longer name would fill a line of the log.
const NAME_BYTES: usize = 100;

/// What is wrong with a sink: the key, and what to do.
pub(super) fn wrong(sink: &Sink) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !(1..=NAME_BYTES).contains(&sink.name.len()) || !sink.name.bytes().all(is_safe) {
        wrong.push(("name", format!("must be 1 to {NAME_BYTES} of the characters A-Z a-z 0-9 . _ -")));
    }
    for (key, is_set, kind) in keys(sink) {
        if is_set && sink.kind != kind {
            wrong.push((key, format!("is for sinks of the type {}; remove it", name_of(kind))));
        }
    }
    match sink.kind {
        SinkType::Influxdb => wrong_influxdb(sink, &mut wrong),
        SinkType::Graphite => match sink.address.as_deref() {
            Some(address) if is_host_and_port(address) => {}
            _ => wrong.push(("address", "must be host:port, such as \"localhost:2003\"".to_owned())),
        },
        SinkType::Stdout => {}
    }
    if sink.timeout.is_zero() {
        wrong.push(("timeout", "must be longer than 0s".to_owned()));
    }
    wrong
}

/// The keys that are for one type only, and whether they are set.
fn keys(sink: &Sink) -> [(&'static str, bool, SinkType); 15] {
    use SinkType::{Graphite, Influxdb};
    [
        ("url", sink.url.is_some(), Influxdb),
        ("org", sink.org.is_some(), Influxdb),
        ("bucket", sink.bucket.is_some(), Influxdb),
        ("database", sink.database.is_some(), Influxdb),
        ("retention_policy", sink.retention_policy.is_some(), Influxdb),
        ("user", sink.user.is_some(), Influxdb),
        ("secret_file", sink.secret_file.is_some(), Influxdb),
        ("secret_variable", sink.secret_variable.is_some(), Influxdb),
        ("ca_file", sink.ca_file.is_some(), Influxdb),
        ("batch", sink.batch.is_some(), Influxdb),
        ("gzip", sink.gzip.is_some(), Influxdb),
        ("address", sink.address.is_some(), Graphite),
        ("template", sink.template.is_some(), Graphite),
        ("tags", sink.tags, Graphite),
        ("settle", sink.settle.is_some(), Graphite),
    ]
}

fn wrong_influxdb(sink: &Sink, wrong: &mut Vec<(&'static str, String)>) {
    if cfg!(not(feature = "influxdb")) {
        wrong.push(("type", "this build has none of it; build Quipu with the feature influxdb (a default)".to_owned()));
    }
    let path = sink.url.as_deref().and_then(path_of);
    if path.is_none() {
        wrong.push(("url", "must be a URL without user and query, such as \"http://localhost:8086\"".to_owned()));
    }
    // The servers' own words for an empty name come only with the first write.
    let named = [("bucket", &sink.bucket), ("database", &sink.database), ("retention_policy", &sink.retention_policy)];
    for (key, name) in named {
        if name.as_ref().is_some_and(|name| name.trim().is_empty()) {
            wrong.push((key, "must not be empty".to_owned()));
        }
    }
    match (&sink.bucket, &sink.database) {
        (Some(_), Some(_)) => {
            wrong.push(("database", "is for the v1 API, bucket for v2; remove one of them".to_owned()));
        }
        (None, None) => wrong.push(("bucket", "is missing (v2 API), or database (v1 API)".to_owned())),
        (Some(_), None) => {
            if path.is_some_and(|path| !path.trim_matches('/').is_empty()) {
                wrong.push(("url", "can't have a path with the v2 API; use a database (v1 API)".to_owned()));
            }
            if sink.user.is_some() || sink.retention_policy.is_some() {
                wrong.push(("bucket", "is for the v2 API, which has no user and no retention_policy".to_owned()));
            }
        }
        (None, Some(_)) => {
            if sink.org.is_some() {
                wrong.push(("org", "is for the v2 API; remove it".to_owned()));
            }
            if sink.user.is_none() && (sink.secret_file.is_some() || sink.secret_variable.is_some()) {
                wrong.push(("user", "is missing, whose password the secret is".to_owned()));
            }
        }
    }
    if !(1..=MAX_BATCH).contains(&sink.batch()) {
        wrong.push(("batch", format!("must be 1 to {MAX_BATCH}")));
    }
}

/// Reads the secret of a sink from its file or its variable.
///
/// # Errors
/// The key, and what to do.
pub(crate) fn secret(
    sink: &Sink,
    environment: &[(OsString, OsString)],
) -> Result<Option<String>, (&'static str, String)> {
    let (key, text): (_, String) = match (&sink.secret_file, &sink.secret_variable) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(("secret_file", "is set beside secret_variable; remove one of the two".to_owned()));
        }
        (Some(path), None) => ("secret_file", secret_file(path).map_err(|why| ("secret_file", why))?),
        (None, Some(variable)) => {
            let value = environment.iter().find(|(name, _)| name == variable.as_str()).map(|(_, value)| value);
            let value = value.and_then(|value| value.to_str()).filter(|value| !value.is_empty());
            let missing = || ("secret_variable", format!("the variable {variable} is not set, or not text"));
            ("secret_variable", value.ok_or_else(missing)?.to_owned())
        }
    };
    if text.chars().any(char::is_control) {
        return Err((key, "the secret has more than one line, or control characters".to_owned()));
    }
    Ok(Some(text))
}

/// The path of a URL with neither user nor query.
fn path_of(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_wrong = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | '?' | '#' | '\\');
    (!host.is_empty() && !rest.contains(is_wrong)).then_some(path)
}

fn is_host_and_port(address: &str) -> bool {
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    address.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control()) && is_port(port)
    })
}

fn name_of(kind: SinkType) -> &'static str {
    match kind {
        SinkType::Influxdb => "influxdb",
        SinkType::Graphite => "graphite",
        SinkType::Stdout => "stdout",
    }
}
