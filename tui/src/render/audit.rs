use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::symbols::Marker;
use ratatui::text::Span;
use ratatui::widgets::Widget as _;
use ratatui::widgets::canvas::{Canvas, Line as Stroke};

use super::big;
use super::chart::{AXIS, float, label, time_labels};
use super::line::{row, title, write};
use crate::format;
use crate::layout;
use crate::theme::{Role, Theme};
use crate::view::{AuditRow, AuditView, EventRow};

/// The number of columns between two numbers.
const GAP: usize = 4;
/// A timeline of at least this width also shows the time of day.
const WIDE: u16 = 44;
/// An area of at least this height has room for large digits.
const LARGE: u16 = 7;

/// Draws an audit's numbers, its delta over time, and the timeline beside it.
pub(super) fn render(view: &AuditView, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let [numbers_area, chart, events] = layout::audit(area);
    match &view.shown {
        Some(audit) => {
            numbers(view, audit, theme, numbers_area, buffer);
            if chart.height > 0 {
                delta(view, theme, chart, buffer);
            }
        }
        None => nothing(theme, numbers_area, buffer),
    }
    timeline(&view.events, theme, events, buffer);
}

/// Returns the meaning of a delta as text.
pub(crate) fn meaning(audit: &AuditRow) -> (Role, String) {
    match audit.delta {
        None => (Role::Faint, "no delta has been published yet".to_owned()),
        Some(0) => (Role::Good, "processed and sent are equal".to_owned()),
        Some(behind) if behind < 0 => (Role::Behind, format!("{} behind", format::count(-behind))),
        Some(ahead) if audit.duplicates == 0 => {
            let ahead = format::count(ahead);
            (Role::Warning, format!("{ahead} ahead, not final: later reports may explain them"))
        }
        Some(ahead) => (Role::Ahead, format!("at least {} records were processed twice", format::count(ahead))),
    }
}

fn numbers(view: &AuditView, audit: &AuditRow, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let mut heading = vec![Span::styled(format!("audit {}", audit.audit.at_most(32)), theme.style(Role::Title))];
    if view.count > 1 {
        heading.push(Span::raw(format!("  {} of {}, j and k for the others", view.index + 1, view.count)));
    }
    title(buffer, row(area, 0), theme, heading);
    let text = |number: Option<i128>, form: fn(i128) -> String| number.map_or_else(|| "-".to_owned(), form);
    let (role, meaning) = meaning(audit);
    let per_second = |rate: Option<f64>| rate.map_or_else(String::new, |rate| format!("  {}/s", format::rate(rate)));
    let columns = [
        (format!("SENT{}", per_second(audit.sent_rate)), text(audit.sent, format::count), Role::Plain),
        (format!("PROCESSED{}", per_second(audit.processed_rate)), text(audit.processed, format::count), Role::Plain),
        ("DELTA".to_owned(), text(audit.delta, format::signed), role),
    ];
    let room = usize::from(area.width).saturating_sub(2);
    // As many numbers are large as there is room for: all three, the delta alone, or none.
    let taken = |first_big: usize| {
        let columns = columns.iter().enumerate().map(|(index, (head, number, _))| {
            if index >= first_big { big::width(number) } else { number.len() }.max(head.len())
        });
        columns.sum::<usize>() + 2 * GAP
    };
    let first_big = [0, 2].into_iter().find(|first| area.height >= LARGE && taken(*first) <= room).unwrap_or(3);
    let mut x = area.x + 2;
    for (index, (head, number, role)) in columns.into_iter().enumerate() {
        let is_big = index >= first_big;
        let columns = if is_big { big::width(&number) } else { number.len() }.max(head.len());
        let place = Rect { x, width: area.width.saturating_sub(x - area.x), ..area };
        write(buffer, row(place, 1), vec![Span::styled(head, theme.style(Role::Faint))]);
        if is_big {
            for (index, line) in big::rows(&number).into_iter().enumerate() {
                write(buffer, row(place, 2 + index), vec![Span::styled(line, theme.style(role))]);
            }
        } else {
            let middle = if area.height < LARGE { 2 } else { 3 };
            let role = if index == 2 { role } else { Role::Title };
            write(buffer, row(place, middle), vec![Span::styled(number, theme.style(role))]);
        }
        x += u16::try_from(columns + GAP).unwrap_or(u16::MAX).min(area.right().saturating_sub(x));
    }
    let below = if area.height < LARGE { 3 } else { 5 };
    write(buffer, row(area, below), vec![Span::styled(format!("  {meaning}"), theme.style(role))]);
}

fn nothing(theme: Theme, area: Rect, buffer: &mut Buffer) {
    title(buffer, row(area, 0), theme, vec![Span::styled("audit", theme.style(Role::Title))]);
    for (index, text) in [
        "  No audit. Add one to the aggregator's configuration:",
        "",
        "    [[audit]]",
        "    name = \"records\"",
        "    sent = \"records_sent\"",
        "    processed = \"records_processed\"",
    ]
    .into_iter()
    .enumerate()
    {
        write(buffer, row(area, index + 1), vec![Span::styled(text, theme.style(Role::Faint))]);
    }
}

