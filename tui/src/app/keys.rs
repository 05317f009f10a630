//! The key table: the action of each key, and the texts for the help.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::tab::Tab;

/// An action that a key starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Leave the dashboard.
    Quit,
    /// Show or hide the help.
    Help,
    /// Show a tab.
    Show(Tab),
    /// Show the tab to the right.
    NextTab,
    /// Show the tab to the left.
    PreviousTab,
    /// Move the selection.
    Move(Step),
    /// Show the instances of the selected series, or the details of the selected instance.
    Enter,
    /// Undo one of: overlay, filter, drill-down, freeze.
    Back,
    /// Type a filter.
    Filter,
    /// Sort by the next column.
    Sort,
    /// Reverse the order.
    Reverse,
    /// Freeze the display, or unfreeze it.
    Freeze,
    /// Show a longer time span.
    Longer,
    /// Show a shorter time span.
    Shorter,
    /// Show or hide the series of Quipu itself.
    Own,
    /// Use the mouse, or leave it to the terminal.
    Mouse,
    /// Suspend the program, so that the shell has the terminal.
    Suspend,
    /// Add a character to the filter.
    Type(char),
    /// Remove the last character of the filter.
    Erase,
    /// Empty the filter.
    Clear,
    /// Keep the filter as it is.
    Accept,
    /// Restore the previous filter.
    Cancel,
}

/// How the selection moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// To the row above.
    Up,
    /// To the row below.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the first row.
    First,
    /// To the last row.
    Last,
}

/// How keys are interpreted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Keys are commands.
    Command,
    /// Keys are the text of a filter.
    Filter,
    /// A window is open, which keys scroll and close.
    Overlay,
    /// The screen is too small to show anything.
    TooSmall,
}

/// A line of the key table.
#[derive(Debug)]
pub struct Binding {
    /// The keys, each of which starts the action.
    pub keys: &'static [Key],
    /// The action.
    pub action: Action,
    /// The text for the help.
    pub help: &'static str,
    /// A word for the bottom line; empty if the bottom line does not show the keys.
    pub hint: &'static str,
}

/// A key, with or without Ctrl.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    code: KeyCode,
    ctrl: bool,
}

/// Returns the key table of a mode.
#[must_use]
pub fn bindings(mode: Mode) -> &'static [Binding] {
    match mode {
        Mode::Command => COMMANDS,
        Mode::Filter => FILTER,
        Mode::Overlay => OVERLAY,
        Mode::TooSmall => TOO_SMALL,
    }
}

/// Returns the action of a key in a mode, if it has one.
#[must_use]
pub fn action(mode: Mode, event: KeyEvent) -> Option<Action> {
    let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
    if event.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    let key = Key { code: event.code, ctrl };
    let bound = bindings(mode).iter().find(|binding| binding.keys.contains(&key));
    match (bound, event.code) {
        (Some(binding), _) => Some(binding.action),
        (None, KeyCode::Char(c)) if mode == Mode::Filter && !ctrl => Some(Action::Type(c)),
        _ => None,
    }
}

impl Action {
    /// Returns whether the action has an effect on a tab.
    #[must_use]
    pub fn works_on(self, tab: Tab) -> bool {
        match self {
            Self::Enter | Self::Filter | Self::Sort | Self::Reverse => matches!(tab, Tab::Overview | Tab::Instances),
            Self::Own => tab == Tab::Overview,
            Self::Longer | Self::Shorter => tab != Tab::Pipeline,
            _ => true,
        }
    }
}

impl Key {
    /// Returns the key's name, as the help shows it.
    #[must_use]
    pub fn name(self) -> String {
        let name = match self.code {
            KeyCode::Char(c) => c.to_string(),
            KeyCode::Up => "↑".to_owned(),
            KeyCode::Down => "↓".to_owned(),
            KeyCode::Left => "←".to_owned(),
            KeyCode::Right => "→".to_owned(),
            KeyCode::PageUp => "PgUp".to_owned(),
            KeyCode::PageDown => "PgDn".to_owned(),
            KeyCode::BackTab => "Shift-Tab".to_owned(),
            code => code.to_string(),
        };
        if self.ctrl { format!("Ctrl-{name}") } else { name }
    }
}

const fn key(code: KeyCode) -> Key {
    Key { code, ctrl: false }
}

const fn char(c: char) -> Key {
    key(KeyCode::Char(c))
}

const fn ctrl(c: char) -> Key {
    Key { code: KeyCode::Char(c), ctrl: true }
}

const fn bind(keys: &'static [Key], action: Action, help: &'static str, hint: &'static str) -> Binding {
    Binding { keys, action, help, hint }
}

