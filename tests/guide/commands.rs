//! Command lines and configurations of the guide, checked with the binary.

use std::fs;
use std::process::Command;

use quipu_testkit::Process;

use crate::book::{code, pages};

#[test]
fn the_binary_accepts_every_command_line() {
    let mut checked = 0;
    for page in pages() {
        let in_blocks = page
            .blocks_of("sh")
            .into_iter()
            .flat_map(|block| block.replace("\\\n", " ").lines().map(str::to_owned).collect::<Vec<_>>());
        let in_text = code(&page.prose()).into_iter().filter(|code| !code.contains('…'));
        for line in in_blocks.chain(in_text) {
            for command in line.split(" #").next().unwrap().split(" | ") {
                let mut words = command.split_whitespace().map(|word| word.trim_matches('\''));
                if words.next() != Some("quipu") {
                    continue;
                }
                let arguments: Vec<_> = words.take_while(|word| ![">", "2>", "&&", "&"].contains(word)).collect();
                let mut command = Command::new(env!("CARGO_BIN_EXE_quipu"));
                // With --help the binary checks the arguments but does not run the command.
                command.args(&arguments).arg("--help");
                let finished = Process::spawn(command, "").finish();
                assert!(finished.status.success(), "{}: {line}\n{}", page.path, finished.stderr);
                checked += 1;
            }
        }
    }
    assert!(checked > 20, "only {checked} command lines were found");
}

#[test]
fn the_binary_accepts_every_configuration() {
    let secrets = tempfile::tempdir().unwrap();
    let secret = secrets.path().join("secret");
    fs::write(&secret, "secret\n").unwrap();
    let mut checked = 0;
    for page in pages() {
        for block in page.blocks_of("toml").into_iter().filter(|block| !block.starts_with("# Cargo.toml")) {
            // The secret files of the example are not on this machine.
            let here: String = block
                .lines()
                .map(|line| match line.split_once("\"/run/secrets/") {
                    Some((before, _)) => format!("{before}\"{}\"\n", secret.display()),
                    None => format!("{line}\n"),
                })
                .collect();
            let mut command = Command::new(env!("CARGO_BIN_EXE_quipu"));
            command.args(["config", "check", "-"]).env_clear();
            let finished = Process::spawn(command, &here).finish();
            assert!(finished.status.success(), "{}: {}\n{block}", page.path, finished.stderr);
            checked += 1;
        }
    }
    assert!(checked >= 5, "only {checked} configurations were found");
}

#[test]
fn every_shell_block_is_valid_shell() {
    for page in pages() {
        for block in page.blocks_of("sh") {
            let checked = Command::new("sh").args(["-n", "-c", &block]).output().unwrap();
            assert!(checked.status.success(), "{}: {}{block}", page.path, String::from_utf8_lossy(&checked.stderr));
        }
    }
}
