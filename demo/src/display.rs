//! Progress on standard error: a terminal sees a panel that is redrawn in place, a pipe a line a second.

mod panel;

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use crate::snapshot::Event;
pub(crate) use panel::View;

/// Where progress goes, and how.
pub(crate) struct Display {
    form: Form,
    /// When the last line or panel was shown.
    shown: Option<Duration>,
    /// How many lines the panel on the terminal has.
    height: usize,
    in_colour: bool,
}

enum Form {
    Panel,
    Lines,
    Nothing,
}

impl Display {
    pub(crate) fn new(quiet: bool) -> Self {
        let form = match (quiet, io::stderr().is_terminal()) {
            (true, _) => Form::Nothing,
            (false, true) => Form::Panel,
            (false, false) => Form::Lines,
        };
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let in_colour = matches!(form, Form::Panel) && !no_colour;
        Self { form, shown: None, height: 0, in_colour }
    }

    /// Says something that stays.
    pub(crate) fn say(&mut self, text: &str) {
        if !matches!(self.form, Form::Nothing) {
            self.print(&format!("{text}\n"));
        }
    }

    /// Tells of an event.
    pub(crate) fn event(&mut self, event: &Event) {
        let (bold, plain) = if self.in_colour { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        self.say(&format!("{bold}{}{plain}  {}", panel::time(event.at), event.meaning));
    }

    /// Shows how things stand, if that is due.
    pub(crate) fn show(&mut self, view: &View) {
        let interval = match self.form {
            Form::Panel => Duration::from_millis(100),
            Form::Lines => Duration::from_secs(1),
            Form::Nothing => return,
        };
        if self.shown.is_none_or(|shown| view.at >= shown + interval) {
            self.shown = Some(view.at);
            if matches!(self.form, Form::Lines) {
                self.print(&format!("{}\n", view.line()));
            } else {
                let panel = view.panel(self.in_colour);
                self.print(&panel);
                self.height = panel.lines().count();
            }
        }
    }

    /// Takes the panel away; what is said from now on stands below what was said before.
    pub(crate) fn clear(&mut self) {
        self.print("");
    }

    /// Writes in the panel's place. Who does not read progress does not stop the experiment.
    fn print(&mut self, text: &str) {
        let mut stderr = io::stderr().lock();
        if self.height > 0 {
            let _ = write!(stderr, "\x1b[{}A\x1b[J", self.height);
            self.height = 0;
        }
        let _ = stderr.write_all(text.as_bytes());
    }
}
