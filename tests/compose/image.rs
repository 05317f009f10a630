//! Checks of the Dockerfile that need no build.

use std::process::Command;

use quipu_testkit::Process;

use crate::file::{read, root};

fn instructions() -> Vec<String> {
    let text = read("Dockerfile").replace("\\\n", " ");
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn the_image_is_pinned_runs_without_privileges_and_has_a_health_check() {
    let instructions = instructions();
    let last_stage = instructions.iter().rposition(|line| line.starts_with("FROM ")).unwrap();
    assert!(
        instructions[..last_stage].iter().any(|line| line.starts_with("FROM rust:") && line.ends_with(" AS build"))
    );
    assert!(!instructions.iter().any(|line| line.contains(":latest")));
    let stage = &instructions[last_stage..];
    let is_in = |line: &str| stage.iter().any(|instruction| instruction == line);
    assert!(is_in("USER 10001") && is_in(r#"ENTRYPOINT ["quipu"]"#), "{stage:?}");
    assert!(stage.iter().any(|line| line.starts_with("HEALTHCHECK") && line.ends_with(r#"CMD ["quipu", "health"]"#)));
}

/// The variables that the image sets in its containers.
pub(crate) fn environment() -> Vec<(String, String)> {
    let instructions = instructions();
    let last_stage = instructions.iter().rposition(|line| line.starts_with("FROM ")).unwrap();
    let set = instructions[last_stage..].iter().filter_map(|line| line.strip_prefix("ENV ")?.split_once('='));
    set.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn a_container_is_reached_from_outside_at_the_exposed_port() {
    let exposed = instructions().into_iter().find_map(|line| Some(line.strip_prefix("EXPOSE ")?.to_owned())).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_quipu"));
    // No file is mounted.
    command.args(["config", "show", "/dev/null"]).env_clear().envs(environment());
    let shown = Process::spawn(command, "").finish();
    let listen = format!("listen = \"0.0.0.0:{exposed}\"");
    assert!(shown.stdout.lines().any(|line| line == listen), "no {listen} in {shown:?}");
}

#[test]
fn the_toolchain_is_not_older_than_the_manifest_requires() {
    let image = instructions().into_iter().find_map(|line| Some(line.strip_prefix("FROM rust:")?.to_owned())).unwrap();
    let manifest = read("Cargo.toml");
    let required = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    let minor = |version: &str| version.split(['.', '-']).nth(1).unwrap().parse::<u32>().unwrap();
    assert!(minor(&image) >= minor(required), "{image} for {required}");
}

#[test]
fn the_build_gets_everything_that_the_manifests_name() {
    let ignored = read(".dockerignore");
    let ignored: Vec<_> = ignored.lines().filter(|line| !line.starts_with('#')).collect();
    let manifest = read("Cargo.toml");
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = ")).unwrap();
    let members = members.trim_matches(['[', ']']).split(", ").map(|member| member.trim_matches('"'));
    for needed in members.chain(["src", "tests", "build.rs", "Cargo.toml", "Cargo.lock", "quipu.example.toml"]) {
        assert!(!ignored.contains(&needed), "{needed} is ignored");
        assert!(root(needed).exists(), "{needed}");
    }
}
