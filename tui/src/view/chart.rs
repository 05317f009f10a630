use quipu_record::Total;

use crate::app::{App, Scope};
use crate::fleet::{ObservedTotal, SeriesId};
use crate::name::Name;

/// How many instances have a line of their own: those with the largest changes.
const LINES: usize = 8;

/// A chart of the selected series over time.
#[derive(Debug)]
pub struct Chart {
    /// The series as text.
    pub series: Name,
    /// The total of the series.
    pub total: Option<i128>,
    /// The change of the total per second.
    pub rate: Option<f64>,
    /// Whether the series is a gauge, so that the lines are values and not rates.
    pub is_gauge: bool,
    /// The fleet's line first, then those of the instances.
    pub lines: Vec<ChartLine>,
    /// How many more instances count the series.
    pub more: usize,
    /// The vertical axis.
    pub scale: Scale,
    /// The time span of the chart, in ms.
    pub span: i64,
}

/// A line of a chart.
#[derive(Debug)]
pub struct ChartLine {
    /// The letter at its end and in the legend.
    pub mark: char,
    /// The instance; `None` for the fleet.
    pub instance: Option<Name>,
    /// The newest rate or value.
    pub now: Option<f64>,
    /// The values from left to right, at equal distances; `None` where there is no data.
    pub points: Vec<Option<f64>>,
}

/// A vertical axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// The lowest value.
    pub min: f64,
    /// The highest value.
    pub max: f64,
}

impl Chart {
    /// Creates the chart of a series with `points` steps from left to right.
    pub(super) fn new(app: &App, scope: Scope<'_>, id: SeriesId, points: usize) -> Self {
        let series = scope.fleet.get(id);
        let is_gauge = series.total().is_some_and(|observed| match observed.total {
            Total::Counter(_) => false,
            Total::Delta(_) => true,
        });
        let span = app.span();
        let (from, to) = (scope.fleet_now - span, scope.fleet_now);
        let rate = scope.total_rate(series.history());
        let fleet = ChartLine {
            mark: '*',
            instance: None,
            #[expect(clippy::cast_precision_loss, reason = "this is for a legend")]
            now: if is_gauge { series.total().map(|total| total.count() as f64) } else { rate },
            points: if is_gauge {
                scope.total_values(series.history(), span, points)
            } else {
                scope.total_rates(series.history(), span, points)
            },
        };
        let mut lines = vec![fleet];
        let mut more = 0;
        if !is_gauge {
            let mut runs: Vec<_> = scope
                .fleet
                .runs()
                .filter_map(|run| Some((run, scope.fleet.line(id, run.id())?)))
                .map(|(run, line)| (run, line, line.change(from, to)))
                .filter(|(.., change)| *change > 0.0)
                .collect();
            runs.sort_by(|(a, _, a_change), (b, _, b_change)| {
                b_change.total_cmp(a_change).then_with(|| a.id().cmp(&b.id()))
            });
            more = runs.len().saturating_sub(LINES);
            runs.truncate(LINES);
            // The lines are sorted by name and not by change, so that a line usually keeps its letter.
            runs.sort_by_key(|(run, ..)| (run.instance(), run.started(), run.id()));
            lines.extend(('a'..).zip(runs).map(|(mark, (run, line, _))| ChartLine {
                mark,
                instance: Some(Name::new(run.instance())),
                now: scope.run_rate(run.id(), id),
                points: scope.run_rates(line, span, points),
            }));
        }
        let scale = Scale::around(lines.iter().flat_map(|line| line.points.iter().flatten().copied()));
        let total = series.total().map(ObservedTotal::count);
        Self { series: Name::new(series.text()), total, rate, is_gauge, lines, more, scale, span }
    }
}

impl Scale {
    /// Returns an axis that includes zero and all values and ends at round numbers.
    pub(super) fn around(values: impl Iterator<Item = f64>) -> Self {
        let (mut min, mut max) = (0.0_f64, 0.0_f64);
        for value in values.filter(|value| value.is_finite()) {
            min = min.min(value);
            max = max.max(value);
        }
        let max = round_up(max);
        Self { min: 0.0 - round_up(-min), max: if max == 0.0 && min == 0.0 { 1.0 } else { max } }
    }
}

/// Rounds up to one of …, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, …; 0 stays 0.
fn round_up(value: f64) -> f64 {
    const STEPS: [f64; 9] = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    if value <= 0.0 {
        return 0.0;
    }
    let magnitude = 10_f64.powf(value.log10().floor());
    STEPS.map(|step| step * magnitude).into_iter().find(|step| *step >= value).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_ends_at_round_numbers_and_includes_zero() {
        let scale = |values: &[f64]| Scale::around(values.iter().copied());
        assert_eq!(scale(&[24_900.0, 12_000.0]), Scale { min: 0.0, max: 30_000.0 });
        assert_eq!(scale(&[-950_000.0, 8_731.0]), Scale { min: -1_000_000.0, max: 10_000.0 });
        assert_eq!(scale(&[]), Scale { min: 0.0, max: 1.0 });
        assert_eq!(scale(&[13.0, f64::NAN, f64::INFINITY]), Scale { min: 0.0, max: 15.0 });
        assert_eq!(scale(&[-5.0]), Scale { min: -5.0, max: 0.0 });
    }
}
