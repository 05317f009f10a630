//! Writes lines of text.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};

use unicode_width::UnicodeWidthStr as _;

use crate::name::Name;
use crate::theme::{Role, Theme};

/// Returns a row of an area, counted from its top; it is empty if it is below the area.
pub(super) fn row(area: Rect, index: usize) -> Rect {
    let index = u16::try_from(index).unwrap_or(u16::MAX).min(area.height);
    Rect { y: area.y + index, height: u16::from(index < area.height), ..area }
}

/// Writes the right part at the right end, and the left part before it, cut if it does not fit.
pub(super) fn both_ends(buffer: &mut Buffer, area: Rect, left: Vec<Span<'_>>, right: Vec<Span<'_>>) {
    let right = Line::from(right);
    let taken = u16::try_from(right.width()).unwrap_or(u16::MAX).min(area.width);
    let room = area.width - taken;
    write(buffer, Rect { width: room, ..area }, left);
    if area.height > 0 {
        buffer.set_line(area.x + room, area.y, &right, taken);
    }
}

/// Writes spans, cut if they do not fit.
pub(super) fn write(buffer: &mut Buffer, area: Rect, spans: Vec<Span<'_>>) {
    if area.height > 0 {
        buffer.set_line(area.x, area.y, &Line::from(spans), area.width);
    }
}

/// Returns a text, the filter that a list has, and how to clear it, in at most `columns` of a title.
pub(super) fn filtered(before: &str, filter: &Name, columns: usize) -> String {
    const AFTER: &str = " (Esc clears it)";
    // The title begins with a rule.
    let room = columns.saturating_sub(before.width() + AFTER.len() + "─ ".width()).min(40);
    format!("{before}{}{AFTER}", filter.at_most(room))
}

/// Writes a title on a line across the area.
pub(super) fn title(buffer: &mut Buffer, area: Rect, theme: Theme, spans: Vec<Span<'_>>) {
    let faint = theme.style(Role::Faint);
    let mut line = Line::from(Span::styled("─ ", faint));
    line.spans.extend(spans);
    let rule = usize::from(area.width).saturating_sub(line.width() + 1);
    line.spans.push(Span::styled(format!(" {}", "─".repeat(rule)), faint));
    write(buffer, area, line.spans);
}

/// Draws a row as selected; this replaces its colours.
pub(super) fn select(buffer: &mut Buffer, area: Rect, theme: Theme) {
    let plain = Style::new().fg(Color::Reset).bg(Color::Reset);
    buffer.set_style(area, plain.patch(theme.style(Role::Selected)));
}

/// Returns the arrow after the head of the sorted column; empty for the other columns.
pub(super) fn arrow(is_sorted: bool, is_reversed: bool) -> &'static str {
    match (is_sorted, is_reversed) {
        (false, _) => "",
        (true, false) => "▼",
        (true, true) => "▲",
    }
}

/// Returns the highest of the rates that a row of bars may have.
pub(super) fn highest(points: &[Option<f64>]) -> f64 {
    points.iter().flatten().copied().fold(0.0, f64::max)
}

/// Draws rates as a row of bars, relative to `highest`.
pub(super) fn sparkline(points: &[Option<f64>], highest: f64) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let bar = |point: &Option<f64>| {
        point.map_or(' ', |rate| {
            let part = if highest > 0.0 { (rate / highest).clamp(0.0, 1.0) } else { 0.0 };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and 7")]
            BARS[(part * 7.0).round() as usize]
        })
    };
    points.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_shows_a_missing_rate_as_a_space() {
        let points = [None, Some(0.0), Some(5.0), Some(10.0), Some(-1.0)];
        assert_eq!(sparkline(&points, highest(&points)), " ▁▅█▁");
        assert_eq!(sparkline(&points, 20.0), " ▁▃▅▁");
        assert_eq!(sparkline(&[Some(0.0)], 0.0), "▁");
    }

    #[test]
    fn the_right_part_has_priority() {
        let area = Rect::new(0, 0, 10, 1);
        let mut buffer = Buffer::empty(area);
        both_ends(&mut buffer, area, vec!["abcdefghij".into()], vec!["XYZ".into()]);
        assert_eq!(buffer, Buffer::with_lines(["abcdefgXYZ"]));
    }
}
