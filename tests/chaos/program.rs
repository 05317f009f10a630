//! A program that links the reporter and counts continuously.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use metrics::{Key, Level, Metadata, Recorder as _};
use quipu_reporter::KafkaReporter;

use crate::chance::pause;

/// The name of its counter.
pub(crate) const COUNTED: &str = "chaos_counted";

/// Counts until it is stopped.
pub(crate) struct Program {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Program {
    pub(crate) fn start(bootstrap: &str, topic: &str) -> Self {
        let builder = KafkaReporter::builder(bootstrap).instance("program").topic(topic);
        let built = builder.interval(Duration::from_millis(50)).property("message.timeout.ms", "60000").build();
        let (recorder, reporter) = built.expect("a reporter");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let metadata = Metadata::new(module_path!(), Level::INFO, None);
            let handle = recorder.register_counter(&Key::from_static_name(COUNTED), &metadata);
            let mut counted = 0;
            while !stopped.load(Ordering::Relaxed) {
                handle.increment(1);
                counted += 1;
                pause(Duration::from_millis(1));
            }
            reporter.shutdown(Duration::from_secs(60)).expect("the last report");
            counted
        });
        Self { stop, thread }
    }

    /// Stops the program, and returns its count after all of it was reported.
    pub(crate) fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("everything was reported")
    }
}
