//! The parts of a package: the version, completions, manual pages, the health check, and the systemd unit.
//!
//! If a program is not available, its test is skipped and logs the reason. With `CI=true` it fails instead.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;
use std::{fs, thread};

use quipu_testkit::{Missing, require};

fn quipu(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quipu"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("QUIPU_")) {
        command.env_remove(name);
    }
    command.args(arguments).output().unwrap()
}

fn stdout(arguments: &[&str]) -> String {
    let output = quipu(arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_version_contains_the_commit_that_was_checked_out() {
    let version = stdout(&["--version"]);
    let Some(commit) = version.split(['(', ')']).nth(1) else {
        assert_eq!(version, format!("quipu {}\n", env!("CARGO_PKG_VERSION")));
        assert!(!root(".git").exists(), "there is a commit, and the version does not name it");
        return;
    };
    assert_eq!(version, format!("quipu {} ({commit})\n", env!("CARGO_PKG_VERSION")));
    if !root(".git").exists() {
        return;
    }
    // A commit made during the build or this test moves HEAD. So only commits that are older than the binary by more
    // than the time of a build count.
    let built = fs::metadata(env!("CARGO_BIN_EXE_quipu")).unwrap().modified().unwrap();
    let begun = built.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() - 600;
    let mut missed = Command::new("git");
    missed.current_dir(root("")).args(["rev-list", &format!("--before=@{begun}"), &format!("{commit}..HEAD")]);
    let missed = missed.output().unwrap();
    assert!(missed.status.success() && missed.stdout.is_empty(), "{version}{missed:?}");
}

#[test]
fn every_shell_gets_completions_without_hidden_commands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = stdout(&["completions", shell]);
        assert!(["aggregate", "completions", "verify"].iter().all(|command| script.contains(command)), "{shell}");
        assert!(!script.contains("demo-child"), "{shell}");
    }
    let checked = Command::new("bash").args(["-n", "-c", &stdout(&["completions", "bash"])]).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let page = stdout(&["man"]);
    assert!(page.contains(".TH quipu 1") && page.contains("quipu\\-aggregate(1)"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    let man1 = folder.path().join("man/man1");
    stdout(&["man", man1.to_str().unwrap()]);
    let help = stdout(&["--help"]);
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names: Vec<_> = commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| line.split_whitespace().next().unwrap())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.len() > 8, "{names:?}");
    for name in names {
        assert!(man1.join(format!("quipu-{name}.1")).exists(), "{name}");
    }
    assert!(man1.join("quipu.1").exists() && !man1.join("quipu-demo-child.1").exists());

    let nowhere = quipu(&["man", "/proc/nowhere"]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("can't write the pages into /proc/nowhere"));
}

#[test]
fn health_prints_the_answer_of_the_process() {
    for (arguments, path, status, code) in [
        (&[][..], "/healthz", "200 OK", 0),
        (&["--ready"], "/readyz", "200 OK", 0),
        (&["--ready"], "/readyz", "503 Service Unavailable", 1),
        (&[], "/healthz", "404 Not Found", 1),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 9\r\n\r\nanswered\n").unwrap();
            String::from_utf8(request).unwrap()
        });
        // A server that listens on 0.0.0.0 is queried at 127.0.0.1.
        let http = format!("0.0.0.0:{}", address.port());
        let output = quipu(&[&["health", "--http", &http], arguments].concat());
        assert!(server.join().unwrap().starts_with(&format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n")));
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let printed = [output.stdout, output.stderr].concat();
        assert!(String::from_utf8_lossy(&printed).contains("answered"), "{arguments:?}");
    }
}

#[test]
fn no_answer_and_an_invalid_answer_are_not_healthy() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let http = listener.local_addr().unwrap().to_string();
    let server = thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        stream.write_all(b"SSH-2.0-quipu\r\n\r\n").unwrap();
    });
    let output = quipu(&["health", "--http", &http]);
    server.join().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");

    let output = quipu(&["health", "--http", &http]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("can't connect"), "{output:?}");
    assert_eq!(quipu(&["health", "--http", "off"]).status.code(), Some(2));
}

/// Writes the unit with the binary of this build into a folder.
fn unit(folder: &Path) -> PathBuf {
    let unit = fs::read_to_string(root("packaging/quipu-aggregate.service")).unwrap();
    let path = folder.join("quipu-aggregate.service");
    fs::write(&path, unit.replace("/usr/local/bin/quipu", env!("CARGO_BIN_EXE_quipu"))).unwrap();
    path
}

