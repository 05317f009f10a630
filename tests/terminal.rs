//! The real binary on a real terminal: the experiment with its dashboard, driven by keys in tmux.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use quipu_tui::ScreenOptions;
use tempfile::TempDir;

/// How long something may take to appear; the experiment alone takes some ten seconds.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn the_experiment_shows_its_dashboard_and_gives_the_terminal_back() {
    let terminal = Terminal::open();
    terminal.enter("quipu demo --records 60000 --rate 8000; echo \"exit $?\"");
    terminal.wait_for("the totals", |screen| {
        screen.contains("COUNTING") && screen.contains("records_processed") && screen.contains("records_sent")
    });
    assert_eq!(terminal.state(), "alternate 1 cursor 0");

    terminal.press(&["p"]);
    let frozen = terminal.wait_for("the frozen display", |screen| screen.contains("FROZEN"));
    let total = total(&frozen, "records_sent");
    let later =
        terminal.wait_for("two seconds of it", |screen| screen.contains("FROZEN 2.") || screen.contains("FROZEN 3."));
    assert_eq!(self::total(&later, "records_sent"), total, "{later}");
    terminal.press(&["p"]);
    terminal.wait_for("data that went on", |screen| {
        !screen.contains("FROZEN") && self::total(screen, "records_sent") > total
    });

    terminal.press(&["/", "^records_s", "Enter"]);
    terminal.wait_for("the filter", |screen| {
        screen.contains("filter ^records_s")
            && table(screen).contains("records_sent")
            && !table(screen).contains("processed")
    });
    terminal.press(&["Enter"]);
    terminal.wait_for("the producer alone", |screen| {
        screen.contains("that count records_sent") && screen.contains("producer") && !screen.contains("app-1 ")
    });
    terminal.press(&["Escape"]);
    terminal.wait_for("all series", |screen| screen.contains("SERIES"));
    terminal.press(&["3"]);
    terminal.wait_for("the duplicates", |screen| {
        screen.contains("! records duplicates")
            && screen.contains("- app-2 left")
            && screen.contains("all records are read")
    });
    assert_eq!(terminal.state(), "alternate 1 cursor 0", "it stays until it is left");

    terminal.press(&["q"]);
    let after = terminal.wait_for("the summary", |screen| screen.contains("exit 0"));
    assert!(after.contains("✔ both agree") && after.contains("app-2 starts in the same group"), "{after}");
    terminal.assert_restored();
}

#[test]
fn leaving_the_dashboard_ends_an_experiment_that_is_not_over() {
    let terminal = Terminal::open();
    terminal.enter("quipu demo --records 10000000; echo \"exit $?\"");
    terminal.wait_for("the dashboard", |screen| screen.contains("COUNTING"));
    terminal.press(&["q"]);
    let after = terminal.wait_for("the end", |screen| screen.contains("exit 130"));
    assert!(after.contains("partial and were not checked"), "{after}");
    terminal.assert_restored();
}

#[test]
fn a_signal_gives_the_terminal_back_and_the_log_is_in_its_file() {
    let terminal = Terminal::open();
    let log = terminal.folder().join("top.log");
    // Nobody is there; 9 is the port of a service that discards what comes.
    terminal.start(&format!("top --brokers 127.0.0.1:9 --log-level rdkafka=debug,info --log-file {}", log.display()));
    let screen = terminal.wait_for("the trouble in words", |screen| screen.contains("CONNECTING"));
    assert!(!screen.contains("ERROR") && !screen.contains("rdkafka"), "{screen}");
    assert!(eventually(|| std::fs::read_to_string(&log).is_ok_and(|log| log.contains("127.0.0.1:9"))), "no log");
    terminal.signal("TERM");
    terminal.wait_for("the end", |screen| screen.contains("exit 0"));
    terminal.assert_restored();
}

