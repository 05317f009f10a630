use ratatui::style::{Color, Modifier, Style};

/// A theme of the screen. Colours never carry information that the text does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Theme {
    /// The sixteen colours of the terminal, so that they fit its background.
    #[default]
    Colour,
    /// Bold, dim, underlined and reversed only.
    Monochrome,
}

/// The role of a text, which decides its style.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Ordinary text.
    Plain,
    /// Text of minor importance.
    Faint,
    /// A title or a column's head.
    Title,
    /// The tab or the row that is selected.
    Selected,
    /// A key in a hint.
    Key,
    /// A good state.
    Good,
    /// A state that may need attention.
    Warning,
    /// A bad state.
    Bad,
    /// The badge of a good state.
    GoodBadge,
    /// The badge of a state that may need attention.
    WarningBadge,
    /// The badge of a bad state.
    BadBadge,
    /// The fleet's line in a chart.
    Fleet,
    /// An instance's line in a chart.
    Line(usize),
    /// A delta above zero.
    Ahead,
    /// A delta below zero.
    Behind,
}

impl Theme {
    /// Returns the theme for an environment: without colours if `NO_COLOR` is set and not empty.
    #[must_use]
    pub fn from_env(no_color: Option<&std::ffi::OsStr>) -> Self {
        if no_color.is_some_and(|value| !value.is_empty()) { Self::Monochrome } else { Self::Colour }
    }

    /// Returns the style of a role.
    #[must_use]
    pub fn style(self, role: Role) -> Style {
        match self {
            Self::Colour => colour(role),
            Self::Monochrome => monochrome(role),
        }
    }

    /// Returns the colour of a role in a chart.
    #[must_use]
    pub fn colour(self, role: Role) -> Color {
        self.style(role).fg.unwrap_or(Color::Reset)
    }
}

fn colour(role: Role) -> Style {
    const LINES: [Color; 6] =
        [Color::Cyan, Color::Magenta, Color::Blue, Color::LightGreen, Color::LightYellow, Color::LightMagenta];
    let style = Style::new();
    match role {
        Role::Plain => style,
        Role::Faint => style.fg(Color::DarkGray),
        Role::Title => style.fg(Color::Cyan).add_modifier(Modifier::BOLD),
        Role::Selected => style.add_modifier(Modifier::REVERSED),
        Role::Good | Role::Fleet => style.fg(Color::Green),
        Role::Key | Role::Warning | Role::Behind => style.fg(Color::Yellow),
        Role::Bad | Role::Ahead => style.fg(Color::Red).add_modifier(Modifier::BOLD),
        Role::GoodBadge => badge(Color::Green),
        Role::WarningBadge => badge(Color::Yellow),
        Role::BadBadge => badge(Color::Red),
        Role::Line(index) => style.fg(LINES[index % LINES.len()]),
    }
}

fn badge(colour: Color) -> Style {
    Style::new().fg(Color::Black).bg(colour).add_modifier(Modifier::BOLD)
}

fn monochrome(role: Role) -> Style {
    let style = Style::new();
    match role {
        Role::Plain | Role::Good | Role::Behind | Role::Fleet | Role::Line(_) => style,
        Role::Faint => style.add_modifier(Modifier::DIM),
        Role::Title | Role::Key | Role::Ahead | Role::Bad => style.add_modifier(Modifier::BOLD),
        Role::Warning => style.add_modifier(Modifier::UNDERLINED),
        Role::Selected | Role::GoodBadge => style.add_modifier(Modifier::REVERSED),
        Role::WarningBadge | Role::BadBadge => style.add_modifier(Modifier::REVERSED.union(Modifier::BOLD)),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn monochrome_has_no_colour_at_all() {
        let roles = [Role::Plain, Role::Faint, Role::Title, Role::Selected, Role::Key, Role::Good, Role::Warning];
        let more = [Role::Bad, Role::GoodBadge, Role::WarningBadge, Role::BadBadge, Role::Fleet, Role::Line(3)];
        for role in roles.into_iter().chain(more).chain([Role::Ahead, Role::Behind]) {
            let style = Theme::Monochrome.style(role);
            assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
        }
    }

    #[test]
    fn no_color_counts_if_it_is_not_empty() {
        assert_eq!(Theme::from_env(None), Theme::Colour);
        assert_eq!(Theme::from_env(Some(OsStr::new(""))), Theme::Colour);
        assert_eq!(Theme::from_env(Some(OsStr::new("1"))), Theme::Monochrome);
    }
}
