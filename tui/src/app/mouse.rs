use ratatui::crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::keys::{Action, Step};
use super::tab::Tab;
use super::{App, Mode, Run, order};
use crate::layout;

impl App {
    /// Applies an event of the mouse: the wheel moves the selection or scrolls, and a click selects a tab or a row.
    pub(super) fn mouse(&mut self, event: MouseEvent, now: i64) {
        if self.mode() == Mode::TooSmall {
            return;
        }
        match event.kind {
            MouseEventKind::ScrollUp => self.act(Action::Move(Step::Up), now),
            MouseEventKind::ScrollDown => self.act(Action::Move(Step::Down), now),
            MouseEventKind::Down(MouseButton::Left) if self.overlay.is_some() => self.act(Action::Back, now),
            MouseEventKind::Down(MouseButton::Left) => self.click(Position::new(event.column, event.row), now),
            _ => {}
        }
    }

    fn click(&mut self, at: Position, now: i64) {
        if at.y == layout::regions(Rect::new(0, 0, self.size.0, self.size.1)).tabs.y {
            if let Some((tab, ..)) = layout::tabs().find(|(.., columns)| columns.contains(&at.x)) {
                // The filter that is being typed belongs to the former tab.
                self.typing = None;
                self.show(tab);
            }
            return;
        }
        let list = layout::list(self.size, self.tab);
        if !list.contains(at) {
            return;
        }
        let (row, page) = (usize::from(at.y - list.y), usize::from(list.height));
        match self.tab {
            Tab::Overview => {
                let order = order::series(self.scope(now), &self.series, self.shows_own);
                self.series.pick(&order, page, row);
            }
            Tab::Instances => {
                let order: Vec<_> = self.listed_runs(self.scope(now)).into_iter().map(Run::id).collect();
                self.runs.pick(&order, page, row);
            }
            Tab::Audit | Tab::Pipeline => {}
        }
    }
}
