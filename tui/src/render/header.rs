use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::line::{both_ends, row};
use crate::app::Tab;
use crate::format;
use crate::theme::{Role, Theme};
use crate::view::{Header, Verdict, View};

/// The most columns for the brokers' addresses.
const BROKERS: usize = 24;

/// Draws the two lines at the top: the brokers and the age of the data, the state of the fleet and its duplicates.
pub(super) fn render(header: &Header, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let styled = |role, text: String| Span::styled(text, theme.style(role));
    let brokers = header.brokers.at_most(BROKERS);
    let (role, connection) = connection(&header.verdict);
    let left = vec![
        styled(Role::Title, " quipu top ".to_owned()),
        styled(Role::Plain, format!(" {brokers} ")),
        styled(role, connection),
    ];
    let mut right = Vec::new();
    if header.clock_offset_ms != 0 {
        let side = if header.clock_offset_ms > 0 { "ahead" } else { "behind" };
        let offset = format::span(header.clock_offset_ms.abs());
        right.push(styled(Role::Warning, format!("clock {offset} {side}  ")));
    }
    if let Some(age) = header.newest_aggregate_age_ms {
        right.push(styled(Role::Faint, " newest aggregate ".to_owned()));
        right.push(styled(Role::Plain, format::span(age)));
    }
    if let Some(lag) = header.aggregator_lag {
        right.push(styled(Role::Faint, "  lag ".to_owned()));
        right.push(styled(Role::Plain, format!("{} ", format::count(lag.into()))));
    }
    both_ends(buffer, row(area, 0), left, right);
    both_ends(buffer, row(area, 1), state(header, theme, usize::from(area.width)), duplicates(header, theme));
}

/// Draws the tabs, the time span, and whether the display is frozen.
pub(super) fn tabs(view: &View, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let mut left = vec![Span::raw(" ")];
    for (index, tab) in Tab::ALL.into_iter().enumerate() {
        let role = if tab == view.tab() { Role::Selected } else { Role::Plain };
        left.push(Span::styled(format!(" {} {} ", index + 1, tab.title()), theme.style(role)));
    }
    let mut right = Vec::new();
    right.push(Span::styled(format!(" span {} ", format::length(view.span)), theme.style(Role::Faint)));
    if let Some(frozen_for) = view.frozen_for {
        right.push(Span::styled(format!(" FROZEN {} ", format::span(frozen_for)), theme.style(Role::WarningBadge)));
    }
    both_ends(buffer, area, left, right);
}

fn connection(verdict: &Verdict) -> (Role, String) {
    match verdict {
        Verdict::Connecting => (Role::Warning, "connecting".to_owned()),
        Verdict::Reconnecting { for_ms, .. } => (Role::Bad, format!("reconnecting for {}", format::span(*for_ms))),
        _ => (Role::Good, "connected".to_owned()),
    }
}

fn state<'a>(header: &Header, theme: Theme, columns: usize) -> Vec<Span<'a>> {
    let (role, word, detail) = words(header, columns * 3 / 10);
    let mut spans =
        vec![Span::raw(" "), Span::styled(format!(" {word} "), theme.style(role)), Span::raw(format!(" {detail}  "))];
    for (count, word, role) in [
        (header.runs.silent, "silent", Role::Bad),
        (header.runs.live, "live", Role::Good),
        (header.runs.idle, "idle", Role::Faint),
        (header.runs.restarted, "restarted", Role::Faint),
        (header.runs.left, "left", Role::Faint),
    ] {
        if count > 0 {
            spans.push(Span::styled(format!(" {count} {word}"), theme.style(role)));
        }
    }
    spans
}

/// Returns the verdict as a word and a detail, in which the name of a series takes at most `columns`.
pub(crate) fn words(header: &Header, columns: usize) -> (Role, &'static str, String) {
    let rate = || match (&header.selected, header.rate) {
        (Some(series), Some(rate)) => format!("{}/s {}", format::rate(rate), series.at_most(columns)),
        _ => String::new(),
    };
    match &header.verdict {
        Verdict::Counting => (Role::GoodBadge, "COUNTING", rate()),
        Verdict::Idle => (Role::WarningBadge, "IDLE", rate()),
        Verdict::Reading { progress } => {
            (Role::WarningBadge, "READING", format!("{} of the records on the topics", format::percent(*progress)))
        }
        Verdict::Waiting { topic } => {
            (Role::WarningBadge, "WAITING", format!("for the topic {topic}: is the aggregator running?"))
        }
        Verdict::Stalled { for_ms: Some(age) } => (
            Role::BadBadge,
            "STALLED",
            format!("nothing from the aggregator for {}: is it running?", format::span(*age)),
        ),
        Verdict::Stalled { for_ms: None } => {
            (Role::BadBadge, "STALLED", "nothing from the aggregator yet: is it running?".to_owned())
        }
        Verdict::Unreadable { topic, reason } => (Role::BadBadge, "UNREADABLE", format!("{topic}: {reason}")),
        Verdict::Connecting => (Role::WarningBadge, "CONNECTING", "no broker has answered yet".to_owned()),
        Verdict::Reconnecting { reason, .. } => (Role::BadBadge, "DISCONNECTED", reason.to_string()),
    }
}

fn duplicates<'a>(header: &Header, theme: Theme) -> Vec<Span<'a>> {
    let span = match header.duplicates.as_slice() {
        [] if header.audits == 0 => Span::styled(" no audit ", theme.style(Role::Faint)),
        [] => Span::styled(" NO DUPLICATES ", theme.style(Role::Good)),
        [(audit, count)] => {
            let text = format!(" {} DUPLICATES in {} ", format::count(*count), audit.at_most(16));
            Span::styled(text, theme.style(Role::BadBadge))
        }
        several => {
            let sum: i128 = several.iter().map(|(_, count)| count).sum();
            let text = format!(" {} DUPLICATES in {} audits ", format::count(sum), several.len());
            Span::styled(text, theme.style(Role::BadBadge))
        }
    };
    vec![Span::raw(" "), span, Span::raw(" ")]
}
