use std::time::Duration;

use crate::output::Form;
use crate::theme::Theme;

/// How long to wait for a batch before the time and the stop flag are checked.
pub(crate) const PATIENCE: Duration = Duration::from_millis(100);

/// The options of `quipu top`.
#[derive(Debug, Clone, clap::Args)]
pub struct TopOptions {
    /// Print the view once and exit
    #[arg(long)]
    pub once: bool,
    /// Print the view as text instead of showing it on the screen [default: plain if standard output is no terminal]
    #[arg(long, value_name = "FORM")]
    pub output: Option<Form>,
    /// With --once: exit with 1 if any audit found duplicates, or with 2 if they could not be checked in time
    #[arg(long, requires = "once")]
    pub fail_on_duplicates: bool,
    /// How often the numbers are updated, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub interval: Duration,
    /// With --once: fail if no data arrives for this many seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub timeout: Duration,
    /// The series to select at first, such as records_processed; with --once, it must exist [default: the first]
    #[arg(long, value_name = "SERIES")]
    pub series: Option<String>,
    /// The colours of the screen [default: colour, or monochrome if NO_COLOR is set]
    #[arg(long, value_name = "THEME")]
    pub theme: Option<Theme>,
    /// Leave the mouse to the terminal; the key m changes it
    #[arg(long)]
    pub no_mouse: bool,
}

/// Parses a positive number of seconds.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.strip_suffix('s').unwrap_or(text).parse::<f64>().ok();
    let valid = seconds.filter(|seconds| (0.05..=86_400.0).contains(seconds));
    valid.map(Duration::from_secs_f64).ok_or_else(|| "expected seconds from 0.05 to 86400, such as 2 or 0.5".to_owned())
}
