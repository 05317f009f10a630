use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::line::{both_ends, row};
use crate::format;
use crate::layout::{self, NARROW};
use crate::name::Name;
use crate::theme::{Role, Theme};
use crate::view::{AuditVerdict, Header, Verdict, View};

/// The most columns for the brokers' addresses.
const BROKERS: usize = 24;
/// The fewest columns in which the name of a series is shown.
const NAME: usize = 8;

/// Draws the two lines at the top: the brokers and the age of the data, the state of the fleet and its duplicates.
pub(super) fn render(header: &Header, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let styled = |role, text: String| Span::styled(text, theme.style(role));
    let columns = usize::from(area.width);
    let mut right = Vec::new();
    if header.clock_offset_ms != 0 {
        let side = if header.clock_offset_ms > 0 { "ahead" } else { "behind" };
        let offset = format::span(header.clock_offset_ms.abs());
        right.push(styled(Role::Warning, format!("clock {offset} {side}  ")));
    }
    if let Some(age) = header.newest_aggregate_age_ms {
        let head = if area.width < NARROW { " newest " } else { " newest aggregate " };
        right.push(styled(Role::Faint, head.to_owned()));
        right.push(styled(Role::Plain, format::span(age)));
    }
    if let Some(lag) = header.aggregator_lag {
        right.push(styled(Role::Faint, "  lag ".to_owned()));
        right.push(styled(Role::Plain, format!("{} ", format::count(lag.into()))));
    }
    let (role, connection) = connection(&header.verdict);
    let taken = width(&right) + " quipu top   ".len() + connection.len() + 1;
    let brokers = header.brokers.at_most(columns.saturating_sub(taken).min(BROKERS));
    let left = vec![
        styled(Role::Title, " quipu top ".to_owned()),
        styled(Role::Plain, format!(" {brokers} ")),
        styled(role, connection),
    ];
    both_ends(buffer, row(area, 0), left, right);
    let mut right = audit(&header.audit, theme);
    let mut room = columns.saturating_sub(width(&right));
    let (_, word, detail) = words(header, 0);
    let is_finding = !matches!(header.audit, AuditVerdict::Open | AuditVerdict::Absent);
    if !is_finding && word.len() + detail.chars().count() + "  []   ".len() > room {
        (right, room) = (Vec::new(), columns);
    }
    let left = state(header, theme, room);
    both_ends(buffer, row(area, 1), left, right);
}

/// Draws the tabs, the time span, and whether the display is frozen.
pub(super) fn tabs(view: &View, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let mut left = vec![Span::raw(" ")];
    for (tab, label, _) in layout::tabs() {
        let role = if tab == view.tab() { Role::Selected } else { Role::Plain };
        left.push(Span::styled(label, theme.style(role)));
    }
    let span = Span::styled(format!(" span {} ", format::length(view.span)), theme.style(Role::Faint));
    let frozen = |text: String| Span::styled(text, theme.style(Role::WarningBadge));
    let right = match view.frozen_for {
        None => vec![vec![span]],
        Some(time) => {
            let long = frozen(format!(" FROZEN {} ", format::span(time)));
            vec![vec![span, long.clone()], vec![long], vec![frozen(" FROZEN ".to_owned())]]
        }
    };
    let room = usize::from(area.width).saturating_sub(width(&left));
    let right = right.into_iter().find(|right| width(right) <= room).unwrap_or_default();
    both_ends(buffer, area, left, right);
}

fn connection(verdict: &Verdict) -> (Role, String) {
    match verdict {
        Verdict::Connecting => (Role::Warning, "connecting".to_owned()),
        Verdict::Reconnecting { for_ms, .. } => (Role::Bad, format!("reconnecting for {}", format::span(*for_ms))),
        _ => (Role::Good, "connected".to_owned()),
    }
}

/// Returns the verdict and the number of runs in at most `room` columns. A rate is cut before the numbers of runs are; a
/// trouble is not.
fn state<'a>(header: &Header, theme: Theme, room: usize) -> Vec<Span<'a>> {
    let counts = [
        (header.runs.silent, "silent", Role::Bad),
        (header.runs.live, "live", Role::Good),
        (header.runs.idle, "idle", Role::Faint),
        (header.runs.restarted, "restarted", Role::Faint),
        (header.runs.left, "left", Role::Faint),
    ];
    let counts = counts.into_iter().filter(|(count, ..)| *count > 0);
    let counts: Vec<Span<'_>> = counts
        .enumerate()
        .map(|(index, (count, word, role))| {
            let gap = if index == 0 { "   " } else { " " };
            Span::styled(format!("{gap}{count} {word}"), theme.style(role))
        })
        .collect();
    let (_, word, _) = words(header, usize::MAX);
    let room = room.saturating_sub(word.len() + " [] ".len());
    let is_rate = matches!(header.verdict, Verdict::Counting | Verdict::Idle);
    let reserved = if is_rate { width(&counts) } else { 0 };
    let (role, word, detail) = words(header, room.saturating_sub(reserved + " ".len()));
    let detail = format!(" {}", Name::new(detail).at_most(room.saturating_sub(" ".len())));
    let mut left = room.saturating_sub(detail.chars().count());
    let mut spans = vec![Span::raw(" "), Span::styled(format!(" {word} "), theme.style(role)), Span::raw(detail)];
    for count in counts {
        // A number is left out rather than cut.
        if count.width() > left {
            break;
        }
        left -= count.width();
        spans.push(count);
    }
    spans
}

