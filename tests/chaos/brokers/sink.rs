//! `quipu sink --stdout` as a separate process, and the lines that it prints.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use quipu_record::Aggregate;
use quipu_testkit::{Pipeline, eventually};

use crate::QUIPU;
use crate::seen::Seen;

pub(crate) struct Sink {
    child: Mutex<Child>,
    log: PathBuf,
    seen: Arc<Seen>,
    thread: Option<JoinHandle<()>>,
}

impl Sink {
    /// Starts the sink with its log in the folder; calls `each` with the total of every line.
    pub(crate) fn start(pipeline: &Pipeline, folder: &Path, each: impl Fn(&Aggregate) + Send + 'static) -> Self {
        let log = folder.join("sink.log");
        let topics = pipeline.topics();
        let mut all = vec!["sink", "--stdout", "--http", "off", "--brokers", pipeline.cluster.bootstrap()];
        all.extend(["--application-id", &pipeline.application_id]);
        for setting in &topics {
            all.extend(["--set", setting]);
        }
        let mut command = QUIPU.command();
        command.args(&all);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log).expect("a log"));
        let mut child = command.spawn().expect("quipu");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let seen = Arc::new(Seen::default());
        let all = Arc::clone(&seen);
        let thread = std::thread::spawn(move || {
            for line in lines {
                let aggregate = Aggregate::decode(line.expect("text").as_bytes()).expect("an aggregate");
                each(&aggregate);
                all.push(aggregate);
            }
        });
        Self { child: Mutex::new(child), log, seen, thread: Some(thread) }
    }

    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.child().try_wait().expect("a child").is_some()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).expect("a log")
    }

    /// Sends SIGTERM, expects exit code 0, and returns all totals that were printed.
    pub(crate) fn stop(mut self) -> Vec<Aggregate> {
        let id = self.child().id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &id]).status().expect("kill").success());
        let status = eventually("the sink to end", || self.child().try_wait().expect("a child"));
        assert!(status.success(), "{status}: {}", self.log());
        self.thread.take().expect("a thread").join().expect("every line is a total");
        std::mem::take(&mut *self.seen.all())
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().expect("no panic")
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let mut child = self.child();
        _ = child.kill();
        _ = child.wait();
    }
}
