//! The inputs of `fuzz/corpus`, one a file, through their targets.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use quipu_fuzz::{Outcome, TARGETS};

#[test]
fn every_input_is_accepted_unless_its_name_begins_with_bad() {
    for target in TARGETS {
        for file in files(&here().join("corpus").join(target.name)) {
            // If a property does not hold, the test prints the name of the input before the panic.
            println!("{}", file.display());
            let input = std::fs::read(&file).expect("a file of the corpus");
            let is_bad = name(&file).starts_with("bad-");
            let expected = if is_bad { Outcome::Refused } else { Outcome::Accepted };
            assert_eq!((target.check)(&input), expected, "{}", file.display());
        }
    }
}

/// A record that was cut off is the most common one that is damaged.
#[test]
fn no_beginning_of_an_input_breaks_a_property() {
    for target in TARGETS {
        for file in files(&here().join("corpus").join(target.name)) {
            println!("{}", file.display());
            let input = std::fs::read(&file).expect("a file of the corpus");
            for end in 0..input.len() {
                (target.check)(&input[..end]);
            }
        }
    }
}

#[test]
fn every_target_has_a_corpus_and_a_fuzz_target() {
    let expected: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let names =
        |folder: &str| -> BTreeSet<String> { files(&here().join(folder)).iter().map(|path| name(path)).collect() };
    assert_eq!(names("corpus"), expected);
    assert_eq!(names("targets/fuzz_targets"), expected);
    let manifest = std::fs::read_to_string(here().join("targets/Cargo.toml")).expect("a manifest");
    for target in &expected {
        assert!(manifest.contains(&format!("\nname = \"{target}\"\n")), "{target}");
        assert!(
            files(&here().join("corpus").join(target)).len() <= 20,
            "{target}: the corpus is small, so that it is read"
        );
    }
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

fn name(path: &Path) -> String {
    path.file_stem().expect("a name").to_string_lossy().into_owned()
}
