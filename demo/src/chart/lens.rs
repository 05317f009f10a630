//! An enlarged view of the end of the chart, because the difference is small compared with a million records.

use super::as_f64;
use super::plot::Plot;
use super::svg::{Anchor, Rect, Svg};
use crate::format::grouped;
use crate::watch::snapshot::{Sample, Snapshot};

const SIZE: (f64, f64) = (300.0, 150.0);
/// A difference that takes more than this part of the chart's height is visible without a lens.
const VISIBLE: f64 = 0.2;

pub(super) fn draw(svg: &mut Svg, plot: &Plot, samples: &[Sample], last: &Snapshot) {
    let (sent, delta) = (as_f64(i128::from(last.sent)), as_f64(last.delta));
    if delta <= 0.0 || delta > plot.records.1 * VISIBLE {
        return;
    }
    let records = (sent - 2.5 * delta, sent + 2.0 * delta);
    let start = samples.iter().find(|sample| as_f64(i128::from(sample.seen.sent)) >= records.0);
    let start = start.map_or(plot.time.0, |sample| sample.at.as_secs_f64()).min(plot.time.1 * 0.98);
    let (left, top) = (plot.area.left + 20.0, plot.area.top + 16.0);
    let area = Rect { left, top, right: left + SIZE.0, bottom: top + SIZE.1 };
    let lens = Plot { area, time: (start, plot.time.1), records };

    let focus =
        Rect { left: plot.x(start), top: plot.y(records.1), right: plot.x(plot.time.1), bottom: plot.y(records.0) };
    svg.rect("frame", focus);
    svg.line("thread", (area.right, area.top), (focus.left, focus.top));
    svg.line("thread", (area.right, area.bottom), (focus.left, focus.bottom));
    svg.rect("lens", area);
    svg.clipped("lens-area", area, |svg| lens.lines(svg, samples, &["sent", "aggregate"]));
    let (x, upper, lower) = (area.right - 40.0, lens.y(as_f64(last.aggregate_processed)), lens.y(sent));
    svg.double_arrow("delta", x, upper, lower);
    svg.text("delta number", (x, lower + 20.0), Anchor::Middle, &format!("+{}", grouped(last.delta)));
    svg.text("small", (area.left + 10.0, area.top + 20.0), Anchor::Start, "the end, enlarged");
}
