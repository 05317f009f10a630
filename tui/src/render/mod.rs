//! Draws a view into a buffer, with one file per region. This module only computes columns and rows.

mod audit;
mod big;
mod chart;
mod footer;
mod header;
mod instances;
mod line;
mod overlay;
mod overview;
mod pipeline;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::Span;

use crate::layout::{SMALLEST, is_large_enough, regions};
use crate::theme::{Role, Theme};
use crate::view::{Body, View};

pub(crate) use audit::meaning;
pub(crate) use header::words;

/// Draws a view.
pub fn render(view: &View, theme: Theme, area: Rect, buffer: &mut Buffer) {
    if !is_large_enough((area.width, area.height)) {
        return too_small(theme, area, buffer);
    }
    let regions = regions(area);
    header::render(&view.header, theme, regions.header, buffer);
    header::tabs(view, theme, regions.tabs, buffer);
    match &view.body {
        Body::Overview(view) => overview::render(view, theme, regions.body, buffer),
        Body::Instances(view) => instances::render(view, theme, regions.body, buffer),
        Body::Audit(view) => audit::render(view, theme, regions.body, buffer),
        Body::Pipeline { view, top } => pipeline::render(view, *top, theme, regions.body, buffer),
    }
    footer::render(view, theme, regions.footer, buffer);
    if let Some(view) = &view.overlay {
        overlay::render(view, theme, area, buffer);
    }
}

fn too_small(theme: Theme, area: Rect, buffer: &mut Buffer) {
    let message =
        format!("{}x{} is too small: {}x{} is needed; q quits", area.width, area.height, SMALLEST.0, SMALLEST.1);
    let columns = u16::try_from(message.len()).unwrap_or(u16::MAX).min(area.width);
    let place = area.centered(Constraint::Length(columns), Constraint::Length(1));
    line::write(buffer, place, vec![Span::styled(message, theme.style(Role::Warning))]);
}
