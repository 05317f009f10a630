use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::line::write;
use crate::app::{Binding, Mode, Tab, bindings};
use crate::name::Name;
use crate::theme::{Role, Theme};
use crate::view::{Prompt, View};

/// How many hints stay visible beside a long text.
const ESSENTIAL: usize = 2;

/// Draws the bottom line: the keys and a notice, or the filter that is being typed. A key is left out rather than cut, and
/// a text is cut rather than the most important keys.
pub(super) fn render(view: &View, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let columns = usize::from(area.width).saturating_sub(1);
    let hints = hints(view.mode, view.tab(), theme);
    let essential: usize = hints.iter().take(ESSENTIAL).map(|hint| width(hint)).sum();
    let mut spans = vec![Span::raw(" ")];
    match (&view.prompt, &view.header.notice) {
        (Some(prompt), _) => spans.extend(typed(prompt, columns.saturating_sub(essential), theme)),
        (None, Some(notice)) => {
            let room = columns.saturating_sub(essential + "    ".len());
            spans.push(Span::styled(format!(" {} ", notice.at_most(room)), theme.style(Role::WarningBadge)));
            spans.push(Span::raw("  "));
        }
        (None, None) => {}
    }
    let mut room = (columns + 1).saturating_sub(width(&spans));
    for hint in hints {
        // The space after the last hint may be cut.
        if width(&hint).saturating_sub("  ".len()) > room {
            break;
        }
        room = room.saturating_sub(width(&hint));
        spans.extend(hint);
    }
    write(buffer, area, spans);
}

/// Returns the filter that is being typed; if it is too long, its end.
fn typed<'a>(prompt: &Prompt, room: usize, theme: Theme) -> Vec<Span<'a>> {
    let mut text = Name::new(&prompt.text).to_string();
    let room = room.saturating_sub("/_  ".len());
    while Span::raw(text.as_str()).width() > room {
        text.remove(0);
    }
    let mut spans = vec![Span::styled("/", theme.style(Role::Key))];
    let left = room - Span::raw(text.as_str()).width();
    spans.push(Span::raw(text));
    spans.push(Span::styled(" ", theme.style(Role::Selected)));
    if let Some(error) = &prompt.error {
        let error = Name::new(error).at_most(left.saturating_sub(2));
        spans.push(Span::styled(format!("  {error}"), theme.style(Role::Bad)));
    }
    spans.push(Span::raw("  "));
    spans
}

fn hints<'a>(mode: Mode, tab: Tab, theme: Theme) -> Vec<Vec<Span<'a>>> {
    let is_shown = |binding: &&Binding| !binding.hint.is_empty() && binding.action.works_on(tab);
    let hint = |binding: &Binding| {
        let key = binding.keys.first().map_or_else(String::new, |key| key.name());
        vec![
            Span::styled(key, theme.style(Role::Key)),
            Span::styled(format!(" {}  ", binding.hint), theme.style(Role::Faint)),
        ]
    };
    bindings(mode).iter().filter(is_shown).map(hint).collect()
}

fn width(spans: &[Span<'_>]) -> usize {
    Line::from(spans.to_vec()).width()
}
