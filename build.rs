//! Says at once which package is missing, where the build of RocksDB would say so late and in its own words.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
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