#[test]
fn a_hangup_and_a_quit_that_the_terminal_survives_give_it_back() {
    for (signal, command, code) in [
        ("HUP", "top --brokers 127.0.0.1:9", 0),
        ("QUIT", "top --brokers 127.0.0.1:9", 0),
        ("HUP", "demo --records 10000000", 130),
    ] {
        let terminal = Terminal::open();
        terminal.start(command);
        assert!(eventually(|| terminal.state() == "alternate 1 cursor 0"), "{command}: {}", terminal.screen());
        terminal.signal(signal);
        terminal.wait_for("the end", |screen| screen.contains(&format!("exit {code}")));
        terminal.assert_restored();
    }
}

#[test]
fn an_error_gives_the_terminal_back_and_stands_below() {
    let terminal = Terminal::open();
    terminal.start("demo --records 10000000");
    terminal.wait_for("the producer", |screen| screen.contains("COUNTING"));
    let children = Command::new("pgrep").args(["-P", &terminal.pid()]).output().expect("pgrep is needed: procps");
    for child in String::from_utf8_lossy(&children.stdout).split_whitespace() {
        assert!(Command::new("kill").args(["-s", "KILL", child]).status().expect("a kill").success());
    }
    let after = terminal.wait_for("the end", |screen| screen.contains("exit 2"));
    assert!(after.contains("error: producer ended with signal: 9"), "{after}");
    terminal.assert_restored();
}

#[test]
fn a_panic_gives_the_terminal_back_and_stands_below() {
    for (which, code) in [("the_dashboard_panics", 101), ("another_thread_panics", 0)] {
        let terminal = Terminal::open();
        let this = std::env::current_exe().expect("this program");
        terminal.enter(&format!("{} --ignored --exact --nocapture {which}; echo \"exit $?\"", this.display()));
        let after = terminal.wait_for("the end", |screen| screen.contains(&format!("exit {code}")));
        assert!(after.contains(&format!("this is what {which} says")), "{after}");
        terminal.assert_restored();
    }
}

#[test]
#[ignore = "another test runs it on a terminal"]
fn the_dashboard_panics() {
    let feed = |_| {
        assert!(!is_raw(), "this is what the_dashboard_panics says");
        None
    };
    let _ = quipu_tui::watch(feed, &ScreenOptions::default(), &AtomicBool::new(false));
}

#[test]
#[ignore = "another test runs it on a terminal"]
fn another_thread_panics() {
    let mut panics = None;
    let feed = |_| {
        assert!(panics.is_some() || is_raw(), "the dashboard is not there");
        panics.get_or_insert_with(|| thread::spawn(|| panic!("this is what another_thread_panics says")));
        None
    };
    let ended = quipu_tui::watch(feed, &ScreenOptions::default(), &AtomicBool::new(false));
    let error = ended.expect_err("the dashboard ends").to_string();
    assert_eq!(error, "a thread panicked; the message is above");
}

/// Whether a program has taken over the terminal that this one runs on.
fn is_raw() -> bool {
    let modes = Command::new("stty").arg("-a").stdin(Stdio::inherit()).output().expect("a terminal");
    String::from_utf8_lossy(&modes.stdout).contains("-icanon")
}

#[test]
fn what_is_logged_while_the_dashboard_is_there_comes_after_it() {
    let terminal = Terminal::open();
    terminal.enter("quipu top --brokers 127.0.0.1:9 --log-level info; echo \"exit $?\"");
    let screen = terminal.wait_for("the dashboard", |screen| screen.contains("quipu top"));
    assert!(!screen.contains("ERROR"), "{screen}");
    terminal.wait_for("the trouble", |screen| screen.contains("DISCONNECTED"));
    terminal.press(&["q"]);
    terminal.wait_for("the end", |screen| screen.contains("exit 0"));
    let after = terminal.capture(&["-S", "-"]);
    assert!(after.contains("librdkafka") && after.contains("refused"), "{after}");
    assert!(after.lines().count() < 100, "one trouble floods the log: {after}");
    terminal.assert_restored();
}

