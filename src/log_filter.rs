//! Checks what `--log-level` asks for.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// The modules whose log can be chosen: the crates of this workspace, and the HTTP libraries.
const MODULES: [&str; 15] = [
    "quipu",
    "quipu_aggregator",
    "quipu_broker",
    "quipu_config",
    "quipu_demo",
    "quipu_kafka",
    "quipu_record",
    "quipu_reporter",
    "quipu_topology",
    "quipu_tui",
    "quipu_verify",
    "axum",
    "h2",
    "hyper",
    "rdkafka",
];

/// A filter that would log nothing of what its author meant.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WrongFilter {
    #[error(
        "{part:?} is no level: use error, warn, info, debug, trace or off, also by module, such as info,quipu_aggregator=debug"
    )]
    Level { part: String },
    #[error("there is no module {module:?}: use one of {}", MODULES.join(", "))]
    Module { module: String },
    #[error("{why}: use error, warn, info, debug, trace or off, also by module, such as info,quipu_aggregator=debug")]
    Syntax { why: String },
}

/// Parses a filter. `EnvFilter` takes every unknown word for a module, whose log it shows instead of all others.
pub(crate) fn parse(text: &str) -> Result<EnvFilter, WrongFilter> {
    // A filter by span or field has equals signs within its brackets, which `EnvFilter` checks.
    let parts = text.split(',').map(str::trim).filter(|_| !text.contains('['));
    for part in parts.filter(|part| !part.is_empty()) {
        let (module, level) = match part.split_once('=') {
            Some((module, level)) => (Some(module), level),
            None => (None, part),
        };
        if level.parse::<LevelFilter>().is_err() {
            return Err(WrongFilter::Level { part: level.to_owned() });
        }
        if let Some(module) = module
            && !MODULES.contains(&module.split("::").next().unwrap_or_default())
        {
            return Err(WrongFilter::Module { module: module.to_owned() });
        }
    }
    EnvFilter::builder().parse(text).map_err(|error| WrongFilter::Syntax { why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_the_projects_modules_are_filters() {
        for text in [
            "warn",
            "OFF",
            "info,quipu_aggregator=debug",
            "quipu_aggregator::sink=trace,quipu::kafka=off",
            "info,",
            "quipu[span{field=1}]=debug",
        ] {
            assert!(parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_filter_that_mutes_everything_by_mistake_is_an_error_with_the_choices() {
        for (text, expected) in [
            ("warning", "\"warning\" is no level: use error, warn, info, debug, trace or off"),
            ("inof", "\"inof\" is no level"),
            ("info,quipu_aggregator", "\"quipu_aggregator\" is no level"),
            ("quipu=loud", "\"loud\" is no level"),
            ("quipu_agregator=debug", "there is no module \"quipu_agregator\": use one of quipu, quipu_aggregator, "),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
        assert!(parse("[").is_err());
    }

    #[test]
    fn every_crate_that_logs_is_a_module() {
        let manifest = include_str!("../Cargo.toml");
        let members = manifest.lines().find_map(|line| line.strip_prefix("members = [")).expect("the members");
        let members = members.trim_end_matches(']').split(", ").map(|member| member.trim_matches('"'));
        for member in members.filter(|member| !["testkit", "bench", "fuzz"].contains(member)) {
            assert!(MODULES.contains(&format!("quipu_{member}").as_str()), "{member}");
        }
    }
}
