//! The real binary on a real terminal: the experiment with its dashboard, controlled with keys through tmux.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use quipu_tui::ScreenOptions;
use tempfile::TempDir;

/// How long something may take to appear; the experiment alone takes about ten seconds.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn the_experiment_shows_its_dashboard_and_restores_the_terminal() {
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
    terminal.wait_for("data that continues", |screen| {
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
    assert_eq!(terminal.state(), "alternate 1 cursor 0", "the dashboard stays until a key ends it");

    terminal.press(&["q"]);
    let after = terminal.wait_for("the summary", |screen| screen.contains("exit 0"));
    assert!(after.contains("✔ both agree") && after.contains("app-2 starts in the same group"), "{after}");
    terminal.assert_restored();
}

#[test]
fn leaving_the_dashboard_ends_a_running_experiment() {
    let terminal = Terminal::open();
    terminal.enter("quipu demo --records 10000000; echo \"exit $?\"");
    terminal.wait_for("the dashboard", |screen| screen.contains("COUNTING"));
    terminal.press(&["C-z"]);
    terminal.wait_for("the notice", |screen| screen.contains("this program can't be suspended"));
    terminal.press(&["q"]);
    let after = terminal.wait_for("the end", |screen| screen.contains("exit 130"));
    assert!(after.contains("partial and were not checked"), "{after}");
    terminal.assert_restored();
}

#[test]
fn a_signal_restores_the_terminal_and_the_log_is_in_its_file() {
    let terminal = Terminal::open();
    let log = terminal.folder().join("top.log");
    // Nobody listens at this address: port 9 is reserved for the discard service.
    terminal.start(&format!("top --brokers 127.0.0.1:9 --log-level rdkafka=debug,info --log-file {}", log.display()));
    let screen = terminal.wait_for("the connection state", |screen| screen.contains("CONNECTING"));
    assert!(!screen.contains("ERROR") && !screen.contains("rdkafka"), "{screen}");
    assert!(eventually(|| std::fs::read_to_string(&log).is_ok_and(|log| log.contains("127.0.0.1:9"))), "no log");
    terminal.signal("TERM");
    terminal.wait_for("the end", |screen| screen.contains("exit 0"));
    terminal.assert_restored();
}

#[test]
fn a_hangup_and_a_quit_signal_restore_the_terminal() {
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
fn an_error_restores_the_terminal_and_is_printed_below() {
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
fn a_panic_restores_the_terminal_and_is_printed_below() {
    for (which, code) in [("the_dashboard_panics", 101), ("another_thread_panics", 0)] {
        let terminal = Terminal::open();
        let this = std::env::current_exe().expect("this program");
        terminal.enter(&format!("{} --ignored --exact --nocapture {which}; echo \"exit $?\"", this.display()));
        let after = terminal.wait_for("the end", |screen| screen.contains(&format!("exit {code}")));
        assert!(after.contains(&format!("the panic of {which}")), "{after}");
        terminal.assert_restored();
    }
}

#[test]
#[ignore = "another test runs it on a terminal"]
fn the_dashboard_panics() {
    let feed = |_| {
        assert!(!is_raw(), "the panic of the_dashboard_panics");
        None
    };
    let _ = quipu_tui::watch(feed, &ScreenOptions::default(), &AtomicBool::new(false));
}

#[test]
#[ignore = "another test runs it on a terminal"]
fn another_thread_panics() {
    let mut panics = None;
    let feed = |_| {
        assert!(panics.is_some() || is_raw(), "the dashboard is not shown");
        panics.get_or_insert_with(|| thread::spawn(|| panic!("the panic of another_thread_panics")));
        None
    };
    let ended = quipu_tui::watch(feed, &ScreenOptions::default(), &AtomicBool::new(false));
    let error = ended.expect_err("the dashboard ends").to_string();
    assert_eq!(error, "a thread panicked; the message is above");
}

/// Whether a program has put this process's terminal into raw mode.
fn is_raw() -> bool {
    let modes = Command::new("stty").arg("-a").stdin(Stdio::inherit()).output().expect("a terminal");
    String::from_utf8_lossy(&modes.stdout).contains("-icanon")
}

#[test]
fn the_log_of_the_dashboard_is_printed_after_it() {
    let terminal = Terminal::open();
    terminal.enter("quipu top --brokers 127.0.0.1:9 --log-level info; echo \"exit $?\"");
    let screen = terminal.wait_for("the dashboard", |screen| screen.contains("quipu top"));
    assert!(!screen.contains("ERROR"), "{screen}");
    terminal.wait_for("the lost connection", |screen| screen.contains("DISCONNECTED"));
    terminal.press(&["q"]);
    terminal.wait_for("the end", |screen| screen.contains("exit 0"));
    let after = terminal.capture(&["-S", "-"]);
    assert!(after.contains("quipu::kafka") && after.contains("refused"), "{after}");
    assert!(after.lines().count() < 100, "the repeated error floods the log: {after}");
    terminal.assert_restored();
}

#[test]
fn ctrl_z_suspends_the_dashboard_and_fg_resumes_it() {
    let terminal = Terminal::open();
    terminal.enter("quipu top --brokers 127.0.0.1:9");
    terminal.wait_for("the dashboard", |screen| screen.contains("1 Overview"));
    for _ in 0..2 {
        terminal.press(&["C-z"]);
        terminal.wait_for("the shell", |screen| screen.contains("Stopped"));
        terminal.assert_restored();
        terminal.enter("clear; fg");
        terminal.wait_for("the dashboard again", |screen| screen.contains("1 Overview") && screen.contains("q quit"));
        assert!(eventually(|| terminal.state() == "alternate 1 cursor 0" && terminal.mouse() == "1"));
    }
    terminal.press(&["q"]);
    terminal.wait_for("the shell", |screen| !screen.contains("1 Overview"));
    terminal.assert_restored();
}

#[test]
fn a_stop_signal_suspends_the_dashboard_and_fg_resumes_it() {
    // The shell reports 128 plus the number of the signal. SIGSTOP leaves no time to restore the terminal.
    for signal in ["TSTP", "STOP"] {
        let terminal = Terminal::open();
        terminal.start("top --brokers 127.0.0.1:9");
        terminal.wait_for("the dashboard", |screen| screen.contains("1 Overview"));
        terminal.signal(signal);
        terminal.wait_for("the shell", |screen| screen.contains("exit 14"));
        if signal == "TSTP" {
            terminal.assert_restored();
        }
        // Enter sends another character than a line feed, which only a terminal that was restored turns into one.
        terminal.press(&["-l", "clear; fg"]);
        terminal.press(&["C-j"]);
        terminal.wait_for("the dashboard again", |screen| screen.contains("1 Overview") && screen.contains("q quit"));
        assert!(eventually(|| terminal.state() == "alternate 1 cursor 0" && terminal.mouse() == "1"));
        terminal.press(&["q"]);
        terminal.wait_for("the shell", |screen| !screen.contains("1 Overview"));
        terminal.assert_restored();
    }
}

#[test]
fn the_mouse_can_be_left_to_the_terminal() {
    let terminal = Terminal::open();
    terminal.enter("quipu top --brokers 127.0.0.1:9 --no-mouse; echo \"exit $?\"");
    terminal.wait_for("the dashboard", |screen| screen.contains("1 Overview"));
    assert_eq!(terminal.mouse(), "0");
    terminal.press(&["m"]);
    assert!(eventually(|| terminal.mouse() == "1"));
    // A click on the third tab, as a terminal reports it.
    terminal.press(&["-l", "\u{1b}[<0;33;3M\u{1b}[<0;33;3m"]);
    terminal.wait_for("the audit", |screen| screen.contains("[[audit]]"));
    terminal.press(&["m"]);
    assert!(eventually(|| terminal.mouse() == "0"));
    terminal.press(&["m"]);
    assert!(eventually(|| terminal.mouse() == "1"));
    terminal.press(&["q"]);
    terminal.wait_for("the end", |screen| screen.contains("exit 0"));
    terminal.assert_restored();
}

/// A terminal of 100 columns and 30 rows with a shell, in its own folder.
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

    /// Types a line and presses Enter.
    fn enter(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.tmux(&["send-keys", "Enter"]);
    }

    /// Starts quipu so that the test can send it a signal; the shell prints its exit code afterwards.
    fn start(&self, arguments: &str) {
        self.enter(&format!("sh -c 'echo $$ > pid; exec quipu {arguments}'; echo \"exit $?\""));
    }

    /// The process id of the quipu that was started.
    fn pid(&self) -> String {
        std::fs::read_to_string(self.folder().join("pid")).expect("it was started").trim().to_owned()
    }

    /// Sends a signal to the quipu that was started.
    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.pid()]).status().expect("a kill").success());
    }

    /// Presses keys; a text that is not the name of a key is typed.
    fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// The visible screen.
    fn screen(&self) -> String {
        self.capture(&[])
    }

    /// The visible screen; with `-S -` also the lines that scrolled off it.
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

    /// The states of the alternate screen and of the cursor.
    fn state(&self) -> String {
        let state = self.tmux(&["display-message", "-p", "alternate #{alternate_on} cursor #{cursor_flag}"]);
        String::from_utf8_lossy(&state.stdout).trim().to_owned()
    }

    /// Whether the program asks for the mouse: 0 or 1.
    fn mouse(&self) -> String {
        let flag = self.tmux(&["display-message", "-p", "#{mouse_any_flag}"]);
        String::from_utf8_lossy(&flag.stdout).trim().to_owned()
    }

    /// Asserts that the normal screen and the cursor are back, and that the terminal echoes and reads lines.
    fn assert_restored(&self) {
        assert_eq!((self.state().as_str(), self.mouse().as_str()), ("alternate 0 cursor 1", "0"));
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

/// Whether the condition becomes true in time.
#[expect(clippy::disallowed_methods, reason = "a screen or a file can only be polled for a change")]
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

/// The rows of the table of series.
fn table(screen: &str) -> &str {
    screen.split_once("SERIES").map_or("", |(_, table)| table)
}

/// The total in a series' row; 0 if there is no such row.
fn total(screen: &str, series: &str) -> u64 {
    let row = table(screen).lines().find(|line| line.trim_start().starts_with(&format!("{series} ")));
    let total = row.and_then(|row| row.split_whitespace().nth(1));
    total.map_or(0, |total| total.replace(',', "").parse().expect("a number"))
}
