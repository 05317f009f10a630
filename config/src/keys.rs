//! The keys that can be set. They are taken from the defaults.

use strsim::normalized_damerau_levenshtein;
use toml::Value;

use crate::config::Config;

/// The paths of all keys, in alphabetical order.
#[derive(Default)]
pub(super) struct Keys(Vec<Key>);

struct Key {
    path: String,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The value is text.
    Text,
    /// The value is a number or a boolean.
    Literal,
    /// A table with keys that the user chooses.
    Open,
    /// A list, which only the file can set.
    List,
}

/// A key that a variable or a flag can set.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The segments of its path.
    pub(super) path: Vec<String>,
    /// Whether its value is a number or a boolean.
    pub(super) is_literal: bool,
}

impl Keys {
    pub(super) fn of_defaults() -> Self {
        let mut keys = Vec::new();
        // TOML has all types of the defaults; otherwise the test of the example file fails.
        let defaults = toml::Table::try_from(Config::default()).unwrap_or_default();
        collect(&defaults, "", &mut keys);
        Self(keys)
    }

    /// The key of the path `text`, such as `kafka.brokers` or `kafka.properties.sasl.password`.
    pub(super) fn by_path(&self, text: &str) -> Option<Target> {
        self.find(|key| text.strip_prefix(key.path.as_str()), |rest| rest.strip_prefix('.').map(str::to_owned))
    }

    /// The key of the variable `name`, such as `QUIPU_KAFKA_BROKERS`.
    pub(super) fn by_variable(&self, name: &str) -> Option<Target> {
        self.find(
            |key| name.strip_prefix(key.variable().as_str()),
            |rest| rest.strip_prefix('_').map(|property| property.to_ascii_lowercase().replace('_', ".")),
        )
    }

    /// Whether `path` is the path of a table with keys that the user chooses.
    pub(super) fn is_open(&self, path: &str) -> bool {
        self.open().any(|open| open == path)
    }

    /// The paths of the tables with keys that the user chooses.
    pub(super) fn open(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|key| key.kind == Kind::Open).map(|key| key.path.as_str())
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|key| key.path.clone())
    }

    /// The names of the variables that can be set. The name for an open table ends in `_…`.
    pub(super) fn variables(&self) -> impl Iterator<Item = String> {
        self.0.iter().filter(|key| key.kind != Kind::List).map(|key| match key.kind {
            Kind::Open => key.variable() + "_…",
            _ => key.variable(),
        })
    }

    /// Finds the key for which `rest` is empty, or the open table for which `own_key` makes a key of the rest.
    fn find<'a>(
        &self,
        rest: impl Fn(&Key) -> Option<&'a str>,
        own_key: impl Fn(&str) -> Option<String>,
    ) -> Option<Target> {
        let exact = self.0.iter().find(|key| matches!(key.kind, Kind::Text | Kind::Literal) && rest(key) == Some(""));
        if let Some(key) = exact {
            return Some(Target { path: key.segments(), is_literal: key.kind == Kind::Literal });
        }
        self.0.iter().filter(|key| key.kind == Kind::Open).find_map(|key| {
            let own = own_key(rest(key)?).filter(|own| !own.is_empty())?;
            Some(Target { path: key.segments().into_iter().chain([own]).collect(), is_literal: false })
        })
    }
}

impl Key {
    fn segments(&self) -> Vec<String> {
        self.path.split('.').map(str::to_owned).collect()
    }

    fn variable(&self) -> String {
        format!("QUIPU_{}", self.path.to_ascii_uppercase().replace('.', "_"))
    }
}

fn collect(table: &toml::Table, prefix: &str, keys: &mut Vec<Key>) {
    for (name, value) in table {
        let path = format!("{prefix}{name}");
        let kind = match value {
            Value::Table(table) if !table.is_empty() => {
                collect(table, &format!("{path}."), keys);
                continue;
            }
            Value::Table(_) => Kind::Open,
            Value::Array(_) => Kind::List,
            Value::String(_) => Kind::Text,
            Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => Kind::Literal,
        };
        keys.push(Key { path, kind });
    }
}

/// The part of an error about an unknown name that suggests the nearest name of `existing`. Names are compared as a whole
/// and by the part after the last dot, so that a key in the wrong table is found too.
pub(super) fn suggestion(name: &str, existing: impl IntoIterator<Item = String>) -> String {
    let name = fold(name);
    let likeness = |candidate: &str| {
        let candidate = fold(candidate);
        let whole = normalized_damerau_levenshtein(&name, &candidate);
        whole.max(0.9 * normalized_damerau_levenshtein(last(&name), last(&candidate)))
    };
    let scored = existing.into_iter().map(|existing| (likeness(&existing), existing));
    let (likeness, nearest) = scored.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or_default();
    if likeness < 0.5 {
        format!("`quipu config show` lists all keys; the nearest is `{nearest}`")
    } else {
        format!("did you mean `{nearest}`?")
    }
}

fn fold(text: &str) -> String {
    text.to_lowercase().replace('-', "_")
}

fn last(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(_, last)| last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(path: &[&str], is_literal: bool) -> Target {
        Target { path: path.iter().map(|segment| (*segment).to_owned()).collect(), is_literal }
    }

    #[test]
    fn paths_and_variables_lead_to_the_same_keys() {
        let keys = Keys::of_defaults();
        for (path, variable, expected) in [
            ("application_id", "QUIPU_APPLICATION_ID", Some(target(&["application_id"], false))),
            ("limits.max_rows", "QUIPU_LIMITS_MAX_ROWS", Some(target(&["limits", "max_rows"], true))),
            (
                "kafka.properties.sasl.password",
                "QUIPU_KAFKA_PROPERTIES_SASL_PASSWORD",
                Some(target(&["kafka", "properties", "sasl.password"], false)),
            ),
            ("kafka.properties", "QUIPU_KAFKA_PROPERTIES", None),
            ("kafka.properties.", "QUIPU_KAFKA_PROPERTIES_", None),
            ("kafka", "QUIPU_KAFKA", None),
            ("audit", "QUIPU_AUDIT", None),
        ] {
            assert_eq!(keys.by_path(path), expected, "{path}");
            assert_eq!(keys.by_variable(variable), expected, "{variable}");
        }
    }

    #[test]
    fn no_two_keys_have_the_same_variable() {
        let mut variables: Vec<_> = Keys::of_defaults().variables().collect();
        let all = variables.len();
        variables.sort();
        variables.dedup();
        assert_eq!(variables.len(), all);
    }

    #[test]
    fn the_nearest_is_found_despite_typing_errors_case_hyphens_and_the_wrong_table() {
        let keys = Keys::of_defaults();
        for (name, expected) in [
            ("comit_interval", "commit_interval"),
            ("commit-interval", "commit_interval"),
            ("Topics.Aggregate", "topics.aggregates"),
            ("brokers", "kafka.brokers"),
            ("topics.brokers", "kafka.brokers"),
            ("http.lisen", "http.listen"),
            ("max_series", "limits.max_series"),
        ] {
            assert_eq!(suggestion(name, keys.paths()), format!("did you mean `{expected}`?"), "{name}");
        }
        assert!(suggestion("QUIPU_BROKERS", keys.variables()).contains("`QUIPU_KAFKA_BROKERS`"));
        assert!(suggestion("x", keys.paths()).starts_with("`quipu config show` lists all keys; the nearest is `"));
    }
}
