use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

use super::read::checked;
use super::section::Section;
use crate::secret::{Secret, secret_file};

/// The most lines in a request. A sink also reads and commits at most this many aggregates together.
pub const MAX_BATCH: usize = 5000;

/// The options of a sink to InfluxDB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Influxdb {
    /// How to reach the server.
    #[serde(flatten)]
    pub connection: InfluxdbConnection,
    /// Which API to use, and where the points go.
    #[serde(flatten)]
    pub api: InfluxdbApi,
}

/// How to reach an InfluxDB server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InfluxdbConnection {
    /// The URL of the server, such as `http://localhost:8086`.
    #[serde(deserialize_with = "url")]
    pub url: String,
    /// The file with the token (v2) or the password (v1); one newline at its end is dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// The variable of the environment that has the token or the password, instead of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_variable: Option<String>,
    /// A PEM file with the certificates of CAs to trust in addition to those of the system. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The most lines in a request. Default 5000, which is also the largest value.
    #[serde(default = "default_batch", deserialize_with = "batch")]
    pub batch: usize,
    /// Whether requests are compressed. Default true.
    #[serde(default = "default_gzip")]
    pub gzip: bool,
    #[serde(skip)]
    secret: Secret,
}

/// The two APIs for writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum InfluxdbApi {
    /// `/api/v2/write` of InfluxDB 2 and 3, and of VictoriaMetrics: the sink has a bucket.
    V2(InfluxdbV2),
    /// `/write` of InfluxDB 1 and 3, and of VictoriaMetrics: the sink has a database.
    V1(InfluxdbV1),
}

/// The options of the v2 API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InfluxdbV2 {
    /// The organization. Default empty, as VictoriaMetrics expects it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub org: String,
    /// The bucket.
    #[serde(deserialize_with = "not_empty")]
    pub bucket: String,
}

/// The options of the v1 API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InfluxdbV1 {
    /// The database.
    #[serde(deserialize_with = "not_empty")]
    pub database: String,
    /// The retention policy. Default: that of the database.
    #[serde(default, deserialize_with = "some_not_empty", skip_serializing_if = "Option::is_none")]
    pub retention_policy: Option<String>,
    /// The user. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

impl InfluxdbConnection {
    /// The token or the password that was in the file or the variable when the configuration was loaded.
    #[must_use]
    pub fn secret(&self) -> Option<&str> {
        self.secret.0.as_deref()
    }

    /// The key that names the source of the secret.
    fn secret_key(&self) -> Option<&'static str> {
        let variable = self.secret_variable.as_ref().map(|_| "secret_variable");
        self.secret_file.as_ref().map(|_| "secret_file").or(variable)
    }

    /// Reads the secret from its file or its variable.
    ///
    /// # Errors
    /// The key that is wrong, and what to do.
    fn read_secret(&mut self, environment: &[(OsString, OsString)]) -> Result<(), (&'static str, String)> {
        let (key, text): (_, String) = match (&self.secret_file, &self.secret_variable) {
            (None, None) => return Ok(()),
            (Some(_), Some(_)) => {
                return Err(("secret_file", "is set as well as secret_variable; remove one of the two".to_owned()));
            }
            (Some(path), None) => ("secret_file", secret_file(path).map_err(|why| ("secret_file", why))?),
            (None, Some(variable)) => {
                let value = environment.iter().find(|(name, _)| name == variable.as_str()).map(|(_, value)| value);
                let value = value.and_then(|value| value.to_str()).filter(|value| !value.is_empty());
                let missing = || ("secret_variable", format!("the variable {variable} is not set or is not UTF-8"));
                ("secret_variable", value.ok_or_else(missing)?.to_owned())
            }
        };
        if text.chars().any(char::is_control) {
            return Err((key, "the secret has several lines or control characters".to_owned()));
        }
        self.secret = Secret(Some(text));
        Ok(())
    }
}

/// Reads the options from a section, and the secret.
pub(super) fn read(section: &mut Section<'_, '_>, environment: &[(OsString, OsString)]) -> Option<Influxdb> {
    if cfg!(not(feature = "influxdb")) {
        section.add("type", "this build has no sink to InfluxDB; build Quipu with the feature influxdb (a default)");
    }
    let connection: Option<InfluxdbConnection> = section.take();
    let api = read_api(section);
    let mut connection = connection?;
    if let Err((key, why)) = connection.read_secret(environment) {
        section.add(key, &why);
    }
    let api = api?;
    match &api {
        InfluxdbApi::V2(_) => {
            if path_of(&connection.url).is_some_and(|path| !path.trim_matches('/').is_empty()) {
                section.add("url", "can't have a path with the v2 API; use a database (v1 API)");
            }
        }
        InfluxdbApi::V1(api) => {
            if let (None, Some(key)) = (&api.user, connection.secret_key()) {
                section.add("user", &format!("is missing: `{key}` holds this user's password"));
            }
        }
    }
    Some(Influxdb { connection, api })
}

/// Reads the options of the API that the section names by its bucket (v2) or its database (v1).
fn read_api(section: &mut Section<'_, '_>) -> Option<InfluxdbApi> {
    match (section.has("bucket"), section.has("database")) {
        (true, false) => {
            for key in section.drop_keys::<InfluxdbV1>() {
                section.add(key, "is for the v1 API, which has a database instead of a bucket; remove it");
            }
            section.take().map(InfluxdbApi::V2)
        }
        (false, true) => {
            for key in section.drop_keys::<InfluxdbV2>() {
                section.add(key, "is for the v2 API, which has a bucket instead of a database; remove it");
            }
            section.take().map(InfluxdbApi::V1)
        }
        (has_both, _) => {
            section.drop_keys::<InfluxdbV1>();
            section.drop_keys::<InfluxdbV2>();
            if has_both {
                section.add("database", "is for the v1 API, and bucket for the v2 API; remove one of them");
            } else {
                section.add("bucket", "is missing; set bucket (v2 API) or database (v1 API)");
            }
            None
        }
    }
}

fn default_batch() -> usize {
    MAX_BATCH
}

fn default_gzip() -> bool {
    true
}

fn batch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    checked(deserializer, |batch| (1..=MAX_BATCH).contains(batch), format!("must be 1 to {MAX_BATCH}"))
}

/// InfluxDB itself reports an empty name only at the first write.
fn not_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked(deserializer, |name: &String| !name.trim().is_empty(), "must not be empty")
}

fn some_not_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    not_empty(deserializer).map(Some)
}

fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked(
        deserializer,
        |url: &String| path_of(url).is_some(),
        "must be a URL without user and query, such as \"http://localhost:8086\"",
    )
}

/// The path of a URL. None if the text is not a URL, or has a user or a query.
fn path_of(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_wrong = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | '?' | '#' | '\\');
    (!host.is_empty() && !rest.contains(is_wrong)).then_some(path)
}
