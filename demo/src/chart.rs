//! The chart of the experiment: records over time, and the difference between processed and sent at the end.

mod lens;
mod plot;
mod scale;
mod svg;

use crate::format::grouped;
use crate::watch::snapshot::{Milestone, Sample, Snapshot};
use plot::Plot;
use svg::{Anchor, Rect, Svg};

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 600.0;
/// The area of the plot; the labels of the lines are to the right of it.
const AREA: Rect = Rect { left: 84.0, top: 124.0, right: 785.0, bottom: 540.0 };
const LABEL_DISTANCE: f64 = 20.0;
/// The estimated width of a character: the font is chosen by the viewer of the SVG.
const CHARACTER: f64 = 6.6;

/// The lines of the chart.
const LINES: [Line; 4] = [
    Line { class: "sent", count: |seen| i128::from(seen.sent) },
    Line { class: "app-1", count: |seen| i128::from(seen.processed[0]) },
    Line { class: "app-2", count: |seen| i128::from(seen.processed[1]) },
    Line { class: "aggregate", count: |seen| seen.aggregate_processed },
];

/// A line of the chart.
struct Line {
    /// The CSS class, which is also the label.
    class: &'static str,
    /// The number that the line shows.
    count: fn(&Snapshot) -> i128,
}

/// Draws the samples as an SVG that is readable on light and dark pages.
pub(crate) fn draw(samples: &[Sample], milestones: &[Milestone]) -> String {
    let last = samples.last().map_or_else(Snapshot::default, |sample| sample.seen);
    let title = title(&last);
    let mut svg = Svg::new(WIDTH, HEIGHT, &title, include_str!("chart/style.css"));
    svg.rect("paper", Rect { left: 0.0, top: 0.0, right: WIDTH, bottom: HEIGHT });
    svg.text("title", (24.0, 42.0), Anchor::Start, &title);
    let subtitle = "The fleet-wide total of two consumers, from their own counters: quipu demo";
    svg.text("soft", (24.0, 68.0), Anchor::Start, subtitle);

    let plot = Plot::whole(samples, AREA);
    plot.axes(&mut svg);
    marks(&mut svg, &plot, milestones);
    plot.lines(&mut svg, samples, &LINES.map(|line| line.class));
    labels(&mut svg, &plot, &last);
    lens::draw(&mut svg, &plot, samples, &last);
    svg.finish()
}

fn title(last: &Snapshot) -> String {
    let (sent, processed) = (grouped(last.sent), grouped(last.aggregate_processed));
    match last.delta {
        delta if delta > 0 => {
            format!("{sent} records sent, {processed} processed: {} of them twice", grouped(delta))
        }
        0 => format!("{sent} records sent, {processed} processed"),
        delta => format!("{sent} records sent, {processed} processed: {} still to process", grouped(-delta)),
    }
}

/// Draws the milestones as vertical lines.
fn marks(svg: &mut Svg, plot: &Plot, milestones: &[Milestone]) {
    let mut ends = Vec::new();
    for (milestone, mark) in milestones.iter().filter_map(|milestone| Some((milestone, milestone.mark?))) {
        let x = plot.x(milestone.at.as_secs_f64());
        let width = mark.chars().fold(10.0, |width, _| width + CHARACTER);
        // A label at the right edge is written to the left of its line.
        let (start, anchor, at) =
            if x + width > AREA.right + 40.0 { (x - width, Anchor::End, x - 5.0) } else { (x, Anchor::Start, x + 5.0) };
        let row = scale::row(&mut ends, start, start + width);
        let y = (0..row).fold(AREA.top - 6.0, |y, _| y - 15.0);
        svg.line("mark", (x, y - 10.0), (x, AREA.bottom));
        svg.text("small", (at, y), anchor, mark);
    }
}

