//! Writes the few SVG elements that a chart needs.

use std::fmt::{Arguments, Write as _};

/// An element's place and size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl Rect {
    pub(super) fn width(self) -> f64 {
        self.right - self.left
    }

    pub(super) fn height(self) -> f64 {
        self.bottom - self.top
    }
}

/// Which part of a text is at its point.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// An unfinished drawing. Its elements have classes, for which the style sheet gives colours and fonts.
pub(super) struct Svg(String);

impl Svg {
    pub(super) fn new(width: f64, height: f64, title: &str, style: &str) -> Self {
        let mut svg = Self(String::with_capacity(1 << 15));
        svg.write(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\">\n<title>{}</title>\n<style>{style}</style>\n",
            escaped(title)
        ));
        svg
    }

    pub(super) fn rect(&mut self, class: &str, rect: Rect) {
        let Rect { left, top, .. } = rect;
        let (width, height) = (rect.width(), rect.height());
        self.write(format_args!(
            "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"4\"/>\n"
        ));
    }

    pub(super) fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.write(format_args!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n"
        ));
    }

    pub(super) fn polyline(&mut self, class: &str, points: impl Iterator<Item = (f64, f64)>) {
        self.write(format_args!("<polyline class=\"{class}\" points=\""));
        for (x, y) in points {
            self.write(format_args!("{x:.1},{y:.1} "));
        }
        self.write(format_args!("\"/>\n"));
    }

    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        self.write(format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>\n",
            escaped(text)
        ));
    }

    /// Draws a vertical arrow with two heads, which are smaller if the arrow is short.
    pub(super) fn double_arrow(&mut self, class: &str, x: f64, top: f64, bottom: f64) {
        let head = ((bottom - top) / 3.0).min(5.0);
        self.line(class, (x, top), (x, bottom));
        for (tip, back) in [(top, top + head), (bottom, bottom - head)] {
            self.polyline(class, [(x - head, back), (x, tip), (x + head, back)].into_iter());
        }
    }

    /// Clips what `draw` draws to a rectangle.
    pub(super) fn clipped(&mut self, id: &str, rect: Rect, draw: impl FnOnce(&mut Self)) {
        self.write(format_args!("<clipPath id=\"{id}\">"));
        self.rect("", rect);
        self.write(format_args!("</clipPath>\n<g clip-path=\"url(#{id})\">\n"));
        draw(self);
        self.write(format_args!("</g>\n"));
    }

    pub(super) fn finish(mut self) -> String {
        self.write(format_args!("</svg>\n"));
        self.0
    }

    fn write(&mut self, text: Arguments<'_>) {
        // Writing to a string can't fail.
        let _ = self.0.write_fmt(text);
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
