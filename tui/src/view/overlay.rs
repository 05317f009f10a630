//! The windows over the tab: the help and the details of an instance.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::header::Verdict;
use super::instances::Details;
use crate::app::{App, Mode, Overlay, Scope, bindings};
use crate::fleet::{EventKind, RunState};
use crate::format;
use crate::layout;
use crate::theme::Role;

/// The number of columns before the texts.
const HEAD: usize = 18;

/// The data of a window over the tab.
#[derive(Debug)]
pub struct OverlayView {
    /// The title of the window.
    pub title: &'static str,
    /// All lines.
    pub lines: Vec<OverlayLine>,
    /// The first visible line.
    pub top: usize,
}

/// A line of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverlayLine {
    /// The keys, the mark or the name that the text is about.
    pub head: String,
    /// The role of the head.
    pub head_role: Role,
    /// The text.
    pub text: String,
    /// The role of the text.
    pub role: Role,
}

/// Returns the window that is open; `None` if none is, or if its instance does not exist any more.
pub(crate) fn overlay(app: &App, scope: Scope<'_>) -> Option<OverlayView> {
    let (columns, _) = layout::popup_text(app.size);
    let mut lines = Lines { lines: Vec::new(), columns: columns.saturating_sub(HEAD).max(1) };
    let title = match app.overlay? {
        Overlay::Help => {
            lines.help();
            "help"
        }
        Overlay::Details => {
            lines.details(&Details::new(app, scope)?);
            "instance"
        }
    };
    Some(OverlayView { title, lines: lines.lines, top: app.overlay_top })
}

/// The lines of a window, whose texts are wrapped.
struct Lines {
    lines: Vec<OverlayLine>,
    columns: usize,
}

impl Lines {
    fn push(&mut self, head: &str, head_role: Role, text: &str, role: Role) {
        for (index, text) in wrapped(text, self.columns).into_iter().enumerate() {
            let head = if index == 0 { format!(" {head:width$}", width = HEAD - 1) } else { " ".repeat(HEAD) };
            self.lines.push(OverlayLine { head, head_role, text, role });
        }
    }

    fn section(&mut self, title: &str) {
        if !self.lines.is_empty() {
            self.push("", Role::Plain, "", Role::Plain);
        }
        self.push(title, Role::Title, "", Role::Plain);
    }

    fn entry(&mut self, head: &str, role: Role, text: &str) {
        self.push(head, role, text, Role::Plain);
    }

    /// Adds the keys, and then every mark and word that the screen shows without an explanation.
    fn help(&mut self) {
        self.section("keys");
        for binding in bindings(Mode::Command) {
            let keys: Vec<String> = binding.keys.iter().map(|key| key.name()).collect();
            self.entry(&keys.join(" "), Role::Key, binding.help);
        }
        self.entry("mouse", Role::Key, "a click selects a tab or a row; the wheel scrolls");
        self.section("fleet");
        for (word, role, help) in Verdict::WORDS {
            self.entry(word, role, help);
        }
        self.section("audits");
        for (words, role, help) in AUDITS {
            self.entry(words, role, help);
        }
        self.section("runs");
        for state in RunState::ALL {
            self.entry(state.word(), Role::of_state(state), state.help());
        }
        self.section("timeline");
        for kind in EventKind::ALL {
            self.entry(&format!("{} {}", kind.mark(), kind.word()), Role::of_event(kind), kind.help());
        }
        self.section("marks");
        for (mark, role, help) in MARKS {
            self.entry(mark, role, help);
        }
    }

    fn details(&mut self, details: &Details) {
        let row = &details.row;
        let when = |at: i64| format!("{} ago, at {}", format::span(details.now - at), format::clock(at));
        let count = row.count.map(|count| format::count(i128::try_from(count).unwrap_or(i128::MAX)));
        let mut entry = |head: &str, text: &str, role| self.push(head, Role::Faint, text, role);
        entry("instance", &row.instance.to_string(), Role::Title);
        entry("run", row.run.as_deref().unwrap_or("none: this is a plain key"), Role::Plain);
        entry("state", row.state.word(), Role::of_state(row.state));
        entry("started", &when(row.started), Role::Plain);
        entry("last report", &when(row.last_report), Role::Plain);
        entry("series", &details.series.to_string(), Role::Plain);
        if details.interval > 0 {
            entry("reports every", &format::interval(details.interval), Role::Plain);
        }
        if let Some(selected) = &details.selected {
            entry("count of", &selected.to_string(), Role::Plain);
            entry("", count.as_deref().unwrap_or("-"), Role::Plain);
        }
    }
}

