use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::line::{row, title, write};
use crate::format;
use crate::layout::NARROW;
use crate::theme::{Role, Theme};
use crate::view::PipelineView;

/// The width of the columns with the names of topics.
const TOPIC: usize = 12;
/// The width of the column with the processes that found bad records.
const MET_BY: usize = 32;
/// A lag of at least this many records is drawn as a warning.
const LARGE_LAG: i64 = 10_000;

/// A line of the tab.
enum Entry<'a> {
    Title(&'static str),
    Text(Vec<Span<'a>>),
}

/// Draws log ends, positions, lag and bad records, beginning at the line `top`.
pub(super) fn render(view: &PipelineView, top: usize, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let entries = entries(view, theme, usize::from(area.width));
    // The last entry is an empty line.
    let below = entries.len().saturating_sub(top + usize::from(area.height) + 1);
    for (index, entry) in entries.into_iter().skip(top).take(area.height.into()).enumerate() {
        match entry {
            Entry::Title(text) => {
                title(buffer, row(area, index), theme, vec![Span::styled(text, theme.style(Role::Title))]);
            }
            Entry::Text(spans) => write(buffer, row(area, index), spans),
        }
    }
    if below > 0 {
        let last = row(area, usize::from(area.height) - 1);
        let text = format!(" {below} more lines below (j) ");
        let columns = u16::try_from(text.len()).unwrap_or(u16::MAX).min(last.width);
        let place = Rect { x: last.right() - columns, width: columns, ..last };
        write(buffer, place, vec![Span::styled(text, theme.style(Role::Key))]);
    }
}

/// Returns all lines; their number is [`PipelineView::rows`].
fn entries<'a>(view: &PipelineView, theme: Theme, columns: usize) -> Vec<Entry<'a>> {
    let head = |text: String| Entry::Text(vec![Span::styled(text, theme.style(Role::Title))]);
    let faint = |text: &'static str| Entry::Text(vec![Span::styled(text, theme.style(Role::Faint))]);
    let is_narrow = columns < usize::from(NARROW);
    let (digits, rates) = if is_narrow { (11, 9) } else { (16, 11) };
    let number = |number: Option<i64>| {
        number.map_or_else(|| format::right("-", digits), |number| format::count_in(number.into(), digits))
    };

    let mut entries = vec![Entry::Title("topics")];
    entries.push(head(format!("  {:TOPIC$} {:>digits$} {:>rates$}  READING", "TOPIC", "LOG END", "RECORDS/s")));
    for topic in &view.topics {
        let rate = format::rate_in(topic.rate, rates);
        let room = columns.saturating_sub(TOPIC + digits + rates + 7);
        let text = format!("  {:TOPIC$} {} {rate}  {}", topic.topic, number(topic.log_end), topic.state.fit(room));
        entries.push(Entry::Text(vec![Span::raw(text)]));
    }
    entries.push(faint(""));

    entries.push(Entry::Title("consumer groups"));
    // A narrow screen has no room for the rates of the groups.
    let group_rate = |text: String| if is_narrow { String::new() } else { format!(" {text:>rates$}") };
    let name = columns.saturating_sub(TOPIC + 2 * digits + 6 + group_rate(String::new()).len());
    entries.push(head(format!(
        "  {:name$} {:TOPIC$} {:>digits$} {:>digits$}{}",
        "GROUP",
        "TOPIC",
        "POSITION",
        "LAG",
        group_rate("RECORDS/s".to_owned())
    )));
    if view.groups.is_empty() {
        entries.push(faint("  None found yet."));
    }
    for group in &view.groups {
        let role = if group.lag.is_some_and(|lag| lag >= LARGE_LAG) { Role::Warning } else { Role::Plain };
        entries.push(Entry::Text(vec![
            Span::raw(format!("  {} {:TOPIC$} {} ", group.group.fit(name), group.topic, number(group.position))),
            Span::styled(number(group.lag), theme.style(role)),
            Span::raw(group_rate(format::rate_in(group.rate, rates))),
        ]));
    }
    entries.push(faint(""));

    entries.push(Entry::Title("bad records"));
    let digits = if is_narrow { 8 } else { digits };
    entries.push(head(format!("  {:>digits$}  {:MET_BY$} REASON", "RECORDS", "MET BY")));
    if view.bad_records.is_empty() && view.cut_off == 0 {
        entries.push(faint("  None."));
    }
    for bad in &view.bad_records {
        let reason = bad.reason.fit(columns.saturating_sub(digits + MET_BY + 5));
        let text = format!("  {}  {:MET_BY$} {reason}", format::count_in(bad.count, digits), bad.met_by);
        entries.push(Entry::Text(vec![Span::styled(text, theme.style(Role::Warning))]));
    }
    if view.cut_off > 0 {
        let count = format::count_in(view.cut_off.into(), digits);
        let text = format!("  {count}  {:MET_BY$} no room for more series or runs", "this dashboard");
        entries.push(Entry::Text(vec![Span::styled(text, theme.style(Role::Warning))]));
    }
    entries.push(faint(""));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Name;
    use crate::view::{BadRow, GroupRow, TopicRow};

    #[test]
    fn the_number_of_lines_is_that_of_the_view() {
        let topic = |topic| TopicRow { topic, state: Name::new("x"), log_end: None, rate: None };
        let mut view = PipelineView {
            topics: vec![topic("metrics"), topic("metrics-agg")],
            groups: Vec::new(),
            bad_records: Vec::new(),
            cut_off: 0,
        };
        let lines = |view: &PipelineView| entries(view, Theme::Colour, 80).len();
        assert_eq!(lines(&view), view.rows());
        let name = Name::new("quipu");
        view.groups = vec![GroupRow { group: name.clone(), topic: "metrics", position: None, lag: None, rate: None }];
        view.cut_off = 3;
        assert_eq!(lines(&view), view.rows());
        view.bad_records = (0..40).map(|count| BadRow { met_by: "x", reason: name.clone(), count }).collect();
        assert_eq!(lines(&view), view.rows());
    }
}
