//! The metrics of the operating system's process, by the names that all of Prometheus' client libraries use. They are read
//! at each scrape.

use std::fmt::Write as _;

/// Returns the metrics as Prometheus text; nothing where they can't be read, as on systems other than Linux.
pub(super) fn metrics() -> String {
    read().unwrap_or_default().into_iter().fold(String::new(), |mut text, (name, kind, help, value)| {
        // Writing to a string can't fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
        text
    })
}

/// The name, type, help text and value of a metric.
type Metric = (&'static str, &'static str, &'static str, f64);

#[cfg(target_os = "linux")]
#[expect(clippy::cast_precision_loss, reason = "Prometheus' values are floats")]
fn read() -> Option<Vec<Metric>> {
    use procfs::WithCurrentSystemInfo as _;
    use procfs::process::{LimitValue, Process};

    let process = Process::myself().ok()?;
    let stat = process.stat().ok()?;
    let seconds = |ticks: u64| ticks as f64 / procfs::ticks_per_second() as f64;
    let started = procfs::boot_time_secs().ok()? as f64 + seconds(stat.starttime);
    let mut metrics = vec![
        ("process_cpu_seconds_total", "counter", "CPU time of the process", seconds(stat.utime + stat.stime)),
        ("process_resident_memory_bytes", "gauge", "Resident memory", stat.rss_bytes().get() as f64),
        ("process_start_time_seconds", "gauge", "When the process started, since 1970", started),
        ("process_threads", "gauge", "Threads of the process", stat.num_threads as f64),
        ("process_open_fds", "gauge", "Open file descriptors", process.fd_count().ok()? as f64),
    ];
    if let LimitValue::Value(most) = process.limits().ok()?.max_open_files.soft_limit {
        metrics.push(("process_max_fds", "gauge", "The most file descriptors that may be open", most as f64));
    }
    Some(metrics)
}

#[cfg(not(target_os = "linux"))]
fn read() -> Option<Vec<Metric>> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    fn value(name: &str) -> f64 {
        let text = metrics();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().expect("a number")
    }

    #[test]
    fn the_metrics_are_those_of_this_process() {
        let before = value("process_open_fds");
        let files: Vec<_> = (0..10).map(|_| std::fs::File::open("/dev/null").expect("a file")).collect();
        assert!(value("process_open_fds") >= before + 5.0, "other tests may have closed files");
        assert!(value("process_max_fds") > value("process_open_fds"));
        drop(files);
        assert!(value("process_threads") >= 1.0);
        let memory = value("process_resident_memory_bytes");
        assert!((1e6..1e12).contains(&memory), "{memory}");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
        let age = now - value("process_start_time_seconds");
        // The system's boot time has whole seconds, and the clock may have been set since.
        assert!((-60.0..86_400.0).contains(&age), "{age}");
        let cpu = value("process_cpu_seconds_total");
        assert!((0.0..86_400.0).contains(&cpu), "{cpu}");
    }
}
