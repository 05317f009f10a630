//! The command line of the binary, as far as it needs no broker.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Output, Stdio};

/// A command for `quipu` with these arguments, without the caller's `QUIPU_…` variables.
fn quipu(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quipu"));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("QUIPU_")) {
        command.env_remove(name);
    }
    command
}

fn run(arguments: &[&str]) -> Output {
    quipu(arguments).output().expect("the binary runs")
}

fn run_with_input(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = quipu(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    child.stdin.take().expect("a pipe").write_all(input).expect("it reads");
    child.wait_with_output().expect("it ends")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The subcommands that the help of a command lists.
fn subcommands(command: &[&str]) -> Vec<String> {
    let help = String::from_utf8_lossy(&run(&[command, &["-h"]].concat()).stdout).into_owned();
    let (_, list) = help.split_once("\nCommands:\n").expect("a list of commands");
    let lines = list.lines().take_while(|line| !line.is_empty());
    // Each line begins with the command's name; the lines that continue a description begin with a space.
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).filter(|name| !name.is_empty());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_command_has_help_with_examples() {
    let mut commands: Vec<_> = subcommands(&[]).into_iter().map(|command| vec![command]).collect();
    commands.extend(subcommands(&["config"]).into_iter().map(|command| vec!["config".to_owned(), command]));
    assert!(commands.len() >= 12, "{commands:?}");
    commands.push(Vec::new());
    for command in commands {
        let arguments: Vec<_> = command.iter().map(String::as_str).chain(["--help"]).collect();
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("Examples:\n  quipu "), "{command:?}");
    }
    let help = String::from_utf8_lossy(&run(&["--help"]).stdout).into_owned();
    assert!(help.contains("Exit codes:") && !help.contains("demo-child"), "{help}");
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    for (arguments, message) in [
        (&[][..], "Usage: quipu"),
        (&["knot"], "knot"),
        (&["aggregate", "--broker-list", "x"], "--broker-list"),
        (&["aggregate", "--set", "x"], "expected KEY=VALUE"),
        (&["config", "show", "--log-format", "xml"], "[possible values: text, json]"),
        (&["sink", "--name", "foo"], "--name foo: the configuration has no sinks: name its file with --config"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(stderr(&output).contains(message), "{arguments:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
    }
}

#[test]
fn a_wrong_configuration_is_exit_code_78() {
    for (arguments, message) in [
        (&["aggregate", "--set", "kafka.broker=x"][..], "did you mean `kafka.brokers`?"),
        (&["aggregate", "--http", "localhost"], "--http: http.listen: "),
        (
            &["aggregate", "--config", "/nowhere/quipu.toml"],
            "can't read the configuration /nowhere/quipu.toml: No such",
        ),
        (&["aggregate", "--set", "state.dir=/proc/version"], "state.dir: can't write to /proc/version: not a dir"),
        (&["sink"], "no sinks: add a section [[sink]]"),
        (
            &["config", "show", "--log-level", "warning"],
            "--log-level (or QUIPU_LOG): \"warning\" is no level: use error,",
        ),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(78), "{arguments:?}: {output:?}");
        assert!(stderr(&output).contains(message), "{arguments:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
    }
    let output = quipu(&["top", "--once"]).env("QUIPU_LOG", "inof").output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    assert!(stderr(&output).contains("\"inof\" is no level"), "{output:?}");
}

#[cfg(feature = "rocksdb")]
#[test]
fn config_check_finds_a_state_folder_that_can_not_be_written() {
    let output = run_with_input(&["config", "check", "-"], b"state.dir = '/proc/version'\n");
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    assert!(stderr(&output).starts_with("error: state.dir: can't write to /proc/version: "), "{output:?}");
    let output = run_with_input(&["config", "check", "-"], b"state = { dir = '/proc/version', store = 'memory' }\n");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn without_a_file_config_uses_the_file_and_the_variables_of_the_environment() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("quipu.toml");
    std::fs::write(&file, "topics.metrics = 'of-the-file'\n").expect("a file");
    let config = |arguments: &[&str], brokers: &str| {
        let mut command = quipu(arguments);
        command.env("QUIPU_CONFIG", &file).env("QUIPU_KAFKA_BROKERS", brokers).output().expect("the binary runs")
    };
    let shown = config(&["config", "show"], "of-the-variable:1");
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(text.contains("\"of-the-file\"") && text.contains("\"of-the-variable:1\""), "{shown:?}");
    let checked = config(&["config", "check"], "of-the-variable:1");
    assert_eq!(String::from_utf8_lossy(&checked.stdout), format!("{}: ok\n", file.display()), "{checked:?}");
    let wrong = config(&["config", "check"], "a:b:c");
    assert!(wrong.status.code() == Some(78) && stderr(&wrong).contains("QUIPU_KAFKA_BROKERS: "), "{wrong:?}");
    let defaults = config(&["config", "show", "--defaults"], "of-the-variable:1");
    assert_eq!(defaults.stdout, run(&["config", "show"]).stdout, "without changes the defaults have comments");
    assert_eq!(run(&["config", "check"]).stdout, b"environment: ok\n");
}

#[test]
fn config_check_accepts_what_config_show_prints() {
    let shown = run(&["config", "show"]);
    assert_eq!(shown.status.code(), Some(0), "{shown:?}");
    let checked = run_with_input(&["config", "check", "-"], &shown.stdout);
    assert_eq!((checked.status.code(), stderr(&checked).as_str()), (Some(0), ""));
    assert_eq!(checked.stdout, b"-: ok\n");
}

#[test]
fn config_check_lists_every_mistake() {
    let output =
        run_with_input(&["config", "check", "-"], b"kafka.broker = 1\n\"\\u001b[2J\" = 1\nlimits.max_rows = 0\n");
    assert_eq!(output.status.code(), Some(78));
    let errors = stderr(&output);
    let lines: Vec<_> = errors.lines().collect();
    assert_eq!(lines.len(), 4, "{errors}");
    assert_eq!(lines[0], "error: the configuration is wrong:");
    assert_eq!(lines[1], "  /dev/stdin:1: unknown key `kafka.broker`; did you mean `kafka.brokers`?");
    assert!(lines[2].starts_with("  /dev/stdin:2: unknown key `\\u{1b}[2J`; "), "{errors}");
    assert_eq!(lines[3], "  /dev/stdin:3: limits.max_rows: must be at least 1");
}

#[test]
fn config_show_prints_the_settings_but_no_secret() {
    let output = quipu(&["config", "show", "/dev/null"])
        .env("QUIPU_KAFKA_PROPERTIES_SASL_PASSWORD", "hunter2")
        .env("QUIPU_TOPICS_METRICS", "m")
        .env("QUIPU_LOG", "")
        .output()
        .expect("the binary runs");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(shown.contains("\"sasl.password\" = \"***\"") && shown.contains("metrics = \"m\""), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_closed_standard_output_causes_no_panic() {
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    let output = quipu(&["config", "show"]).stdout(writer).stderr(Stdio::piped()).output().expect("the binary runs");
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

/// Starts an aggregator that finds no broker, by this command, and waits until it runs; returns it and its log after that.
#[cfg(unix)]
fn aggregator(mut command: Command) -> (Child, impl Iterator<Item = String>) {
    let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary runs");
    let mut log = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    assert!(log.any(|line| line.contains("serving HTTP")));
    (child, log)
}

#[cfg(unix)]
fn kill(child: &Child, signal: &str) {
    let killed = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
}

#[cfg(unix)]
const WITHOUT_BROKER: [&str; 7] =
    ["aggregate", "--brokers", "127.0.0.1:1", "--http", "127.0.0.1:0", "--set", "state.store=memory"];

#[cfg(unix)]
#[test]
fn sigterm_and_sighup_end_the_aggregator_with_0_although_no_broker_is_reachable() {
    for signal in ["TERM", "HUP"] {
        let (mut child, log) = aggregator(quipu_testkit::with_hangup(&quipu(&WITHOUT_BROKER)));
        kill(&child, signal);
        let rest: Vec<_> = log.collect();
        assert_eq!(child.wait().expect("it ends").code(), Some(0), "{signal}: {rest:?}");
        assert!(rest.iter().any(|line| line.contains("stopping; a second signal")), "{signal}: {rest:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn nohup_keeps_its_meaning() {
    let quipu = quipu(&WITHOUT_BROKER);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(quipu.get_program()).args(quipu.get_args());
    let (mut child, log) = aggregator(shell);
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("its status");
    kill(&child, "TERM");
    assert!(log.count() > 0 && child.wait().expect("it ends").success());
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("the ignored signals").trim();
    assert_eq!(u64::from_str_radix(ignored, 16).expect("a mask") & 1, 1, "SIGHUP is ignored as before: {ignored}");
}
