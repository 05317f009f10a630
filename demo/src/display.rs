//! Progress: the dashboard on a terminal, or on standard error a panel that is redrawn in place; a pipe sees a line a
//! second.

mod panel;
mod screen;

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::Result;

use crate::watch::snapshot::Event;
pub(crate) use panel::View;
pub(crate) use screen::Screen;

/// Where progress goes, and how.
pub(crate) struct Display {
    form: Form,
    /// When the last line or panel was shown.
    shown: Option<Duration>,
    /// How many lines the panel on the terminal has.
    height: usize,
    in_colour: bool,
    /// What is to be said when the dashboard is closed.
    unsaid: String,
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
        Self { form, shown: None, height: 0, in_colour, unsaid: String::new() }
    }

    /// Shows the dashboard from now on. What was said before stands below it when it is closed.
    pub(crate) fn open(&mut self, screen: Screen) {
        self.form = Form::Screen(screen);
    }

    /// The dashboard, if that is what is shown.
    pub(crate) fn screen(&self) -> Option<&Screen> {
        if let Form::Screen(screen) = &self.form { Some(screen) } else { None }
    }

    /// Says something that stays.
    pub(crate) fn say(&mut self, text: &str) {
        match &self.form {
            Form::Nothing => {}
            Form::Screen(_) => {
                self.unsaid.push_str(text);
                self.unsaid.push('\n');
            }
            Form::Panel | Form::Lines => self.print(&format!("{text}\n")),
        }
    }

    /// Tells of an event.
    pub(crate) fn event(&mut self, event: &Event) {
        if let Some(screen) = self.screen() {
            screen.say(event.meaning.clone());
        }
        let (bold, plain) = if self.in_colour { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        self.say(&format!("{bold}{}{plain}  {}", panel::time(event.at), event.meaning));
    }

    /// Shows how things stand, if that is due.
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

    /// Takes the panel or the dashboard away; what is said from now on stands below what was said before.
    pub(crate) fn close(&mut self) -> Result<()> {
        self.print("");
        let Form::Screen(screen) = std::mem::replace(&mut self.form, Form::Lines) else { return Ok(()) };
        let closed = screen.close();
        let unsaid = std::mem::take(&mut self.unsaid);
        self.print(&unsaid);
        closed
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
