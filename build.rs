//! Gives the binary its version and commit, and reports a missing libclang at once, before the build of RocksDB fails with
//! an unclear error.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    // The name does not begin with `QUIPU_`: `cargo run` also sets the variable for the program, which would read it as a
    // key of the configuration.
    println!("cargo::rustc-env=VERSION_AND_COMMIT={}", version());
    println!("cargo::rerun-if-env-changed=LIBCLANG_PATH");
    let needs_libclang = env::var_os("CARGO_FEATURE_ROCKSDB").is_some() && cfg!(target_os = "linux");
    if needs_libclang && !folders().iter().any(|folder| has_libclang(folder)) {
        println!("cargo::error=building RocksDB needs libclang, which is not installed");
        println!(
            "cargo::error=Debian, Ubuntu: sudo apt-get install libclang-dev; Fedora: sudo dnf install clang-devel"
        );
        println!(
            "cargo::error=if libclang is in another folder: LIBCLANG_PATH=FOLDER; to build without a store on disk: --no-default-features --features tls"
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Returns the folders in which libclang may be.
fn folders() -> Vec<PathBuf> {
    if let Some(path) = env::var_os("LIBCLANG_PATH") {
        return vec![path.into()];
    }
    let mut folders: Vec<PathBuf> =
        ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib64"].into_iter().map(Into::into).collect();
    // Debian's folders, such as /usr/lib/llvm-14/lib and /usr/lib/x86_64-linux-gnu.
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

/// Returns a version such as `0.1.0 (86ab7ee12345)`. The commit is that of the checkout. Without a checkout, such as in an
/// image or an archive, it is the value of `QUIPU_COMMIT`, if that is set.
fn version() -> String {
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    println!("cargo::rerun-if-env-changed=QUIPU_COMMIT");
    let from_env = || env::var("QUIPU_COMMIT").ok().filter(|commit| !commit.is_empty());
    match commit().or_else(from_env) {
        Some(commit) => format!("{version} ({})", commit.chars().take(12).collect::<String>()),
        None => version,
    }
}

/// Returns the commit that is checked out in this folder.
fn commit() -> Option<String> {
    let here = env::var_os("CARGO_MANIFEST_DIR")?;
    // An archive may have been unpacked inside the checkout of another project.
    let top = PathBuf::from(git(&["rev-parse", "--show-toplevel"])?);
    if top.canonicalize().ok()? != Path::new(&here).canonicalize().ok()? {
        return None;
    }
    watch("HEAD");
    // Git stores a branch's commit in a file of its own or in packed-refs, and may move it from one to the other.
    watch("packed-refs");
    if let Some(branch) = git(&["symbolic-ref", "--quiet", "HEAD"]) {
        watch(&branch);
    }
    git(&["rev-parse", "HEAD"])
}

/// Makes cargo run this script again when a file in git's folder changes or is created.
fn watch(name: &str) {
    let Some(path) = git(&["rev-parse", "--git-path", name]) else { return };
    // Cargo treats an absent file as changed at every build, so the nearest folder that exists is watched instead.
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
