//! docker-compose.yml, read as a container engine reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use quipu_testkit::{Missing, Process, python};
use serde_json::Value;

/// The compose file after the variables of `.env` were substituted.
pub(crate) struct Compose {
    pub(crate) document: Value,
    /// The variables that `.env` sets.
    pub(crate) variables: BTreeMap<String, String>,
    /// The variables that the compose file uses.
    pub(crate) named: BTreeSet<String>,
}

pub(crate) fn root(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

impl Compose {
    pub(crate) fn read() -> Result<Self, Missing> {
        let variables = read(".env")
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .map(|line| line.split_once('=').unwrap_or_else(|| panic!(".env: {line}")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let (text, named) = interpolated(&read("docker-compose.yml"), &variables);
        let mut command = python("python")?;
        let program = "import json, sys; from ruamel.yaml import YAML; \
                       json.dump(YAML(typ='safe').load(sys.stdin), sys.stdout)";
        command.args(["-c", program]);
        let finished = Process::spawn(command, &text).finish();
        assert!(finished.status.success(), "{finished:?}");
        Ok(Self { document: serde_json::from_str(&finished.stdout).unwrap(), variables, named })
    }

    pub(crate) fn services(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.document["services"].as_object().unwrap().iter()
    }

    pub(crate) fn service(&self, name: &str) -> &Value {
        self.services().find(|(service, _)| *service == name).unwrap_or_else(|| panic!("no service {name}")).1
    }

    /// The environment of a service's containers.
    pub(crate) fn environment(&self, service: &str) -> Vec<(String, String)> {
        let variables = self.service(service)["environment"].as_object().unwrap().iter();
        variables.map(|(name, value)| (name.clone(), text(value))).collect()
    }
}

/// A scalar as the engine passes it to a container.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Substitutes the variables; returns the text and the names of the variables used.
fn interpolated(text: &str, variables: &BTreeMap<String, String>) -> (String, BTreeSet<String>) {
    let (mut done, mut named) = (String::new(), BTreeSet::new());
    let mut parts = text.split("${");
    done.push_str(parts.next().unwrap());
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap();
        let value = variables.get(name).unwrap_or_else(|| panic!("docker-compose.yml: {name} is not in .env"));
        named.insert(name.to_owned());
        done.push_str(value);
        done.push_str(rest);
    }
    assert!(!done.contains('$'), "a variable that is not written ${{NAME}}");
    (done, named)
}