/// Returns the verdict as a word and a detail, in which a rate and the name of its series take at most `columns`.
pub(crate) fn words(header: &Header, columns: usize) -> (Role, &'static str, String) {
    let rate = || match (&header.selected, header.rate) {
        (Some(series), Some(rate)) => {
            let rate = format!("{}/s", format::rate(rate));
            match columns.saturating_sub(rate.len() + 1) {
                0..NAME => rate,
                room => format!("{rate} {}", series.at_most(room)),
            }
        }
        _ => String::new(),
    };
    match &header.verdict {
        Verdict::Counting => (Role::GoodBadge, "COUNTING", rate()),
        Verdict::Idle => (Role::WarningBadge, "IDLE", rate()),
        Verdict::Behind { by, newest_ms } => {
            let newest = newest_ms.map_or_else(String::new, |age| format!("; newest total {} old", format::span(age)));
            let records = if *by == 1 { "record" } else { "records" };
            (Role::WarningBadge, "BEHIND", format!("by {} {records}{newest}", format::count((*by).into())))
        }
        Verdict::Reading { progress } => {
            (Role::WarningBadge, "READING", format!("{} of the records on the topics", format::percent(*progress)))
        }
        Verdict::Waiting { topic } => {
            (Role::WarningBadge, "WAITING", format!("for {topic}: is the aggregator running?"))
        }
        Verdict::Stalled { for_ms: Some(age) } => {
            (Role::BadBadge, "STALLED", format!("no totals for {}: is the aggregator running?", format::span(*age)))
        }
        Verdict::Stalled { for_ms: None } => {
            (Role::BadBadge, "STALLED", "no totals yet: is the aggregator running?".to_owned())
        }
        Verdict::Unreadable { topic, reason } => (Role::BadBadge, "UNREADABLE", format!("{topic}: {reason}")),
        Verdict::Connecting => (Role::WarningBadge, "CONNECTING", "no broker has answered yet".to_owned()),
        Verdict::Reconnecting { reason, .. } => (Role::BadBadge, "DISCONNECTED", reason.to_string()),
    }
}

fn audit<'a>(audit: &AuditVerdict, theme: Theme) -> Vec<Span<'a>> {
    let (role, text) = match audit {
        AuditVerdict::Absent => (Role::Faint, " no audit ".to_owned()),
        AuditVerdict::Open => (Role::Faint, " no verdict yet ".to_owned()),
        AuditVerdict::Equal => (Role::Good, " NO DUPLICATES ".to_owned()),
        AuditVerdict::Behind(count) => (Role::Behind, format!(" {} behind ", format::count(*count))),
        AuditVerdict::Undecided(count) => (Role::Warning, format!(" {}, not final ", format::signed(*count))),
        AuditVerdict::Duplicates(audits) => {
            let sum: i128 = audits.iter().map(|(_, count)| count).sum();
            let of = match audits.as_slice() {
                [(audit, _)] => format!("in {}", audit.at_most(16)),
                several => format!("in {} audits", several.len()),
            };
            (Role::BadBadge, format!(" {} DUPLICATES {of} ", format::count(sum)))
        }
    };
    vec![Span::raw(" "), Span::styled(text, theme.style(role)), Span::raw(" ")]
}

fn width(spans: &[Span<'_>]) -> usize {
    Line::from(spans.to_vec()).width()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;
    use crate::view::header;

    #[test]
    fn the_help_explains_each_word() {
        let app = App::new("", None);
        let mut header = header(&app, app.scope(0));
        let reason = Name::new("reason");
        let verdicts = [
            Verdict::Connecting,
            Verdict::Reconnecting { for_ms: 1, reason: reason.clone() },
            Verdict::Unreadable { topic: "metrics", reason },
            Verdict::Waiting { topic: "metrics" },
            Verdict::Reading { progress: 0.5 },
            Verdict::Stalled { for_ms: None },
            Verdict::Behind { by: 1, newest_ms: None },
            Verdict::Idle,
            Verdict::Counting,
        ];
        for verdict in verdicts {
            header.verdict = verdict;
            let (role, word, _) = words(&header, 80);
            assert!(Verdict::WORDS.iter().any(|(other, of, _)| (*other, *of) == (word, role)), "{word}");
        }
    }
}