/// Writes the name and the last value of each line at its end, and the difference between aggregate and sent.
fn labels(svg: &mut Svg, plot: &Plot, last: &Snapshot) {
    let mut labels: Vec<(&str, f64, String)> = LINES
        .iter()
        .map(|line| (line.class, (line.count)(last)))
        .map(|(class, count)| (class, as_f64(count), format!("{class} {}", grouped(count))))
        .collect();
    let (processed, sent) = (as_f64(last.aggregate_processed), as_f64(i128::from(last.sent)));
    if last.delta > 0 {
        svg.double_arrow("delta", AREA.right + 8.0, plot.y(processed), plot.y(sent));
        labels.push(("delta", f64::midpoint(processed, sent), format!("+{} twice", grouped(last.delta))));
    }
    labels.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut heights: Vec<f64> = labels.iter().map(|(_, count, _)| plot.y(*count) + 5.0).collect();
    scale::spread(&mut heights, LABEL_DISTANCE, AREA.bottom + 5.0);
    for ((class, _, text), y) in labels.iter().zip(heights) {
        svg.text(&format!("{class} number"), (AREA.right + 20.0, y), Anchor::Start, text);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a picture has fewer pixels than 2^53")]
fn as_f64(count: i128) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// An experiment in which the consumers share the work from second 15 on and app-2 leaves at second 28.
    pub(super) fn experiment() -> (Vec<Sample>, Vec<Milestone>) {
        let samples = (0..470_u64).map(|tick| {
            let at = Duration::from_millis(tick * 100);
            let sent = (tick * 2_500).min(1_000_000);
            let share = (tick.clamp(150, 280) - 150) * 1_250;
            let alone = if tick < 50 { 0 } else { sent.min((tick - 50) * 5_000) } - share;
            let again = if tick < 300 { 0 } else { ((tick - 300) * 1_000).min(31_250) };
            let aggregate = i128::from(alone + share + again);
            let seen = Snapshot {
                sent,
                processed: [alone + again, share],
                finished: [tick == 469; 3],
                aggregate_sent: i128::from(sent),
                aggregate_processed: aggregate,
                delta: aggregate - i128::from(sent),
            };
            Sample { at, seen }
        });
        let milestone =
            |seconds, mark| Milestone { at: Duration::from_secs(seconds), mark: Some(mark), text: String::new() };
        let milestones = [(2, "app-1 starts"), (12, "app-2 starts"), (28, "app-2 stops"), (46, "all is read")];
        (samples.collect(), milestones.map(|(at, mark)| milestone(at, mark)).to_vec())
    }

    /// Returns the texts between the tags, after a check that the tags are balanced and that all text is escaped.
    fn texts(svg: &str) -> Vec<&str> {
        let (mut open, mut texts) = (Vec::new(), Vec::new());
        for piece in svg.split('<').skip(1) {
            let (tag, text) = piece.split_once('>').expect("every tag is closed by >");
            let name = tag.split_whitespace().next().unwrap();
            match name.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name)),
                None if tag.ends_with('/') => assert_eq!(tag.matches('"').count() % 2, 0, "{tag}"),
                None => open.push(name),
            }
            assert!(!text.contains('>'), "{text}");
            texts.push(text.trim());
        }
        assert_eq!(open, Vec::<&str>::new());
        texts.retain(|text| !text.is_empty());
        texts
    }

    #[test]
    fn the_chart_names_the_lines_the_events_the_numbers_and_the_units() {
        let (samples, milestones) = experiment();
        let svg = draw(&samples, &milestones);
        let texts = texts(&svg);
        for text in [
            "1,000,000 records sent, 1,031,250 processed: 31,250 of them twice",
            "sent 1,000,000",
            "aggregate 1,031,250",
            "app-1 868,750",
            "app-2 162,500",
            "+31,250 twice",
            "app-2 stops",
            "seconds since the start",
            "records",
            "250k",
        ] {
            assert!(texts.contains(&text), "{text:?} is not in {texts:?}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn a_chart_of_no_or_one_sample_is_valid() {
        let one = Sample { at: Duration::ZERO, seen: Snapshot::default() };
        for samples in [&[][..], &[one]] {
            let svg = draw(samples, &[]);
            assert!(texts(&svg).contains(&"0 records sent, 0 processed"));
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }

    #[test]
    fn text_is_escaped() {
        let milestone = Milestone { at: Duration::ZERO, mark: Some("a < b & c > d"), text: String::new() };
        assert!(texts(&draw(&[], &[milestone])).contains(&"a &lt; b &amp; c &gt; d"));
    }
}
