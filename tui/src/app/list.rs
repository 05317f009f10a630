use std::ops::Range;

use super::filter::Filter;
use super::keys::Step;

/// A list that can be sorted, filtered and walked through. The selection is an identity, not a place: it stays when the
/// order changes.
#[derive(Debug, Clone)]
pub struct List<Id, Column> {
    pub(super) selected: Option<Id>,
    /// The first row that was visible when the selection last moved.
    top: usize,
    /// The column that it is sorted by.
    pub sort: Column,
    /// Whether the order is reversed.
    pub is_reversed: bool,
    /// Which rows are shown.
    pub filter: Filter,
}

impl<Id: Copy + PartialEq, Column> List<Id, Column> {
    pub(super) fn new(sort: Column) -> Self {
        Self { selected: None, top: 0, sort, is_reversed: false, filter: Filter::default() }
    }

    /// What is selected; none as long as nobody moved: then it is the first row.
    #[must_use]
    pub fn selected(&self) -> Option<Id> {
        self.selected
    }

    /// The place of the selection in an order; the first one if what was selected is not in it.
    #[must_use]
    pub fn position(&self, order: &[Id]) -> usize {
        self.selected.and_then(|id| order.iter().position(|other| *other == id)).unwrap_or(0)
    }

    /// Which rows of an order to show on a page of so many.
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
}

/// Where a selection is after a step.
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

/// The first row to show so that the selection is on the page and the page is full.
fn top(top: usize, position: usize, rows: usize, page: usize) -> usize {
    let lowest = (position + 1).saturating_sub(page);
    top.clamp(lowest, position.max(lowest)).min(rows.saturating_sub(page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_follows_the_selection_and_no_further() {
        let order: Vec<u32> = (0..100).collect();
        let mut list = List::new(());
        assert_eq!(list.window(&order, 10), 0..10);
        list.step(&order, 10, Step::PageDown);
        assert_eq!((list.position(&order), list.window(&order, 10)), (9, 0..10));
        list.step(&order, 10, Step::Down);
        assert_eq!((list.position(&order), list.window(&order, 10)), (10, 1..11));
        list.step(&order, 10, Step::Up);
        assert_eq!(list.window(&order, 10), 1..11, "the page stays as long as it can");
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
        assert_eq!(list.position(&[1, 2]), 0, "it is filtered away");
        assert_eq!(list.position(&[2, 3]), 1, "and comes back");
    }

    #[test]
    fn nothing_to_show_is_no_trouble() {
        let mut list: List<u32, ()> = List::new(());
        list.step(&[], 0, Step::Down);
        assert_eq!(list.window(&[], 0), 0..0);
        list.step(&[7], 0, Step::PageDown);
        assert_eq!(list.window(&[7], 0).len(), 0);
    }
}
