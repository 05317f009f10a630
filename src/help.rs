//! Lays out the texts below the options in a command's help.

/// The number of columns of the narrowest terminal that the texts are laid out for.
const COLUMNS: usize = 80;

/// Lays out a text so that clap does not break its lines in the wrong places. The lines of a paragraph are joined, because
/// clap wraps paragraphs itself. In an indented line, what follows a gap is wrapped below itself, as in a table.
pub(crate) fn fit(text: &str) -> String {
    let mut fitted: Vec<String> = Vec::new();
    let mut is_in_paragraph = false;
    for line in text.lines() {
        let is_paragraph = !line.is_empty() && !line.starts_with(' ');
        match fitted.last_mut() {
            Some(paragraph) if is_paragraph && is_in_paragraph => {
                paragraph.push(' ');
                paragraph.push_str(line);
            }
            _ if is_paragraph || line.is_empty() => fitted.push(line.to_owned()),
            _ => fitted.extend(row(line)),
        }
        is_in_paragraph = is_paragraph;
    }
    fitted.join("\n")
}

/// Wraps what follows the gap in an indented line.
fn row(line: &str) -> Vec<String> {
    let head = line.trim_start();
    let indent = line.len() - head.len();
    let Some(gap) = head.find("  ").filter(|_| width(line) > COLUMNS) else {
        return vec![line.to_owned()];
    };
    let text = head[gap..].trim_start();
    let start = line.len() - text.len();
    let mut rows = vec![format!("{:start$}", &line[..indent + gap])];
    for word in text.split(' ') {
        let last = rows.last().map_or(0, |row| width(row));
        match rows.last_mut() {
            Some(row) if last == start => row.push_str(word),
            Some(row) if last + 1 + width(word) <= COLUMNS => {
                row.push(' ');
                row.push_str(word);
            }
            _ => rows.push(format!("{:start$}{word}", "")),
        }
    }
    rows
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn paragraphs_are_joined_and_descriptions_are_wrapped_below_themselves() {
        let text = "Examples:\n  quipu top    short\n  quipu sink --name influx    a description that is too long for the \
                    first line of its row\n\nOne\ntwo.\n\nExit codes:\n  0  done";
        let fitted = "Examples:\n  quipu top    short\n  quipu sink --name influx    a description that is too long for the first line\
                      \n                              of its row\n\nOne two.\n\nExit codes:\n  0  done";
        assert_eq!(fit(text), fitted);
    }

    /// Calls `check` with the path of each command and the command.
    fn each(command: &Command, path: &str, check: &mut impl FnMut(&str, &Command)) {
        let path = format!("{path} {}", command.get_name());
        check(&path, command);
        for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
            each(command, &path, check);
        }
    }

    #[test]
    fn the_help_of_each_command_is_wrapped_once_and_between_words() {
        let mut all = Cli::command();
        all.build();
        let mut commands = 0;
        each(&all, "", &mut |path, command| {
            commands += 1;
            for columns in [80, 100] {
                let helps = |columns: usize| {
                    let mut command = command.clone().term_width(columns);
                    [command.render_help().to_string(), command.render_long_help().to_string()]
                };
                // Without a width, clap wraps nothing.
                for (help, unwrapped) in helps(columns).into_iter().zip(helps(0)) {
                    assert!(
                        help.split_whitespace().eq(unwrapped.split_whitespace()),
                        "{path}: a word is broken\n{help}"
                    );
                    let lines: Vec<&str> = help.lines().collect();
                    for pair in lines.windows(2) {
                        let [line, next] = [pair[0], pair[1]];
                        assert!(width(line) <= columns, "{path}: {columns} columns are too few for\n{line}");
                        let is_text = |line: &str| !line.is_empty() && !line.starts_with(' ');
                        if is_text(line) && is_text(next) {
                            let word = next.split(' ').next().unwrap_or_default();
                            let width = width(line) + 1 + width(word);
                            assert!(width > columns, "{path}: wrapped twice at {columns} columns:\n{line}\n{next}");
                        }
                    }
                }
            }
            let below = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for row in below.lines().filter(|line| line.starts_with(' ')) {
                assert!(width(row) <= COLUMNS, "{path}: clap would wrap\n{row}");
            }
        });
        assert!(commands > 12, "{commands}");
    }
}
