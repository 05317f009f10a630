use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::line::{row, title, write};
use crate::format;
use crate::theme::{Role, Theme};
use crate::view::PipelineView;

/// The widths of the columns.
const TOPIC: usize = 12;
const NUMBER: usize = 16;
const RATE: usize = 11;
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
    for (index, entry) in entries.into_iter().skip(top).take(area.height.into()).enumerate() {
        match entry {
            Entry::Title(text) => {
                title(buffer, row(area, index), theme, vec![Span::styled(text, theme.style(Role::Title))]);
            }
            Entry::Text(spans) => write(buffer, row(area, index), spans),
        }
    }
}

/// Returns all lines; their number is [`PipelineView::rows`].
fn entries<'a>(view: &PipelineView, theme: Theme, columns: usize) -> Vec<Entry<'a>> {
    let head = |text: String| Entry::Text(vec![Span::styled(text, theme.style(Role::Title))]);
    let faint = |text: &'static str| Entry::Text(vec![Span::styled(text, theme.style(Role::Faint))]);
    let number = |number: Option<i64>| {
        number.map_or_else(|| format::right("-", NUMBER), |number| format::count_in(number.into(), NUMBER))
    };
    let name = columns.saturating_sub(TOPIC + 2 * NUMBER + RATE + 7);

    let mut entries = vec![Entry::Title("topics")];
    entries.push(head(format!("  {:TOPIC$} {:>NUMBER$} {:>RATE$}  READING", "TOPIC", "LOG END", "RECORDS/s")));
    for topic in &view.topics {
        let rate = format::rate_in(topic.rate, RATE);
        let room = columns.saturating_sub(TOPIC + NUMBER + RATE + 7);
        let text = format!("  {:TOPIC$} {} {rate}  {}", topic.topic, number(topic.log_end), topic.state.fit(room));
        entries.push(Entry::Text(vec![Span::raw(text)]));
    }
    entries.push(faint(""));

    entries.push(Entry::Title("consumer groups"));
    entries.push(head(format!(
        "  {:name$} {:TOPIC$} {:>NUMBER$} {:>NUMBER$} {:>RATE$}",
        "GROUP", "TOPIC", "POSITION", "LAG", "RECORDS/s"
    )));
    if view.groups.is_empty() {
        entries.push(faint("  None found yet."));
    }
    for group in &view.groups {
        let role = if group.lag.is_some_and(|lag| lag >= LARGE_LAG) { Role::Warning } else { Role::Plain };
        entries.push(Entry::Text(vec![
            Span::raw(format!("  {} {:TOPIC$} {} ", group.group.fit(name), group.topic, number(group.position))),
            Span::styled(number(group.lag), theme.style(role)),
            Span::raw(format!(" {}", format::rate_in(group.rate, RATE))),
        ]));
    }
    entries.push(faint(""));

    entries.push(Entry::Title("bad records"));
    entries.push(head(format!("  {:>NUMBER$}  {:32} REASON", "RECORDS", "MET BY")));
    if view.bad_records.is_empty() && view.cut_off == 0 {
        entries.push(faint("  None."));
    }
    for bad in &view.bad_records {
        let reason = bad.reason.fit(columns.saturating_sub(NUMBER + 32 + 5));
        let text = format!("  {}  {:32} {reason}", format::count_in(bad.count, NUMBER), bad.met_by);
        entries.push(Entry::Text(vec![Span::styled(text, theme.style(Role::Warning))]));
    }
    if view.cut_off > 0 {
        let count = format::count_in(view.cut_off.into(), NUMBER);
        let text = format!("  {count}  {:32} no room for more series or runs", "this dashboard");
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
