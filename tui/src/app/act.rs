use super::filter::Filter;
use super::keys::{Action, Step};
use super::list::moved;
use super::tab::Tab;
use super::{App, Frozen, Overlay, SPANS, order};
use crate::fleet::Run;
use crate::layout;

impl App {
    pub(super) fn act(&mut self, action: Action, now: i64) {
        match action {
            Action::Quit => self.is_done = true,
            Action::Help => self.open(Overlay::Help),
            Action::Show(tab) => self.show(tab),
            Action::NextTab => self.show(self.tab.right(1)),
            Action::PreviousTab => self.show(self.tab.right(Tab::ALL.len() - 1)),
            Action::Move(step) if self.overlay.is_some() => self.scroll_overlay(step, now),
            Action::Move(step) => self.step(step, now),
            Action::Enter => self.enter(now),
            Action::Back => self.back(),
            Action::Sort => self.sort(),
            Action::Reverse => match self.tab {
                Tab::Overview => self.series.is_reversed ^= true,
                Tab::Instances => self.runs.is_reversed ^= true,
                Tab::Audit | Tab::Pipeline => {}
            },
            Action::Freeze => {
                let fleet = || Box::new(Frozen { fleet: self.fleet.clone(), at: now });
                self.frozen = if self.frozen.is_some() { None } else { Some(fleet()) };
            }
            Action::Longer => self.span = (self.span + 1).min(SPANS.len() - 1),
            Action::Shorter => self.span = self.span.saturating_sub(1),
            Action::Own => self.shows_own ^= true,
            Action::Mouse => self.uses_mouse ^= true,
            Action::Suspend => self.is_suspending = true,
            Action::Filter => self.typing = self.filter().cloned(),
            Action::Type(c) => self.edit(|text| text.push(c)),
            Action::Erase => self.edit(|text| {
                text.pop();
            }),
            Action::Clear => self.edit(String::clear),
            Action::Accept => self.typing = None,
            Action::Cancel => {
                if let Some(before) = self.typing.take() {
                    self.set_filter(before);
                }
            }
        }
    }

    fn open(&mut self, overlay: Overlay) {
        self.overlay = Some(overlay);
        self.overlay_top = 0;
    }

    fn scroll_overlay(&mut self, step: Step, now: i64) {
        let lines = crate::view::overlay(self, self.scope(now)).map_or(0, |overlay| overlay.lines.len());
        let (_, page) = layout::popup_text(self.size);
        self.overlay_top = moved(self.overlay_top, (lines + 1).saturating_sub(page), page, step);
    }

    pub(super) fn show(&mut self, tab: Tab) {
        self.tab = tab;
        self.is_drilled = false;
    }

    fn step(&mut self, step: Step, now: i64) {
        let page = layout::page(self.size, self.tab);
        match self.tab {
            Tab::Overview => {
                let order = order::series(self.scope(now), &self.series, self.shows_own);
                self.series.step(&order, page, step);
            }
            Tab::Instances => {
                let order: Vec<_> = self.listed_runs(self.scope(now)).into_iter().map(Run::id).collect();
                self.runs.step(&order, page, step);
            }
            Tab::Audit => {
                let audits = self.scope(now).fleet.audits().count();
                self.audit = moved(self.audit(audits), audits, page, step);
            }
            Tab::Pipeline => {
                let rows = crate::view::pipeline(self.scope(now)).rows();
                self.pipeline_top = moved(self.pipeline_top, (rows + 1).saturating_sub(page), page, step);
            }
        }
    }

    fn enter(&mut self, now: i64) {
        match self.tab {
            Tab::Overview => {
                self.series.selected = self.selected_series(self.scope(now));
                self.tab = Tab::Instances;
                self.is_drilled = true;
            }
            Tab::Instances => {
                let order: Vec<_> = self.listed_runs(self.scope(now)).into_iter().map(Run::id).collect();
                self.runs.selected = order.get(self.runs.position(&order)).copied();
                if self.runs.selected.is_some() {
                    self.open(Overlay::Details);
                }
            }
            Tab::Audit | Tab::Pipeline => {}
        }
    }

    /// Undoes one thing: the overlay, or else the filter, or else the drill-down, or else the frozen display.
    fn back(&mut self) {
        if self.overlay.is_some() {
            self.overlay = None;
        } else if self.filter().is_some_and(|filter| !filter.text().is_empty()) {
            self.set_filter(Filter::default());
        } else if self.is_drilled {
            self.show(Tab::Overview);
        } else {
            self.frozen = None;
        }
    }

    fn sort(&mut self) {
        match self.tab {
            Tab::Overview => self.series.sort = self.series.sort.next(),
            Tab::Instances => self.runs.sort = self.runs.sort.next(),
            Tab::Audit | Tab::Pipeline => {}
        }
    }

    fn edit(&mut self, change: impl FnOnce(&mut String)) {
        if let Some(filter) = self.filter() {
            let mut text = filter.text().to_owned();
            change(&mut text);
            self.set_filter(Filter::new(&text));
        }
    }

    fn set_filter(&mut self, filter: Filter) {
        match self.tab {
            Tab::Overview => self.series.filter = filter,
            Tab::Instances => self.runs.filter = filter,
            Tab::Audit | Tab::Pipeline => {}
        }
    }
}