const AUDITS: [(&str, Role, &str); 5] = [
    ("N DUPLICATES", Role::BadBadge, "at least N records were processed twice"),
    ("NO DUPLICATES", Role::Good, "nothing is being sent, and as many records were processed as were sent"),
    ("N behind", Role::Behind, "N records were sent and are not processed yet"),
    (
        "+N, not final",
        Role::Warning,
        "N more were processed than sent, which reports that are still to come may explain",
    ),
    ("no verdict yet", Role::Faint, "records are still being sent or read, so nothing can be concluded"),
];

const MARKS: [(&str, Role, &str); 10] = [
    ("▼ ▲", Role::Title, "the column by which the list is sorted; ▲ is the reverse of its usual order"),
    ("*", Role::Warning, "before an instance: its state changed within the last 30 s"),
    ("* a b c …", Role::Plain, "in a chart: the fleet and its instances; the legend has their names"),
    ("▁▃▅█", Role::Fleet, "a trend over the time span: rates from left to right; empty without data"),
    ("-", Role::Plain, "instead of a number: there is no data"),
    ("…", Role::Plain, "at the end of a text: it was cut; a wider screen or Enter shows all of it"),
    ("k M G T", Role::Plain, "after a number: thousands, millions, 10⁹, 10¹²; the number is rounded"),
    ("others N", Role::Plain, "of the total, what the listed counts leave: what has expired, for example"),
    ("lag", Role::Plain, "how many records on metrics the aggregator has still to read"),
    ("FROZEN", Role::WarningBadge, "the display does not change; reading continues"),
];

impl Role {
    /// Returns the role that a run's state is drawn with.
    pub(crate) fn of_state(state: RunState) -> Self {
        match state {
            RunState::Live => Self::Good,
            RunState::Silent => Self::Bad,
            RunState::Restarted => Self::Warning,
            RunState::Idle | RunState::Left => Self::Faint,
        }
    }

    /// Returns the role that an event is drawn with.
    pub(crate) fn of_event(kind: EventKind) -> Self {
        match kind {
            EventKind::Joined | EventKind::Resumed => Self::Good,
            EventKind::Restarted | EventKind::Left => Self::Warning,
            EventKind::Silent | EventKind::Duplicates => Self::Bad,
        }
    }
}

/// Divides a text into lines of at most `columns`, between words where possible. An empty text is one line.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() && word.width() <= columns {
            line.push_str(word);
        } else if line.width() + 1 + word.width() <= columns {
            line.push(' ');
            line.push_str(word);
        } else {
            if !line.is_empty() {
                lines.push(String::new());
            }
            broken(word, columns, &mut lines);
        }
    }
    lines
}

/// Adds a word to the last line, which is empty; a word that is too long is broken.
fn broken(word: &str, columns: usize, lines: &mut Vec<String>) {
    for c in word.chars() {
        let line = lines.last_mut().expect("there is always a line");
        if line.width() + c.width().unwrap_or(0) > columns && !line.is_empty() {
            lines.push(c.to_string());
        } else {
            line.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_wrapped_between_words_and_long_words_are_broken() {
        assert_eq!(wrapped("", 5), [""]);
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("one", 3), ["one"]);
        assert_eq!(wrapped("a abcdefgh", 4), ["a", "abcd", "efgh"]);
        assert_eq!(wrapped("日本語", 4), ["日本", "語"]);
        assert_eq!(wrapped("日", 1), ["日"], "no text is lost");
    }

    #[test]
    fn the_help_explains_each_state_event_and_verdict_in_few_columns() {
        let mut lines = Lines { lines: Vec::new(), columns: 38 };
        lines.help();
        let heads: Vec<&str> = lines.lines.iter().map(|line| line.head.trim()).collect();
        for state in RunState::ALL {
            assert!(heads.contains(&state.word()), "{state:?}");
        }
        for kind in EventKind::ALL {
            assert!(heads.iter().any(|head| head.starts_with(kind.mark())), "{kind:?}");
        }
        for line in &lines.lines {
            assert!(line.head.width() <= HEAD && line.text.width() <= 38, "{line:?}");
        }
    }
}
