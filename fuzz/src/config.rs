//! Configurations. The lines at the beginning that have the form of a variable (`QUIPU_…=…`) or of a flag (`--set KEY=…`) are
//! one; the rest is the file.

use std::path::Path;

use quipu_config::{Config, ConfigError, Flag, Problem};

use crate::{Outcome, check_error, text};

const FILE: &str = "quipu.toml";

pub(crate) fn check(input: &[u8]) -> Outcome {
    let Some(text) = text(input) else { return Outcome::Refused };
    // The files of a configuration belong to the machine, and one may be endless.
    if text.contains("_file") {
        return Outcome::Refused;
    }
    let Input { variables, flags, file } = Input::read(text);
    let has_settings = !(variables.is_empty() && flags.is_empty());
    match Config::merge(Some(Path::new(FILE)), file, variables, flags) {
        Ok(config) => {
            let shown = config.to_toml().expect("a configuration that can be shown");
            match load(&shown) {
                Ok(again) => assert_eq!(again, config, "{shown}"),
                Err(error) => panic!("{error}\n{shown}"),
            }
            Outcome::Accepted
        }
        Err(ConfigError::Invalid(problems)) => {
            assert!(!problems.is_empty());
            for problem in &problems {
                check_problem(problem, text, file, has_settings);
            }
            Outcome::Refused
        }
        Err(error) => panic!("no file was read: {error}"),
    }
}

fn load(file: &str) -> Result<Config, ConfigError> {
    Config::merge(None, file, [("", ""); 0], [])
}

fn check_problem(problem: &Problem, input: &str, file: &str, has_settings: bool) {
    check_error(problem, 2000 + 10 * input.len());
    match problem.line {
        Some(line) => {
            assert_eq!(problem.origin, FILE, "{problem}");
            assert!((1..=file.split('\n').count()).contains(&line), "{problem}");
        }
        None => assert!(has_settings, "a problem of the file without a line: {problem}"),
    }
}

struct Input<'a> {
    variables: Vec<(&'a str, &'a str)>,
    flags: Vec<Flag>,
    file: &'a str,
}

impl<'a> Input<'a> {
    fn read(text: &'a str) -> Self {
        let (mut variables, mut flags, mut file) = (Vec::new(), Vec::new(), text);
        while let Some((name, value)) = file.split('\n').next().and_then(|line| line.split_once('=')) {
            if name.starts_with("QUIPU_") {
                variables.push((name, value));
            } else if let Some(key) = name.strip_prefix("--set ") {
                let (name, key, value) = ("--set".to_owned(), key.to_owned(), value.to_owned());
                flags.push(Flag { name, key, value });
            } else {
                break;
            }
            file = file.split_once('\n').map_or("", |(_, rest)| rest);
        }
        Self { variables, flags, file }
    }
}
