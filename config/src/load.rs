use std::ffi::OsString;
use std::path::Path;

use crate::config::Config;
use crate::environment;
use crate::error::{ConfigError, Problem};
use crate::keys::Keys;
use crate::layers::{Layers, Setting};
use crate::secret::{Secret, secret_file};
use crate::sink;

/// A value that was given on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// The flag as the user typed it, such as `--brokers`, for errors.
    pub name: String,
    /// The path of the key that it sets, such as `kafka.brokers`.
    pub key: String,
    /// The value.
    pub value: String,
}

impl Config {
    /// Loads the configuration and reads the secret files. `file` overrides the defaults, the variables `QUIPU_…` of
    /// `environment` override `file`, and `flags` override the variables.
    ///
    /// # Errors
    /// [`ConfigError::Read`] if `file` can't be read, otherwise [`ConfigError::Invalid`] with everything that is wrong.
    pub fn load<N: Into<OsString>, V: Into<OsString>>(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (N, V)>,
        flags: impl IntoIterator<Item = Flag>,
    ) -> Result<Self, ConfigError> {
        let text = match file {
            Some(path) => {
                std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?
            }
            None => String::new(),
        };
        Self::merge(file, &text, environment, flags)
    }

    /// What [`Self::load`] does, with the `text` of the file. It is no part of the API: the fuzz targets (`fuzz/`) need it.
    #[doc(hidden)]
    pub fn merge<N: Into<OsString>, V: Into<OsString>>(
        file: Option<&Path>,
        text: &str,
        environment: impl IntoIterator<Item = (N, V)>,
        flags: impl IntoIterator<Item = Flag>,
    ) -> Result<Self, ConfigError> {
        let keys = Keys::of_defaults();
        let mut problems = Vec::new();
        let environment: Vec<(OsString, OsString)> =
            environment.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let mut settings = environment::settings(environment.iter().cloned(), &keys, &mut problems);
        settings.extend(flags.into_iter().filter_map(|flag| {
            Setting::new(&keys, &flag.key, flag.value, flag.name).map_err(|problem| problems.push(problem)).ok()
        }));
        let mut layers = Layers::new(file, text, &settings, &keys, &mut problems);
        let config = layers.deserialize(&keys, &mut problems).map(|mut config: Self| {
            config.sinks = sink::read(&layers, &keys, &environment, &mut problems);
            config.read_secrets(&layers, &mut problems);
            config.validate(&layers, &mut problems);
            config
        });
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => {
                problems.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
                Err(ConfigError::Invalid(problems))
            }
        }
    }

    fn read_secrets(&mut self, layers: &Layers<'_>, problems: &mut Vec<Problem>) {
        for (property, path) in &self.kafka.secret_files {
            match secret_file(path) {
                Ok(secret) => self.kafka.secrets.0.insert(property, secret),
                Err(why) => problems.push(layers.problem(&["kafka", "secret_files", property], why)),
            }
        }
        if let Some(path) = &self.http.token_file {
            match secret_file(path) {
                Ok(token) if token.is_empty() || token.contains(|c: char| !c.is_ascii_graphic()) => {
                    let why = "the file must hold one line of visible ASCII characters";
                    problems.push(layers.problem(&["http", "token_file"], why));
                }
                Ok(token) => self.http.token = Secret(Some(token)),
                Err(why) => problems.push(layers.problem(&["http", "token_file"], why)),
            }
        }
    }
}