const COMMANDS: &[Binding] = &[
    bind(&[char('q'), ctrl('c')], Action::Quit, "quit", "quit"),
    bind(&[char('?'), key(KeyCode::F(1))], Action::Help, "this help", "help"),
    bind(&[char('1')], Action::Show(Tab::Overview), "overview: throughput and series", ""),
    bind(&[char('2')], Action::Show(Tab::Instances), "instances: counts and states of the runs", ""),
    bind(&[char('3')], Action::Show(Tab::Audit), "audit: sent, processed, duplicates", ""),
    bind(&[char('4')], Action::Show(Tab::Pipeline), "pipeline: lag of aggregator and sinks", ""),
    bind(&[key(KeyCode::Tab), key(KeyCode::Right)], Action::NextTab, "next tab", ""),
    bind(&[key(KeyCode::BackTab), key(KeyCode::Left)], Action::PreviousTab, "previous tab", ""),
    bind(&[char('j'), key(KeyCode::Down)], Action::Move(Step::Down), "down", ""),
    bind(&[char('k'), key(KeyCode::Up)], Action::Move(Step::Up), "up", ""),
    bind(&[key(KeyCode::PageDown), ctrl('f')], Action::Move(Step::PageDown), "a page down", ""),
    bind(&[key(KeyCode::PageUp), ctrl('b')], Action::Move(Step::PageUp), "a page up", ""),
    bind(&[char('g'), key(KeyCode::Home)], Action::Move(Step::First), "to the first", ""),
    bind(&[char('G'), key(KeyCode::End)], Action::Move(Step::Last), "to the last", ""),
    bind(&[key(KeyCode::Enter)], Action::Enter, "series -> its instances -> details", "drill"),
    bind(&[key(KeyCode::Esc)], Action::Back, "clear the filter, or go back, or unfreeze", ""),
    bind(&[char('/')], Action::Filter, "filter: a regular expression; a leading ! inverts", "filter"),
    bind(&[char('s')], Action::Sort, "sort by the next column", "sort"),
    bind(&[char('r')], Action::Reverse, "reverse the order", "reverse"),
    bind(&[char('p')], Action::Freeze, "freeze the display; reading continues", "freeze"),
    bind(&[char('+'), char('=')], Action::Longer, "longer time span", "span"),
    bind(&[char('-')], Action::Shorter, "shorter time span", ""),
    bind(&[char('o')], Action::Own, "show or hide the series of Quipu itself (quipu_…)", ""),
    bind(&[char('m')], Action::Mouse, "mouse on or off; off, the terminal can select text", ""),
    bind(&[ctrl('z')], Action::Suspend, "suspend; the shell's command fg resumes", ""),
];

const FILTER: &[Binding] = &[
    bind(&[key(KeyCode::Enter)], Action::Accept, "keep the filter", "keep"),
    bind(&[key(KeyCode::Esc)], Action::Cancel, "restore the previous filter", "cancel"),
    bind(&[key(KeyCode::Backspace), ctrl('h')], Action::Erase, "erase a character", ""),
    bind(&[ctrl('u')], Action::Clear, "erase all", "erase all"),
    bind(&[ctrl('c')], Action::Quit, "quit", ""),
    bind(&[ctrl('z')], Action::Suspend, "suspend", ""),
];

const OVERLAY: &[Binding] = &[
    bind(&[key(KeyCode::Esc), key(KeyCode::Enter), char('?'), key(KeyCode::F(1))], Action::Back, "close", "close"),
    bind(&[char('j'), key(KeyCode::Down)], Action::Move(Step::Down), "down", "down"),
    bind(&[char('k'), key(KeyCode::Up)], Action::Move(Step::Up), "up", "up"),
    bind(&[key(KeyCode::PageDown), ctrl('f'), char(' ')], Action::Move(Step::PageDown), "a page down", ""),
    bind(&[key(KeyCode::PageUp), ctrl('b')], Action::Move(Step::PageUp), "a page up", ""),
    bind(&[char('g'), key(KeyCode::Home)], Action::Move(Step::First), "to the first", ""),
    bind(&[char('G'), key(KeyCode::End)], Action::Move(Step::Last), "to the last", ""),
    bind(&[char('q'), ctrl('c')], Action::Quit, "quit", "quit"),
    bind(&[ctrl('z')], Action::Suspend, "suspend", ""),
];

const TOO_SMALL: &[Binding] =
    &[bind(&[char('q'), ctrl('c')], Action::Quit, "quit", "quit"), bind(&[ctrl('z')], Action::Suspend, "suspend", "")];

#[cfg(test)]
mod tests {
    use super::*;

    const MODES: [Mode; 4] = [Mode::Command, Mode::Filter, Mode::Overlay, Mode::TooSmall];

    #[test]
    fn no_key_is_bound_twice() {
        for mode in MODES {
            let keys: Vec<Key> = bindings(mode).iter().flat_map(|binding| binding.keys).copied().collect();
            for (index, key) in keys.iter().enumerate() {
                assert!(!keys[index + 1..].contains(key), "{mode:?}: {} is bound twice", key.name());
            }
        }
    }

    #[test]
    fn each_binding_has_a_help_text_and_key_names_are_unique() {
        for mode in MODES {
            let mut names: Vec<String> = Vec::new();
            for binding in bindings(mode) {
                assert!(!binding.keys.is_empty() && !binding.help.is_empty(), "{binding:?}");
                names.extend(binding.keys.iter().map(|key| key.name()));
            }
            let count = names.len();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), count);
        }
    }

    #[test]
    fn shift_selects_the_capital_letter_and_alt_is_ignored() {
        let event = |code, modifiers| action(Mode::Command, KeyEvent::new(code, modifiers));
        assert_eq!(event(KeyCode::Char('G'), KeyModifiers::SHIFT), Some(Action::Move(Step::Last)));
        assert_eq!(event(KeyCode::Char('g'), KeyModifiers::NONE), Some(Action::Move(Step::First)));
        assert_eq!(event(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Action::Quit));
        assert_eq!(event(KeyCode::Char('c'), KeyModifiers::NONE), None);
        assert_eq!(event(KeyCode::Char('q'), KeyModifiers::ALT), None);
    }

    #[test]
    fn letters_are_text_while_a_filter_is_typed() {
        let event = |c| action(Mode::Filter, KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
        assert_eq!(event('q'), Some(Action::Type('q')));
        assert_eq!(event('/'), Some(Action::Type('/')));
        assert_eq!(action(Mode::Filter, KeyEvent::new(KeyCode::F(5), KeyModifiers::NONE)), None);
    }
}
