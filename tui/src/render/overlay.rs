//! Draws the overlays: the help and the details of an instance.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Widget as _, Wrap};

use super::instances::state_role;
use crate::app::{Mode, bindings};
use crate::format;
use crate::theme::{Role, Theme};
use crate::view::Details;

/// The number of columns for the names of the keys.
const KEYS: usize = 16;

/// Draws the key table.
pub(super) fn help(theme: Theme, area: Rect, buffer: &mut Buffer) {
    let lines = bindings(Mode::Command).iter().map(|binding| {
        let keys: Vec<String> = binding.keys.iter().map(|key| key.name()).collect();
        Line::from(vec![
            Span::styled(format!(" {:KEYS$}", keys.join(" ")), theme.style(Role::Key)),
            Span::raw(binding.help),
        ])
    });
    popup("keys", lines.collect(), theme, area, buffer);
}

/// Draws the details of an instance.
pub(super) fn details(details: &Details, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let row = &details.row;
    let entry = |head: &'static str, text: String, role| {
        Line::from(vec![
            Span::styled(format!(" {head:KEYS$}"), theme.style(Role::Faint)),
            Span::styled(text, theme.style(role)),
        ])
    };
    let when = |at: i64| format!("{} ago, at {}", format::span(details.now - at), format::clock(at));
    let count =
        row.count.map_or_else(|| "-".to_owned(), |count| format::count(i128::try_from(count).unwrap_or(i128::MAX)));
    let mut lines = vec![
        entry("instance", row.instance.to_string(), Role::Title),
        entry("run", row.run.clone().unwrap_or_else(|| "none: this is a plain key".to_owned()), Role::Plain),
        entry("state", row.state.word().to_owned(), state_role(row.state)),
        entry("started", when(row.started), Role::Plain),
        entry("last report", when(row.last_report), Role::Plain),
        entry("series", details.series.to_string(), Role::Plain),
    ];
    if details.interval > 0 {
        lines.push(entry("reports every", format::span(details.interval), Role::Plain));
    }
    if let Some(selected) = &details.selected {
        lines.push(entry("count of", selected.to_string(), Role::Plain));
        lines.push(entry("", count, Role::Plain));
    }
    popup("instance", lines, theme, area, buffer);
}

fn popup(title: &'static str, lines: Vec<Line<'_>>, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let block = Block::bordered()
        .border_style(theme.style(Role::Faint))
        .title(Span::styled(format!(" {title} "), theme.style(Role::Title)));
    let width = area.width.saturating_sub(8).min(100);
    let room = usize::from(width.saturating_sub(2)).max(1);
    // A line that is wrapped between words may need one row more than its columns do.
    let rows = |line: &Line<'_>| if line.width() <= room { 1 } else { line.width().div_ceil(room) + 1 };
    let height = u16::try_from(lines.iter().map(rows).sum::<usize>() + 2).unwrap_or(u16::MAX).min(area.height);
    let paragraph = Paragraph::new(lines).wrap(Wrap { trim: false }).block(block);
    let place = area.centered(Constraint::Length(width), Constraint::Length(height));
    Clear.render(place, buffer);
    paragraph.render(place, buffer);
}