fn systemd_analyze() -> Result<Command, Missing> {
    let missing = |_| Missing("no systemd-analyze: install it (Debian: apt-get install systemd)".to_owned());
    Command::new("systemd-analyze").arg("--version").output().map_err(missing)?;
    Ok(Command::new("systemd-analyze"))
}

#[test]
fn systemd_accepts_the_unit_and_rates_it_as_restricted() {
    let (Some(mut verify), Some(mut security)) = (require(systemd_analyze()), require(systemd_analyze())) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let unit = unit(folder.path());
    let verified = verify.args(["verify", "--man=no"]).arg(&unit).output().unwrap();
    let problems = String::from_utf8_lossy(&verified.stderr);
    // systemd-analyze also prints problems of this machine's other units.
    let own: Vec<_> = problems.lines().filter(|line| line.contains("quipu-aggregate")).collect();
    assert!(verified.status.success() && own.is_empty(), "{problems}");
    // The scale is from 0 to 100; a unit without any restriction has 96.
    let rated = security.args(["security", "--offline=true", "--threshold=15"]).arg(&unit).output().unwrap();
    assert!(rated.status.success(), "{}", String::from_utf8_lossy(&rated.stdout));
}

#[test]
fn the_units_commands_are_commands_of_the_binary() {
    let folder = tempfile::tempdir().unwrap();
    let configuration = fs::read_to_string(root("quipu.example.toml")).unwrap();
    fs::write(folder.path().join("quipu.toml"), configuration).unwrap();
    let unit = fs::read_to_string(unit(folder.path())).unwrap();
    let here = folder.path().to_str().unwrap();
    let command = |key: &str| {
        let line =
            unit.lines().find_map(|line| line.strip_prefix(key)).unwrap().replace("%d", here).replace("%S", here);
        line.split(' ').skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    // The aggregator does not start: the unit's flags are accepted, and the additional flag makes the configuration wrong,
    // after which systemd does not restart the service.
    let mut run = command("ExecStart=");
    run.push("--http=nowhere".to_owned());
    let refused = quipu(&run.iter().map(String::as_str).collect::<Vec<_>>());
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(error.contains("--http") && error.lines().count() == 1, "{error}");
    let final_code = unit.lines().find_map(|line| line.strip_prefix("RestartPreventExitStatus=")).unwrap();
    assert_eq!(refused.status.code().map(|code| code.to_string()).as_deref(), Some(final_code), "{error}");
}

/// Builds the package with this build's binary and unpacks it. It is not compressed, because that takes the most time.
fn unpacked_deb(folder: &Path) -> Result<PathBuf, Missing> {
    let mut command = Command::new(root("packaging/deb"));
    command.arg(env!("CARGO_BIN_EXE_quipu")).arg(folder).env("DPKG_DEB_COMPRESSOR_TYPE", "none");
    let made = command.output().unwrap();
    let error = String::from_utf8_lossy(&made.stderr).into_owned();
    if made.status.code() == Some(3) {
        return Err(Missing(error));
    }
    assert!(made.status.success(), "{error}");
    let package = String::from_utf8(made.stdout).unwrap();
    assert!(package.contains(&format!("/quipu_{}_", env!("CARGO_PKG_VERSION"))), "{package}");
    let unpacked = folder.join("unpacked");
    let status = Command::new("dpkg-deb").arg("-R").args([package.trim(), unpacked.to_str().unwrap()]).status();
    assert!(status.unwrap().success());
    Ok(unpacked)
}

#[test]
fn the_debian_package_has_all_files_and_its_configuration_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let Some(unpacked) = require(unpacked_deb(folder.path())) else { return };
    let has = |path: &str| assert!(unpacked.join(path).is_file(), "{path}");
    has("usr/share/man/man1/quipu-aggregate.1.gz");
    has("usr/share/zsh/vendor-completions/_quipu");
    has("usr/share/doc/quipu/docs/start.md");
    let control = fs::read_to_string(unpacked.join("DEBIAN/control")).unwrap();
    assert!(control.contains("Depends: libc6") && control.contains("libstdc++6"), "{control}");
    assert_eq!(fs::read_to_string(unpacked.join("DEBIAN/conffiles")).unwrap(), "/etc/quipu/quipu.toml\n");

    let binary = unpacked.join("usr/bin/quipu");
    let mut check = Command::new(&binary);
    check.args(["config", "check"]).arg(unpacked.join("etc/quipu/quipu.toml")).env_clear();
    assert!(check.status().unwrap().success());
    let unit = fs::read_to_string(unpacked.join("usr/lib/systemd/system/quipu-aggregate.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/quipu aggregate "), "{unit}");
}