/// Draws the delta over time as two charts: what is above zero, and what is below it. Each has a scale of its own, so
/// that a few duplicates are visible beside a large backlog, and a title with its scale, so that their heights are not
/// compared.
fn delta(view: &AuditView, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let above = format!("  above 0: ahead, scale +{}", format::rounded(view.scale.max));
    let below = format!(" below 0: behind, scale {} ", format::rounded(view.scale.min));
    let mut heading = vec![Span::styled("delta", theme.style(Role::Title))];
    if view.scale.max > 0.0 {
        heading.push(Span::styled(above, theme.style(Role::Ahead)));
    }
    title(buffer, row(area, 0), theme, heading);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let rows = [Constraint::Min(0), Constraint::Length(1), Constraint::Length(1)];
    let [plot, marks, times] = Layout::vertical(rows).areas(body);
    let [labels, plot] = Layout::horizontal([Constraint::Length(AXIS), Constraint::Min(0)]).areas(plot);
    let upper = if view.scale.max > 0.0 { plot.height.div_ceil(2) } else { 0 };
    let upper = if view.scale.min < 0.0 { upper } else { plot.height.saturating_sub(1) };
    let zero = row(plot, upper.into());
    buffer.set_string(zero.x, zero.y, "─".repeat(zero.width.into()), theme.style(Role::Faint));
    label("0", theme.style(Role::Faint), row(labels, upper.into()), buffer);
    if view.scale.min < 0.0 {
        let place = Rect { x: zero.x + 1.min(zero.width), width: zero.width.saturating_sub(1), ..zero };
        write(buffer, place, vec![Span::styled(below, theme.style(Role::Behind))]);
    }
    if upper > 0 && view.scale.max > 0.0 {
        label(&format!("+{}", format::rounded(view.scale.max)), theme.style(Role::Ahead), row(labels, 0), buffer);
        half(view, Role::Ahead, theme, Rect { height: upper, ..plot }, buffer);
    }
    let lower = Rect { y: plot.y + upper + 1, height: plot.height.saturating_sub(upper + 1), ..plot };
    if lower.height > 0 && view.scale.min < 0.0 {
        let bottom = row(labels, usize::from(plot.height) - 1);
        label(&format::rounded(view.scale.min), theme.style(Role::Behind), bottom, buffer);
        half(view, Role::Behind, theme, lower, buffer);
    }
    event_marks(view, theme, marks, buffer);
    time_labels(view.span, theme, times, buffer);
}

fn half(view: &AuditView, role: Role, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let bounds = if role == Role::Ahead { [0.0, view.scale.max] } else { [view.scale.min, 0.0] };
    Canvas::default()
        .marker(Marker::Braille)
        .x_bounds([0.0, float(view.points.len().saturating_sub(1)).max(1.0)])
        .y_bounds(bounds)
        .paint(|context| {
            for (at, point) in view.points.iter().enumerate() {
                if let Some(value) = point.filter(|value| (role == Role::Ahead) == (*value > 0.0) && *value != 0.0) {
                    let x = float(at);
                    context.draw(&Stroke { x1: x, y1: 0.0, x2: x, y2: value, color: theme.colour(role) });
                }
            }
        })
        .render(area, buffer);
}

/// Draws the marks of the events at their times.
fn event_marks(view: &AuditView, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let columns = i64::from(area.width.saturating_sub(AXIS));
    for event in view.events.iter().rev().filter(|event| event.age < view.span) {
        let column = (view.span - event.age) * columns / view.span;
        let x = area.x + AXIS + u16::try_from(column.clamp(0, (columns - 1).max(0))).unwrap_or(0);
        if x < area.right() {
            buffer.set_string(x, area.y, event.kind.mark().to_string(), theme.style(Role::of_event(event.kind)));
        }
    }
}

fn timeline(events: &[EventRow], theme: Theme, area: Rect, buffer: &mut Buffer) {
    title(buffer, row(area, 0), theme, vec![Span::styled("timeline", theme.style(Role::Title))]);
    if events.is_empty() {
        write(buffer, row(area, 1), vec![Span::styled("  No events yet.", theme.style(Role::Faint))]);
    }
    for (index, event) in events.iter().take(usize::from(area.height.saturating_sub(1))).enumerate() {
        let mut time = format!("  {} ", format::right(&format::span(event.age), 8));
        if area.width >= WIDE {
            time = format!("  {}{time}", format::clock(event.at));
        }
        let room = usize::from(area.width).saturating_sub(time.len() + event.event.len() + 3);
        let subject = event.subject.at_most(room);
        let spans = vec![
            Span::styled(time, theme.style(Role::Faint)),
            Span::styled(format!("{} ", event.kind.mark()), theme.style(Role::of_event(event.kind))),
            Span::raw(format!("{subject} ")),
            Span::styled(event.event, theme.style(Role::of_event(event.kind))),
        ];
        write(buffer, row(area, index + 1), spans);
    }
}
