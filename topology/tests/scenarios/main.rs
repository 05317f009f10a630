//! Runs every scenario of this folder: records in, totals out. `README.md` describes the form of a scenario.
//!
//! `QUIPU_BLESS=1 cargo test -p quipu-topology --test scenarios` writes what was found into the files as what is expected.

mod core;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use crate::core::{Committed, Config, Core, Logged, OUTCOMES, StoredRow, audit, reasons, state_text};
use crate::text::{duration, key_text, number};

/// One line of a file, and what is expected of it.
struct Step<'a> {
    line: usize,
    input: &'a str,
    expected: Vec<&'a str>,
}

/// What happens in one step: what stands after `->`, and the lines below.
#[derive(Default)]
struct Found {
    outcome: Option<String>,
    lines: Vec<String>,
}

/// The state of one scenario.
struct Scenario {
    config: Config,
    core: Option<Core>,
    /// The clock, in ms.
    now: i64,
    log: Vec<Logged>,
    changelog: Vec<StoredRow>,
    /// The position of the last commit.
    position: i64,
    /// How many rows of the changelog the last commit wrote.
    written: usize,
}

impl Scenario {
    fn new() -> Self {
        let config = Config {
            instance_timeout: 30_000,
            refresh_interval: 60_000,
            retention_runs: None,
            retention_finished: None,
            max_rows: 100,
            max_series: 100,
            audits: Vec::new(),
        };
        Self { config, core: None, now: 0, log: Vec::new(), changelog: Vec::new(), position: 0, written: 0 }
    }

    fn step(&mut self, input: &str) -> Result<Found, String> {
        let (verb, rest) = input.split_once(' ').unwrap_or((input, ""));
        let rest = rest.trim();
        match verb {
            "max_rows" | "max_series" | "instance_timeout" | "refresh_interval" | "retention_runs"
            | "retention_finished" | "audit" => self.set(verb, rest)?,
            "pass" => self.pass(duration(rest)?),
            "forget" => return Ok(self.append(text::forget(rest, self.now)?)),
            "state" => return Ok(self.state()),
            "time" => self.now = duration(rest)?,
            "report" => return Ok(self.append(text::report(rest, self.now)?)),
            "plain" => return Ok(self.append(text::plain(rest, self.now)?)),
            "tombstone" => return Ok(self.append(text::tombstone(rest, self.now)?)),
            "record" => return Ok(self.append(text::record(rest, self.now)?)),
            "reread" => return self.read(number(rest)?).map(Found::outcome),
            "commit" => return Ok(self.commit()),
            "restart" => return self.restart(rest),
            "rows" => return Ok(Found::lines(self.core().rows())),
            "changelog" => return Ok(self.written()),
            "clear" => {
                let now = self.now;
                self.core().clear(now);
                self.log.clear();
            }
            "touch" => self.core().touch_rows(),
            _ => return Err(format!("{verb:?} is not a step of a scenario; see README.md")),
        }
        Ok(Found::default())
    }

    fn set(&mut self, setting: &str, value: &str) -> Result<(), String> {
        if setting == "audit" {
            let (name, selectors) = value.split_once(": sent = ").ok_or("write `audit NAME: sent = …`")?;
            let (sent, processed) = selectors.split_once(", processed = ").ok_or("write `…, processed = …`")?;
            self.config.audits.push(audit(name, sent, processed)?);
            return Ok(());
        }
        let value = value.strip_prefix("= ").ok_or_else(|| format!("write `{setting} = …`"))?;
        match setting {
            "max_rows" => self.config.max_rows = number(value)?,
            "max_series" => self.config.max_series = number(value)?,
            "instance_timeout" => self.config.instance_timeout = duration(value)?,
            "retention_runs" => self.config.retention_runs = Some(duration(value)?),
            "retention_finished" => self.config.retention_finished = Some(duration(value)?),
            _ => self.config.refresh_interval = duration(value)?,
        }
        Ok(())
    }

    /// The settings take effect when a process starts: with the first step that needs one, and with each restart.
    fn core(&mut self) -> &mut Core {
        self.core.get_or_insert_with(|| Core::new(&self.config))
    }

    fn append(&mut self, record: Logged) -> Found {
        self.log.push(record);
        Found::outcome(self.read(self.log.len() - 1).expect("the record is on the log"))
    }

    /// Lets the log time pass: a record every minute that changes nothing.
    fn pass(&mut self, time: i64) {
        let end = self.now + time;
        while self.now < end {
            self.now = end.min(self.now + 60_000);
            self.append(text::tombstone("tick", self.now).expect("the key of a record"));
        }
    }

    /// What the changelog has besides rows.
    fn state(&self) -> Found {
        let newest: BTreeMap<_, _> = self.changelog.iter().map(|(key, value)| (key, value)).collect();
        Found::lines(newest.into_iter().filter_map(|(key, value)| state_text(key, value.as_deref()?)).collect())
    }

    fn read(&mut self, offset: usize) -> Result<String, String> {
        let core = self.core.get_or_insert_with(|| Core::new(&self.config));
        let record = self.log.get(offset).ok_or_else(|| format!("the log ends before offset {offset}"))?;
        Ok(core.process(offset, record, self.now))
    }

    fn commit(&mut self) -> Found {
        let now = self.now;
        let Committed { lines, rows, position } = self.core().commit(now);
        self.written = rows.len();
        self.changelog.extend(rows);
        self.position = position;
        Found::lines(lines)
    }