/// A terminal of 100 columns and 30 rows with a shell in it, in a folder of its own.
struct Terminal {
    folder: TempDir,
}

impl Terminal {
    fn open() -> Self {
        let terminal = Self { folder: tempfile::tempdir().expect("a folder") };
        let size = ["-x", "100", "-y", "30"];
        let shell = "env PS1='$ ' NO_COLOR= RUST_BACKTRACE=0 TERM=screen sh";
        terminal.tmux(&[&["-f", "/dev/null", "new-session", "-d"][..], &size, &[shell]].concat());
        let program = PathBuf::from(env!("CARGO_BIN_EXE_quipu"));
        let folder = program.parent().expect("a folder");
        terminal.enter(&format!("cd {} && PATH={}:$PATH && clear", terminal.folder().display(), folder.display()));
        terminal
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Types a line.
    fn enter(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.tmux(&["send-keys", "Enter"]);
    }

    /// Starts quipu so that it can be signalled, and says how it ended.
    fn start(&self, arguments: &str) {
        self.enter(&format!("sh -c 'echo $$ > pid; exec quipu {arguments}'; echo \"exit $?\""));
    }

    /// What was started.
    fn pid(&self) -> String {
        std::fs::read_to_string(self.folder().join("pid")).expect("it was started").trim().to_owned()
    }

    /// Signals what was started.
    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.pid()]).status().expect("a kill").success());
    }

    /// Presses keys; what is no key's name is typed.
    fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// What it shows.
    fn screen(&self) -> String {
        self.capture(&[])
    }

    /// What it shows; with `-S -` after all that has left it at its top.
    fn capture(&self, arguments: &[&str]) -> String {
        let captured = self.tmux(&[&["capture-pane", "-p"], arguments].concat());
        String::from_utf8_lossy(&captured.stdout).into_owned()
    }

    #[track_caller]
    fn wait_for(&self, what: &str, condition: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let found = eventually(|| {
            last = self.screen();
            condition(&last)
        });
        assert!(found, "no sign of {what}:\n{last}");
        last
    }

    /// Whether the alternate screen and the cursor are there.
    fn state(&self) -> String {
        let state = self.tmux(&["display-message", "-p", "alternate #{alternate_on} cursor #{cursor_flag}"]);
        String::from_utf8_lossy(&state.stdout).trim().to_owned()
    }

    /// The shell has its screen and its cursor back, and what is typed is seen and is a line.
    fn assert_restored(&self) {
        assert_eq!(self.state(), "alternate 0 cursor 1");
        self.enter("stty -a");
        let modes = self.wait_for("the modes", |screen| screen.contains("icanon") && screen.contains("echo "));
        let words: Vec<&str> = modes.split_whitespace().collect();
        assert!(words.contains(&"icanon") && words.contains(&"echo") && words.contains(&"isig"), "{modes}");
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        let mut tmux = Command::new("tmux");
        tmux.env_remove("TMUX").arg("-S").arg(self.folder().join("tmux")).args(arguments);
        let output = tmux.output().expect("tmux is needed: apt-get install tmux");
        assert!(output.status.success(), "tmux {arguments:?}: {output:?}");
        output
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux").arg("-S").arg(self.folder().join("tmux")).arg("kill-server").output();
    }
}

/// Whether this becomes true in time.
#[expect(clippy::disallowed_methods, reason = "nothing tells when a screen or a file changed")]
fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// The rows of the table.
fn table(screen: &str) -> &str {
    screen.split_once("SERIES").map_or("", |(_, table)| table)
}

/// The total in a series' row; 0 if there is none.
fn total(screen: &str, series: &str) -> u64 {
    let row = table(screen).lines().find(|line| line.trim_start().starts_with(&format!("{series} ")));
    let total = row.and_then(|row| row.split_whitespace().nth(1));
    total.map_or(0, |total| total.replace(',', "").parse().expect("a number"))
}
