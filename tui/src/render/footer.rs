use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::line::write;
use crate::app::{Mode, bindings};
use crate::name::Name;
use crate::theme::{Role, Theme};
use crate::view::View;

/// Draws the bottom line: the keys and a notice, or the filter that is being typed.
pub(super) fn render(view: &View, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let mut spans = vec![Span::raw(" ")];
    if let Some(prompt) = &view.prompt {
        spans.push(Span::styled("/", theme.style(Role::Key)));
        spans.push(Span::raw(Name::new(&prompt.text).to_string()));
        spans.push(Span::styled(" ", theme.style(Role::Selected)));
        if let Some(error) = &prompt.error {
            spans.push(Span::styled(format!("  {}", Name::new(error)), theme.style(Role::Bad)));
        }
        spans.push(Span::raw("  "));
        spans.extend(hints(Mode::Filter, theme));
    } else {
        if let Some(notice) = &view.header.notice {
            spans.push(Span::styled(format!(" {notice} "), theme.style(Role::WarningBadge)));
            spans.push(Span::raw("  "));
        }
        spans.extend(hints(Mode::Command, theme));
    }
    write(buffer, area, spans);
}

fn hints<'a>(mode: Mode, theme: Theme) -> impl Iterator<Item = Span<'a>> {
    bindings(mode).iter().filter(|binding| !binding.hint.is_empty()).flat_map(move |binding| {
        let key = binding.keys.first().map_or_else(String::new, |key| key.name());
        [
            Span::styled(key, theme.style(Role::Key)),
            Span::styled(format!(" {}  ", binding.hint), theme.style(Role::Faint)),
        ]
    })
}
