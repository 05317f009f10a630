use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget as _;
use ratatui::widgets::canvas::{Canvas, Line as Stroke, Points};

use super::line::{both_ends, row, title, write};
use crate::format;
use crate::name::Name;
use crate::theme::{Role, Theme};
use crate::view::{Chart, ChartLine, Scale};

/// The number of columns for the labels of the vertical axis.
pub(super) const AXIS: u16 = 8;
/// On a screen of at least this width, the legend is beside the chart.
const WIDE: u16 = 110;
/// The number of columns of a legend beside the chart.
const LEGEND: u16 = 32;

/// Draws the selected series over time.
pub(super) fn render(chart: &Chart, theme: Theme, area: Rect, buffer: &mut Buffer) {
    heading(chart, theme, row(area, 0), buffer);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let plot = if area.width < WIDE {
        let [legend, plot] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(body);
        write(buffer, legend, legend_line(chart, theme));
        plot
    } else {
        let [plot, legend] = Layout::horizontal([Constraint::Min(0), Constraint::Length(LEGEND)]).areas(body);
        legend_list(chart, theme, legend, buffer);
        plot
    };
    let [plot, times] = Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(plot);
    let [labels, plot] = Layout::horizontal([Constraint::Length(AXIS), Constraint::Min(0)]).areas(plot);
    scale_labels(chart.scale, theme, labels, buffer);
    time_labels(chart.span, theme, times, buffer);
    lines(chart, theme, plot, buffer);
}

/// Writes the times at both ends of an axis.
pub(super) fn time_labels(span: i64, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let faint = theme.style(Role::Faint);
    let area = Rect { x: area.x + AXIS.min(area.width), width: area.width.saturating_sub(AXIS), ..area };
    let left = vec![Span::styled(format!("{} ago", format::length(span)), faint)];
    both_ends(buffer, area, left, vec![Span::styled("now", faint)]);
}

/// Writes a right-aligned label.
pub(super) fn label(text: &str, style: Style, area: Rect, buffer: &mut Buffer) {
    let columns = usize::from(area.width.saturating_sub(1));
    write(buffer, area, vec![Span::styled(format::right(text, columns), style)]);
}

fn heading(chart: &Chart, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let mut numbers = String::new();
    if let Some(total) = chart.total {
        numbers = format!("  total {}", format::count(total));
    }
    if let Some(rate) = chart.rate.filter(|_| !chart.is_gauge) {
        numbers = format!("{numbers}  {}/s", format::rate(rate));
    }
    let room = usize::from(area.width).saturating_sub(numbers.len() + 5);
    let name = chart.series.at_most(room);
    let spans = vec![Span::styled(name, theme.style(Role::Title)), Span::styled(numbers, theme.style(Role::Plain))];
    title(buffer, area, theme, spans);
}

fn scale_labels(scale: Scale, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let faint = theme.style(Role::Faint);
    let last = usize::from(area.height.saturating_sub(1));
    label(&format::rounded(scale.max), faint, row(area, 0), buffer);
    if last >= 4 {
        label(&format::rounded(f64::midpoint(scale.min, scale.max)), faint, row(area, last / 2), buffer);
    }
    if last > 0 {
        label(&format::rounded(scale.min), faint, row(area, last), buffer);
    }
}

fn lines(chart: &Chart, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let steps = chart.lines.first().map_or(0, |line| line.points.len());
    let x_bounds = [0.0, float(steps.saturating_sub(1)).max(1.0)];
    let paint = |context: &mut ratatui::widgets::canvas::Context<'_>| {
        // The fleet's line is drawn last, over the others.
        for (index, line) in chart.lines.iter().enumerate().rev() {
            let colour = theme.colour(role(index));
            for (at, pair) in line.points.windows(2).enumerate() {
                if let [Some(left), Some(right)] = *pair {
                    context.draw(&Stroke { x1: float(at), y1: left, x2: float(at + 1), y2: right, color: colour });
                } else if let [None, Some(alone)] = *pair {
                    context.draw(&Points { coords: &[(float(at + 1), alone)], color: colour });
                }
            }
        }
        for (index, line) in chart.lines.iter().enumerate() {
            // The letters are at different steps, so that they don't overlap if lines end at the same height.
            let points = line.points.iter().enumerate().rev().filter_map(|(at, point)| Some((at, (*point)?)));
            let place = points.take(1 + index * 4).last();
            if let Some((at, value)) = place {
                context.print(float(at), value, Line::styled(line.mark.to_string(), theme.style(role(index))));
            }
        }
    };
    Canvas::default()
        .marker(Marker::Braille)
        .x_bounds(x_bounds)
        .y_bounds([chart.scale.min, chart.scale.max])
        .paint(paint)
        .render(area, buffer);
}

fn legend_line<'a>(chart: &Chart, theme: Theme) -> Vec<Span<'a>> {
    let mut spans = vec![Span::raw(" ")];
    for (index, line) in chart.lines.iter().enumerate() {
        let name = name(line).at_most(16);
        spans.push(Span::styled(format!(" {} {name}", line.mark), theme.style(role(index))));
        spans.push(Span::raw(format!(" {} ", value(line, chart))));
    }
    if chart.more > 0 {
        spans.push(Span::styled(format!(" +{} more", chart.more), theme.style(Role::Faint)));
    }
    spans
}

fn legend_list(chart: &Chart, theme: Theme, area: Rect, buffer: &mut Buffer) {
    for (index, line) in chart.lines.iter().enumerate() {
        let value = value(line, chart);
        let room = usize::from(area.width).saturating_sub(value.len() + 6);
        let name = name(line).at_most(room);
        let left = vec![Span::styled(format!("  {} {name}", line.mark), theme.style(role(index)))];
        both_ends(buffer, row(area, index), left, vec![Span::raw(format!("{value} "))]);
    }
    if chart.more > 0 {
        let more = format!("    and {} more", chart.more);
        write(buffer, row(area, chart.lines.len()), vec![Span::styled(more, theme.style(Role::Faint))]);
    }
}

fn name(line: &ChartLine) -> Name {
    line.instance.clone().unwrap_or_else(|| Name::new("fleet"))
}

fn value(line: &ChartLine, chart: &Chart) -> String {
    match line.now {
        Some(value) if chart.is_gauge => format::rounded(value),
        Some(rate) => format!("{}/s", format::rate(rate)),
        None => "-".to_owned(),
    }
}

fn role(index: usize) -> Role {
    index.checked_sub(1).map_or(Role::Fleet, Role::Line)
}

#[expect(clippy::cast_precision_loss, reason = "a chart has some hundred steps")]
pub(super) fn float(number: usize) -> f64 {
    number as f64
}
