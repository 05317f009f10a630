//! Maps records and seconds to points of the drawing.

use std::time::Duration;

use super::scale::{short, ticks};
use super::svg::{Anchor, Rect, Svg};
use super::{LINES, as_f64};
use crate::watch::snapshot::{Sample, Snapshot};

/// A range of time and of record counts, and the area in which it is drawn.
pub(super) struct Plot {
    pub(super) area: Rect,
    /// The first and the last second since the start.
    pub(super) time: (f64, f64),
    /// The record counts at the bottom and at the top.
    pub(super) records: (f64, f64),
}

impl Plot {
    /// A plot of all samples.
    pub(super) fn whole(samples: &[Sample], area: Rect) -> Self {
        let end = samples.last().map_or(0.0, |sample| sample.at.as_secs_f64());
        let most = samples.iter().flat_map(|sample| LINES.map(|line| as_f64((line.count)(&sample.seen))));
        let most = most.fold(0.0, f64::max);
        Self { area, time: (0.0, end.max(1.0)), records: (0.0, (most * 1.05).max(1.0)) }
    }

    pub(super) fn x(&self, seconds: f64) -> f64 {
        let (start, end) = self.time;
        self.area.left + (seconds - start) / (end - start) * self.area.width()
    }

    pub(super) fn y(&self, records: f64) -> f64 {
        let (bottom, top) = self.records;
        self.area.bottom - (records - bottom) / (top - bottom) * self.area.height()
    }

    pub(super) fn axes(&self, svg: &mut Svg) {
        let Rect { left, top, right, bottom } = self.area;
        for tick in ticks(self.records.1, 5.0) {
            let y = self.y(tick);
            svg.line("grid", (left, y), (right, y));
            svg.text("small", (left - 8.0, y + 4.5), Anchor::End, &short(tick));
        }
        for tick in ticks(self.time.1, 8.0) {
            let x = self.x(tick);
            svg.line("axis", (x, bottom), (x, bottom + 5.0));
            svg.text("small", (x, bottom + 20.0), Anchor::Middle, &short(tick));
        }
        svg.line("axis", (left, bottom), (right, bottom));
        svg.text("soft", (f64::midpoint(left, right), bottom + 42.0), Anchor::Middle, "seconds since the start");
        svg.text("soft", (left - 8.0, top - 8.0), Anchor::End, "records");
    }

    /// Draws the lines that have one of `classes`.
    pub(super) fn lines(&self, svg: &mut Svg, samples: &[Sample], classes: &[&str]) {
        for line in LINES.iter().filter(|line| classes.contains(&line.class)) {
            let points = turns(samples, line.count);
            svg.polyline(line.class, points.into_iter().map(|(at, count)| (self.x(at), self.y(count))));
        }
    }
}

/// Returns the points of a line: one where the count changed. Between two reports the count rises gradually, so the
/// line has no step, unless no report came for longer than `LONG`.
fn turns(samples: &[Sample], count: fn(&Snapshot) -> i128) -> Vec<(f64, f64)> {
    const LONG: Duration = Duration::from_secs(1);
    let mut turns: Vec<&Sample> = Vec::new();
    let mut previous: Option<&Sample> = None;
    for sample in samples {
        let last = turns.last();
        if last.is_none_or(|last| count(&last.seen) != count(&sample.seen)) {
            let step = previous.filter(|previous| last.is_some_and(|last| last.at + LONG < previous.at));
            turns.extend(step);
            turns.push(sample);
        }
        previous = Some(sample);
    }
    turns.extend(previous);
    turns.iter().map(|sample| (sample.at.as_secs_f64(), as_f64(count(&sample.seen)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_point_at_each_change_and_a_step_only_after_a_long_pause() {
        let samples = [(0, 0), (100, 0), (200, 5), (300, 5), (400, 9), (2000, 9), (2100, 20), (2200, 20)];
        let samples = samples
            .map(|(ms, sent)| Sample { at: Duration::from_millis(ms), seen: Snapshot { sent, ..Snapshot::default() } });
        let expected = [(0.0, 0.0), (0.2, 5.0), (0.4, 9.0), (2.0, 9.0), (2.1, 20.0), (2.2, 20.0)];
        assert_eq!(turns(&samples, |seen| seen.sent.into()), expected);
    }
}
