//! Shows progress: the dashboard on a terminal, a panel on standard error that is redrawn in place, or one line a second
//! if standard error is not a terminal.

mod panel;
mod screen;

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::Result;

use crate::watch::snapshot::Milestone;
pub(crate) use panel::View;
pub(crate) use screen::Screen;

/// Shows the progress of the experiment in one of the forms.
pub(crate) struct Display {
    form: Form,
    /// When the last line or panel was shown.
    shown: Option<Duration>,
    /// How many lines the panel on the terminal has.
    height: usize,
    in_colour: bool,
    /// Lines to print after the dashboard is closed.
    pending: String,
}

enum Form {
    Screen(Screen),
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
        Self { form, shown: None, height: 0, in_colour, pending: String::new() }
    }

    /// Shows the dashboard from now on.
    pub(crate) fn open(&mut self, screen: Screen) {
        self.form = Form::Screen(screen);
    }

    /// Returns the dashboard, if it is open.
    pub(crate) fn screen(&self) -> Option<&Screen> {
        if let Form::Screen(screen) = &self.form { Some(screen) } else { None }
    }

    /// Prints a permanent line; while the dashboard is open, the line waits until it is closed.
    pub(crate) fn print_line(&mut self, text: &str) {
        match &self.form {
            Form::Nothing => {}
            Form::Screen(_) => {
                self.pending.push_str(text);
                self.pending.push('\n');
            }
            Form::Panel | Form::Lines => self.print(&format!("{text}\n")),
        }
    }

    /// Shows a milestone of the experiment.
    pub(crate) fn milestone(&mut self, milestone: &Milestone) {
        if let Some(screen) = self.screen() {
            screen.show_notice(milestone.text.clone());
        }
        let (bold, plain) = if self.in_colour { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        self.print_line(&format!("{bold}{}{plain}  {}", panel::time(milestone.at), milestone.text));
    }

    /// Updates the panel or prints a line, if the interval has passed.
    pub(crate) fn show(&mut self, view: &View) {
        let interval = match self.form {
            Form::Panel => Duration::from_millis(100),
            Form::Lines => Duration::from_secs(1),
            Form::Screen(_) | Form::Nothing => return,
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

    /// Removes the panel or closes the dashboard, and prints the pending lines.
    pub(crate) fn close(&mut self) -> Result<()> {
        self.print("");
        let Form::Screen(screen) = std::mem::replace(&mut self.form, Form::Lines) else { return Ok(()) };
        let closed = screen.close();
        let pending = std::mem::take(&mut self.pending);
        self.print(&pending);
        closed
    }

    /// Writes in the place of the panel. A closed standard error must not stop the experiment, so errors are ignored.
    fn print(&mut self, text: &str) {
        let mut stderr = io::stderr().lock();
        if self.height > 0 {
            let _ = write!(stderr, "\x1b[{}A\x1b[J", self.height);
            self.height = 0;
        }
        let _ = stderr.write_all(text.as_bytes());
    }
}
