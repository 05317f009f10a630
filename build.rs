//! Tells the binary which commit it is of, and says at once which package is missing, where the build of RocksDB would
//! say so late and in its own words.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    // Cargo sets it for what it runs, too, where `QUIPU_` would make it a key of the configuration.
    println!("cargo::rustc-env=VERSION_AND_COMMIT={}", version());
    println!("cargo::rerun-if-env-changed=LIBCLANG_PATH");
    let needs_libclang = env::var_os("CARGO_FEATURE_ROCKSDB").is_some() && cfg!(target_os = "linux");
    if needs_libclang && !folders().iter().any(|folder| has_libclang(folder)) {
        println!("cargo::error=building RocksDB needs libclang, which is not installed");
        println!(
            "cargo::error=Debian, Ubuntu: sudo apt-get install libclang-dev; Fedora: sudo dnf install clang-devel"
        );
        println!(
            "cargo::error=if it is in another place: LIBCLANG_PATH=FOLDER; without a store on disk: --no-default-features --features tls"
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Where libclang may be.
fn folders() -> Vec<PathBuf> {
    if let Some(path) = env::var_os("LIBCLANG_PATH") {
        return vec![path.into()];
    }
    let mut folders: Vec<PathBuf> =
        ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib64"].into_iter().map(Into::into).collect();
    // Debian's own folders: /usr/lib/llvm-14/lib, /usr/lib/x86_64-linux-gnu.
    for entry in Path::new("/usr/lib").read_dir().into_iter().flatten().flatten() {
        folders.push(entry.path().join("lib"));
        folders.push(entry.path());
    }
    folders
}

fn has_libclang(folder: &Path) -> bool {
    if folder.is_file() {
        return true;
    }
    folder.read_dir().into_iter().flatten().flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // `libclang-cpp` is another library.
        name.starts_with("libclang.so") || (name.starts_with("libclang-") && !name.starts_with("libclang-cpp"))
    })
}

/// Such as `0.1.0 (86ab7ee12345)`. The commit is that of the checkout; where there is none, such as in an image or an
/// archive, the one that the variable `QUIPU_COMMIT` names, or none.
fn version() -> String {
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    println!("cargo::rerun-if-env-changed=QUIPU_COMMIT");
    let told = || env::var("QUIPU_COMMIT").ok().filter(|commit| !commit.is_empty());
    match commit().or_else(told) {
        Some(commit) => format!("{version} ({})", commit.chars().take(12).collect::<String>()),
        None => version,
    }
}

/// The commit that is checked out here.
fn commit() -> Option<String> {
    let here = env::var_os("CARGO_MANIFEST_DIR")?;
    // An archive may have been unpacked within somebody else's checkout.
    let top = PathBuf::from(git(&["rev-parse", "--show-toplevel"])?);
    if top.canonicalize().ok()? != Path::new(&here).canonicalize().ok()? {
        return None;
    }
    watch("HEAD");
    // A branch's commit stands in a file of its own or in the packed ones; either may come or go.
    watch("packed-refs");
    if let Some(branch) = git(&["symbolic-ref", "--quiet", "HEAD"]) {
        watch(&branch);
    }
    git(&["rev-parse", "HEAD"])
}

/// Runs this script again when a file of git's changes, or when it comes to be.
fn watch(name: &str) {
    let Some(path) = git(&["rev-parse", "--git-path", name]) else { return };
    // A file that is absent would count as changed, always.
    if let Some(present) = Path::new(&path).ancestors().find(|path| path.exists()) {
        if present.ends_with(".git") || present == Path::new("") {
            return;
        }
        println!("cargo::rerun-if-changed={}", present.display());
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    let answer = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!answer.is_empty()).then_some(answer)
}