    /// Starts a new process, with the rows and the position of the last commit.
    fn restart(&mut self, how: &str) -> Result<Found, String> {
        if how == "without rows" {
            self.changelog.clear();
            self.position = 0;
        } else if !how.is_empty() {
            return Err("write `restart` or `restart without rows`".to_owned());
        }
        let mut core = Core::new(&self.config);
        let restored = core.restore(&self.changelog, self.position);
        let outcome = restored.err().unwrap_or_else(|| format!("position {}", core.position()));
        self.core = Some(core);
        self.written = 0;
        Ok(Found::outcome(outcome))
    }

    fn written(&self) -> Found {
        let written = &self.changelog[self.changelog.len() - self.written..];
        let line = |(key, value): &StoredRow| {
            format!("{} {}", if value.is_some() { "write" } else { "remove" }, key_text(key))
        };
        Found::lines(written.iter().map(line).collect())
    }
}

impl Found {
    fn outcome(outcome: String) -> Self {
        Self { outcome: Some(outcome), lines: Vec::new() }
    }

    fn lines(lines: Vec<String>) -> Self {
        let outcome = lines.is_empty().then(|| "nothing".to_owned());
        Self { outcome, lines }
    }

    fn as_lines(&self) -> Vec<String> {
        self.outcome.iter().map(|outcome| format!("-> {outcome}")).chain(self.lines.iter().cloned()).collect()
    }
}

/// What the run of all files found.
#[derive(Default)]
struct Report {
    failures: Vec<String>,
    outcomes: BTreeSet<String>,
    scenarios: usize,
}

fn run_all(bless: bool) -> Report {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let files =
        fs::read_dir(&folder).expect("the folder of the scenarios").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|end| end == "txt")).collect();
    files.sort();
    let mut report = Report::default();
    for file in files {
        let before = fs::read_to_string(&file).expect("a text file");
        let name = file.strip_prefix(&folder).expect("a file of the folder").display().to_string();
        let after = run_file(&name, &before, &mut report);
        if bless && after != before {
            fs::write(&file, after).expect("the file is writable");
        }
    }
    report
}

/// Runs the scenarios of one file, and returns its text with what was found in place of what was expected.
fn run_file(name: &str, text: &str, report: &mut Report) -> String {
    let mut blessed = Vec::new();
    let mut scenario = Scenario::new();
    let (mut title, mut failed) = ("", false);
    let mut lines = text.lines().enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        if let Some(text) = line.strip_prefix("=== ") {
            (scenario, title, failed) = (Scenario::new(), text, false);
            report.scenarios += 1;
        }
        if line.is_empty() || line.starts_with('#') || line.starts_with("=== ") {
            blessed.push(line.to_owned());
            continue;
        }
        let (input, outcome) = line
            .split_once(" -> ")
            .map_or((line, None), |(input, _)| (input.trim_end(), Some(line[input.len()..].trim_start())));
        let mut step = Step { line: index + 1, input, expected: outcome.into_iter().collect() };
        while let Some((_, below)) = lines.next_if(|(_, line)| line.starts_with(' ')) {
            step.expected.push(below.trim());
        }
        let found = scenario.step(step.input).unwrap_or_else(|problem| {
            panic!("topology/tests/scenarios/{name}:{}: {}: {problem}", step.line, step.input);
        });
        report.outcomes.extend(found.outcome.clone());
        if found.as_lines() != step.expected && !failed {
            failed = true;
            report.failures.push(failure(name, title, &step, &found));
        }
        blessed.push(match &found.outcome {
            Some(outcome) => format!("{:<63} -> {outcome}", step.input),
            None => step.input.to_owned(),
        });
        blessed.extend(found.lines.iter().map(|line| format!("  {line}")));
    }
    blessed.join("\n") + "\n"
}

fn failure(name: &str, title: &str, step: &Step<'_>, found: &Found) -> String {
    let block = |lines: &[String]| match lines {
        [] => "    (nothing)".to_owned(),
        lines => lines.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n"),
    };
    let expected: Vec<String> = step.expected.iter().map(ToString::to_string).collect();
    format!(
        "topology/tests/scenarios/{name}:{}: {title}\n  {}\n  expected:\n{}\n  found:\n{}\n",
        step.line,
        step.input,
        block(&expected),
        block(&found.as_lines()),
    )
}

#[test]
fn every_scenario_finds_what_it_expects() {
    let bless = std::env::var_os("QUIPU_BLESS").is_some();
    let report = run_all(bless);
    if bless {
        return;
    }
    assert!(report.scenarios > 0, "there are no scenarios");
    let failures = report.failures;
    assert!(
        failures.is_empty(),
        "{} of {} scenarios failed\n\n{}",
        failures.len(),
        report.scenarios,
        failures.join("\n")
    );
}

/// A new outcome or a new kind of bad record needs a scenario.
#[test]
fn every_outcome_and_every_bad_record_has_a_scenario() {
    let found = run_all(false).outcomes;
    let reasons: Vec<String> = reasons().iter().map(|reason| format!("bad: {reason}")).collect();
    assert!(reasons.len() >= 30, "the reasons were not found in record/src/error.rs: {reasons:?}");
    // The table does not hold ranges, so none shrinks there.
    let reasons = reasons.into_iter().filter(|reason| reason != "bad: ranges_shrank");
    let all = OUTCOMES.iter().map(ToString::to_string).chain(reasons);
    let missing: Vec<String> = all.filter(|outcome| !found.contains(outcome)).collect();
    assert!(missing.is_empty(), "no scenario has the outcome {missing:?}");
}
