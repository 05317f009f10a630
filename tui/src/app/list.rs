use std::ops::Range;

use super::filter::Filter;
use super::keys::Step;

/// A list that can be sorted, filtered and scrolled. The selection is an id and not a position, so it stays on its row
/// when the order changes.
#[derive(Debug, Clone)]
pub struct List<Id, Column> {
    pub(super) selected: Option<Id>,
    /// The first row that was visible when the selection last moved.
    top: usize,
    /// The column by which the list is sorted.
    pub sort: Column,
    /// Whether the order is reversed.
    pub is_reversed: bool,
    /// The filter, which decides which rows are shown.
    pub filter: Filter,
}

impl<Id: Copy + PartialEq, Column> List<Id, Column> {
    pub(super) fn new(sort: Column) -> Self {
        Self { selected: None, top: 0, sort, is_reversed: false, filter: Filter::default() }
    }

    /// Returns the selected row; `None` means the first row, until the user moves the selection.
    #[must_use]
    pub fn selected(&self) -> Option<Id> {
        self.selected
    }

    /// Returns the position of the selected row in `order`; 0 if the row is not in it.
    #[must_use]
    pub fn position(&self, order: &[Id]) -> usize {
        self.selected.and_then(|id| order.iter().position(|other| *other == id)).unwrap_or(0)
    }

    /// Returns which rows of `order` are visible on a page of `page` rows.
    #[must_use]
    pub fn window(&self, order: &[Id], page: usize) -> Range<usize> {
        let top = top(self.top, self.position(order), order.len(), page);
        top..order.len().min(top + page)
    }

    pub(super) fn step(&mut self, order: &[Id], page: usize, step: Step) {
        let position = moved(self.position(order), order.len(), page, step);
        self.selected = order.get(position).copied();
        self.top = top(self.top, position, order.len(), page);
    }

    /// Selects the visible row `row` of a page, if there is one.
    pub(super) fn pick(&mut self, order: &[Id], page: usize, row: usize) {
        let window = self.window(order, page);
        if row < window.len() {
            self.top = window.start;
            self.selected = order.get(window.start + row).copied();
        }
    }
}

/// Returns the position of the selection after a step.
pub(super) fn moved(position: usize, rows: usize, page: usize, step: Step) -> usize {
    let last = rows.saturating_sub(1);
    let page = page.saturating_sub(1).max(1);
    match step {
        Step::Up => position.saturating_sub(1),
        Step::Down => (position + 1).min(last),
        Step::PageUp => position.saturating_sub(page),
        Step::PageDown => (position + page).min(last),
        Step::First => 0,
        Step::Last => last,
    }
}

/// Returns the first visible row, so that the selection is on the page and the page is full.
fn top(top: usize, position: usize, rows: usize, page: usize) -> usize {
    let lowest = (position + 1).saturating_sub(page);
    top.clamp(lowest, position.max(lowest)).min(rows.saturating_sub(page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_scrolls_only_as_far_as_the_selection_needs() {
        let order: Vec<u32> = (0..100).collect();
        let mut list = List::new(());
        assert_eq!(list.window(&order, 10), 0..10);
        list.step(&order, 10, Step::PageDown);
        assert_eq!((list.position(&order), list.window(&order, 10)), (9, 0..10));
        list.step(&order, 10, Step::Down);
        assert_eq!((list.position(&order), list.window(&order, 10)), (10, 1..11));
        list.step(&order, 10, Step::Up);
        assert_eq!(list.window(&order, 10), 1..11, "the page does not scroll while the selection is on it");
        list.step(&order, 10, Step::Last);
        assert_eq!((list.position(&order), list.window(&order, 10)), (99, 90..100));
        list.step(&order, 10, Step::First);
        assert_eq!(list.window(&order, 10), 0..10);
    }

    #[test]
    fn the_selection_stays_with_the_row_when_the_order_changes() {
        let mut list = List::new(());
        list.step(&[1, 2, 3], 2, Step::Last);
        assert_eq!(list.position(&[3, 1, 2]), 0);
        assert_eq!(list.window(&[3, 1, 2], 2), 0..2);
        assert_eq!(list.position(&[1, 2]), 0, "the row is filtered out");
        assert_eq!(list.position(&[2, 3]), 1, "the row is shown again");
    }

    #[test]
    fn an_empty_list_can_be_scrolled() {
        let mut list: List<u32, ()> = List::new(());
        list.step(&[], 0, Step::Down);
        assert_eq!(list.window(&[], 0), 0..0);
        list.step(&[7], 0, Step::PageDown);
        assert_eq!(list.window(&[7], 0).len(), 0);
    }
}
