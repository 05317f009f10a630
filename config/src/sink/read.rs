//! Reads the sections `[[sink]]`: first the keys that all sinks have, then the options of the type.

use std::ffi::OsString;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::section::Section;
use super::{DEFAULT_TIMEOUT, Sink, SinkOptions, SinkType, influxdb, keys};
use crate::error::Problem;
use crate::keys::Keys;
use crate::layers::{Layers, unknown};
use crate::text::duration;

/// Kafka allows longer names of groups; a longer name would fill a line of the log.
const NAME_BYTES: usize = 100;

#[derive(Deserialize)]
pub(super) struct Type {
    #[serde(rename = "type")]
    kind: SinkType,
}

/// The keys that every sink has, without the type.
#[derive(Deserialize)]
pub(super) struct Common {
    #[serde(deserialize_with = "name")]
    name: String,
    #[serde(default = "default_timeout", deserialize_with = "timeout")]
    timeout: Duration,
}

/// The sinks of the file, and everything that is wrong with them. A sink that can't be read is left out.
pub(crate) fn read(
    layers: &Layers<'_>,
    keys: &Keys,
    environment: &[(OsString, OsString)],
    problems: &mut Vec<Problem>,
) -> Vec<Sink> {
    let mut names = Vec::new();
    let sections = layers.tables("sink", problems);
    let read = sections.into_iter().filter_map(|section| {
        let mut section = Section::new(layers, section, problems);
        let sink = read_section(&mut section, &mut names, environment);
        refuse_rest(&mut section, keys);
        sink
    });
    read.collect()
}

fn read_section(
    section: &mut Section<'_, '_>,
    names: &mut Vec<String>,
    environment: &[(OsString, OsString)],
) -> Option<Sink> {
    let Some(Type { kind }) = section.take() else {
        section.drop_keys::<Common>();
        for (_, keys) in keys::by_type() {
            section.drop_named(&keys);
        }
        return None;
    };
    let common: Option<Common> = section.take();
    if let Some(Common { name, .. }) = &common {
        if names.contains(name) {
            section.add("name", "another sink has this name; names must be unique");
        }
        names.push(name.clone());
    }
    let options = match kind {
        SinkType::Influxdb => influxdb::read(section, environment).map(SinkOptions::Influxdb),
        SinkType::Graphite => section.take().map(SinkOptions::Graphite),
        SinkType::Stdout => Some(SinkOptions::Stdout),
    };
    let (Common { name, timeout }, options) = (common?, options?);
    Some(Sink { name, options, timeout })
}

/// Reports the keys that are left: each is a key of another type, or unknown.
fn refuse_rest(section: &mut Section<'_, '_>, keys: &Keys) {
    for (key, span) in section.take_rest() {
        let message = match keys::by_type().iter().find(|(_, keys)| keys.contains(&key.as_str())) {
            Some((kind, _)) => format!("sink.{key}: is for sinks of the type {kind}; remove it"),
            None => unknown(&format!("sink.{key}"), keys.paths().chain(keys::paths())),
        };
        section.add_at(&span, message);
    }
}

fn default_timeout() -> Duration {
    DEFAULT_TIMEOUT
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_name = |name: &String| (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(is_safe);
    checked(deserializer, is_name, format!("must be 1 to {NAME_BYTES} of the characters A-Z a-z 0-9 . _ -"))
}

fn timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let timeout = duration::deserialize(deserializer)?;
    if timeout.is_zero() { Err(D::Error::custom("must be longer than 0s")) } else { Ok(timeout) }
}

/// Reads a value and refuses it with `message` unless `is_right`.
pub(super) fn checked<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
    is_right: impl FnOnce(&T) -> bool,
    message: impl std::fmt::Display,
) -> Result<T, D::Error> {
    let value = T::deserialize(deserializer)?;
    if is_right(&value) { Ok(value) } else { Err(D::Error::custom(message)) }
}
