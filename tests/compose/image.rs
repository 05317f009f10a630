//! Checks of the Dockerfile that need no build.

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
