//! `quipu forget`.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use quipu_record::{Aggregate, Total};
use quipu_verify::{Forgetting, Liveness, Series, Target};

use crate::config_options::ConfigOptions;
use crate::output;
use crate::progress::Progress;
use crate::visible::push_visible;

/// The line that clap would write has more than 80 columns.
pub(crate) const USAGE: &str = "quipu forget [OPTIONS] <INSTANCE|--run RUN|--key KEY|--series SERIES>";

pub(crate) const EXAMPLES: &str = "\
Examples:
  quipu forget app-7 --dry-run                  show what would be subtracted
  quipu forget app-7 --config quipu.toml        subtract all counts of its runs, after a confirmation
  quipu forget --run app-7/01920000-0000-7000-8000-000000000001
  quipu forget --key app-7:records_processed --yes
  quipu forget --series 'records_processed{topic=\"test\"}'

The counts of a program that has left stay in the totals, as they should. Use this command for counts that should never
have been there, such as those of a test. It rejects what still reports: the next report would add its counts again.

--series removes all that was counted for the series until now, by all programs, including the counts of expired runs,
which can't be removed one by one. The series disappears from every view.

A run that was silent may come back. After its run, its instance or its key was forgotten, its next report adds all counts
since its start. After a series was forgotten, the series counts from the last value that the run reported before.

Exit codes:
  0  done, or shown with --dry-run
  2  an error, or nothing was subtracted";

#[derive(Debug, Args)]
#[group(id = "target", required = true, multiple = false, args = ["instance", "run", "key", "series"])]
pub(crate) struct ForgetOptions {
    /// The instance, of which all runs are subtracted
    #[arg(value_name = "INSTANCE")]
    instance: Option<String>,
    /// One run, with all its parts
    #[arg(long, value_name = "INSTANCE/RUN")]
    run: Option<String>,
    /// The key of one row, such as a plain key
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// A series, of which all counts until now are removed
    #[arg(long, value_name = "SERIES")]
    series: Option<Series>,
    /// Only show what would be subtracted
    #[arg(long)]
    dry_run: bool,
    /// Subtract without a confirmation
    #[arg(long, short)]
    yes: bool,
    /// How long to wait until the totals are updated
    #[arg(long, value_name = "SECONDS", default_value_t = 90)]
    wait: u64,
    #[command(flatten)]
    config: ConfigOptions,
}

pub(crate) fn run(options: ForgetOptions) -> Result<ExitCode> {
    let config = options.config.load(Vec::new())?;
    let target = match (options.run, options.key, options.series) {
        (Some(run), ..) => Target::Run(run),
        (_, Some(key), _) => Target::Key(key),
        (.., Some(series)) => Target::Series(series),
        (None, None, None) => Target::Instance(options.instance.unwrap_or_default()),
    };
    let mut progress = Progress::default();
    let mut progress = |read: quipu_verify::Progress<'_>| progress.show(&read);
    let mut found = Forgetting::find(&config, target.clone(), &mut progress)?;
    if found.rows() == 0 && found.subtractions().is_empty() {
        bail!(nothing(&target, &found));
    }
    output::print(&plan(&target, &found))?;
    let still_reporting = still_reporting(&found)?;
    if options.dry_run {
        return output::print(&still_reporting.map_or(String::new(), |why| note(&why)));
    }
    refuse(still_reporting)?;
    if !options.yes && !confirmed()? {
        bail!("cancelled: nothing was subtracted");
    }
    // The instance may have reported again while the command waited for the confirmation.
    found.read_on(&mut progress)?;
    refuse(self::still_reporting(&found)?)?;
    let totals = found.forget(Duration::from_secs(options.wait), &mut progress)?;
    let mut text = String::new();
    for Aggregate { series, total, offset, .. } in totals {
        let (Total::Counter(count) | Total::Delta(count)) = total;
        push_visible(&mut text, &format!("{series}: {count} as of offset {offset}"), |_| false);
        text.push('\n');
    }
    text.push_str("forgotten: the totals are updated\n");
    output::print(&text)
}

fn plan(target: &Target, found: &Forgetting<'_>) -> String {
    let mut text = String::new();
    let expired = match found.retired_rows() {
        0 => String::new(),
        rows => format!(", expired rows {rows}"),
    };
    let heading = format!("{}: rows {}{expired}; these totals decrease:", name(target), found.rows());
    push_visible(&mut text, &heading, |_| false);
    text.push('\n');
    for part in found.subtractions() {
        let (total, count) = (part.total, part.count);
        let mut series = String::new();
        push_visible(&mut series, &part.series.to_string(), |_| false);
        // Writing to a string can't fail.
        let _ = writeln!(text, "  {series}: {total} - {count} = {}", total - count);
    }
    match found.expired() {
        0 => {}
        expired => _ = writeln!(text, "note: {expired} more have expired: their counts stay in the totals"),
    }
    text
}

/// Why there is nothing to subtract.
fn nothing(target: &Target, found: &Forgetting<'_>) -> String {
    let name = name(target);
    match target {
        Target::Series(_) => format!("{name} is unknown, or was forgotten: `quipu top` shows the series"),
        _ if found.expired() > 0 => format!(
            "{name} has expired, so its counts can't be told apart any more: `quipu forget --series` removes all counts of a series"
        ),
        Target::Run(_) => format!("{name} has no rows: `quipu top` shows the runs"),
        _ => format!("{name} has no rows: `quipu top` shows the instances; use --key for a plain key"),
    }
}

fn refuse(why: Option<String>) -> Result<()> {
    why.map_or(Ok(()), |why| bail!(why))
}

/// The line of a dry run about what would be refused.
fn note(why: &str) -> String {
    let mut note = String::from("note: without --dry-run this would be refused: ");
    push_visible(&mut note, why, |_| false);
    note.push('\n');
    note
}

/// Why nothing can be subtracted while an instance reports.
fn still_reporting(found: &Forgetting<'_>) -> Result<Option<String>> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock is before 1970")?;
    let now = i64::try_from(now.as_millis()).context("the clock is too far ahead")?;
    let Liveness::Reporting { key, ago_ms, silent_after_ms } = found.liveness(now) else { return Ok(None) };
    Ok(Some(format!(
        "{key} still reports (last {} s ago), so its counts would return: stop it, and retry after it has not reported for {} s",
        ago_ms.max(0) / 1000,
        silent_after_ms / 1000
    )))
}

fn confirmed() -> Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("no terminal for a confirmation: add --yes to subtract this, or --dry-run to only show it");
    }
    let mut stderr = io::stderr();
    write!(stderr, "Subtract this permanently? [y/N] ").and_then(|()| stderr.flush()).context("can't ask")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("can't read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn name(target: &Target) -> String {
    match target {
        Target::Instance(instance) => format!("instance {instance}"),
        Target::Run(run) => format!("run {run}"),
        Target::Key(key) => format!("key {key}"),
        Target::Series(series) => format!("series {series}"),
    }
}
