//! The variables `QUIPU_…` of the environment.

use std::ffi::OsString;

use crate::error::Problem;
use crate::keys::{Keys, suggestion};
use crate::layers::Setting;

const PREFIX: &str = "QUIPU_";

/// Variables that are not keys: those of the binary's own flags and of the project's scripts. The variables of tests have
/// names that begin with [`OF_TESTS`].
const RESERVED: [&str; 4] = ["QUIPU_CACHE", "QUIPU_CI", "QUIPU_CONFIG", "QUIPU_LOG"];
const OF_TESTS: &str = "QUIPU_TEST_";

/// The keys that the environment sets, in alphabetical order.
pub(super) fn settings<N: Into<OsString>, V: Into<OsString>>(
    environment: impl IntoIterator<Item = (N, V)>,
    keys: &Keys,
    problems: &mut Vec<Problem>,
) -> Vec<Setting> {
    let mut variables: Vec<(String, OsString)> = environment
        .into_iter()
        .filter_map(|(name, value)| Some((name.into().into_string().ok()?, value.into())))
        .filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty() && !is_foreign(name))
        .collect();
    variables.sort();
    let mut settings = Vec::new();
    for (name, value) in variables {
        let message = match (keys.by_variable(&name), value.into_string()) {
            (Some(target), Ok(text)) => {
                settings.push(Setting { target, text, origin: name });
                continue;
            }
            (Some(_), Err(_)) => "the value is not UTF-8".to_owned(),
            (None, _) => {
                format!("unknown variable; {}", suggestion(&name, keys.variables().chain(RESERVED.map(str::to_owned))))
            }
        };
        problems.push(Problem { origin: name, line: None, message });
    }
    settings
}

/// Whether a variable does not belong to the configuration. If a service is named `quipu`, Kubernetes and Docker's links
/// set variables such as `QUIPU_SERVICE_HOST` and `QUIPU_PORT_9464_TCP_ADDR` in other containers.
fn is_foreign(name: &str) -> bool {
    let of_service =
        name.ends_with("_PORT") || ["_SERVICE_HOST", "_SERVICE_PORT"].iter().any(|part| name.contains(part));
    let of_port = name.split("_PORT_").skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    RESERVED.contains(&name) || name.starts_with(OF_TESTS) || of_service || of_port
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_scripts_tests_and_kubernetes_are_left_alone() {
        let keys = Keys::of_defaults();
        for name in [
            "QUIPU_LOG",
            "QUIPU_CI",
            "QUIPU_TEST_KAFKA",
            "QUIPU_PORT",
            "QUIPU_SERVICE_HOST",
            "QUIPU_SERVICE_PORT_HTTP",
            "QUIPU_PORT_9464_TCP_ADDR",
            "QUIPU_AGGREGATOR_PORT_9464_TCP",
            "PATH",
            "quipu_kafka_brokers",
        ] {
            let mut problems = Vec::new();
            assert!(settings([(name, "x")], &keys, &mut problems).is_empty());
            assert_eq!(problems, [], "{name}");
            assert!(!keys.variables().any(|variable| is_foreign(&variable)));
        }
    }
}
