//! Draws the windows over the tab.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;
use ratatui::widgets::{Block, Clear, Widget as _};

use super::line::{row, write};
use crate::layout;
use crate::theme::{Role, Theme};
use crate::view::OverlayView;

/// Draws a window: its visible lines and, if there are more, which ones they are.
pub(super) fn render(view: &OverlayView, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let place = layout::popup(area, view.lines.len());
    let page = usize::from(place.height.saturating_sub(2));
    let top = view.top.min(view.lines.len().saturating_sub(page));
    let last = view.lines.len().min(top + page);
    let mut block = Block::bordered()
        .border_style(theme.style(Role::Faint))
        .title(Span::styled(format!(" {} ", view.title), theme.style(Role::Title)));
    if last - top < view.lines.len() {
        let lines = format!(" lines {} to {last} of {} ", top + 1, view.lines.len());
        block = block.title_bottom(Span::styled(lines, theme.style(Role::Key)));
    }
    let text = block.inner(place);
    Clear.render(place, buffer);
    block.render(place, buffer);
    for (index, line) in view.lines[top..last].iter().enumerate() {
        let spans = vec![
            Span::styled(line.head.clone(), theme.style(line.head_role)),
            Span::styled(line.text.clone(), theme.style(line.role)),
        ];
        write(buffer, row(text, index), spans);
    }
}
