use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr as _;

/// Size of a cell in pixels.
const CELL: (f32, f32) = (8.4, 17.0);
/// Room around the screen in pixels.
const MARGIN: f32 = 12.0;
/// What the terminal's own colours are.
const FOREGROUND: &str = "#d8dee9";
const BACKGROUND: &str = "#14181f";

/// How a run of cells looks.
#[derive(PartialEq)]
struct Look {
    foreground: String,
    background: String,
    is_bold: bool,
    is_underlined: bool,
}

/// A frame as an SVG image, for documents: text in a monospace font on rectangles.
#[must_use]
pub fn svg(buffer: &Buffer) -> String {
    let area = buffer.area;
    let (width, height) = (f32::from(area.width) * CELL.0, f32::from(area.height) * CELL.1);
    let (outer_width, outer_height) = (width + 2.0 * MARGIN, height + 2.0 * MARGIN);
    // Writing to a string can't fail, so what `write!` returns is of no interest here.
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {outer_width:.1} {outer_height:.1}\" \
         font-family=\"'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\" xml:space=\"preserve\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>"
    );
    for row in 0..area.height {
        let mut column = 0;
        while column < area.width {
            let look = look(&buffer[(area.x + column, area.y + row)]);
            let start = column;
            let mut text = String::new();
            while column < area.width {
                let cell = &buffer[(area.x + column, area.y + row)];
                if self::look(cell) != look {
                    break;
                }
                text.push_str(cell.symbol());
                // The cells that a wide character covers have no text of their own.
                column += u16::try_from(cell.symbol().width()).unwrap_or(1).max(1);
            }
            run(&mut svg, (start, row), column.min(area.width) - start, &text, &look);
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn run(svg: &mut String, (column, row): (u16, u16), columns: u16, text: &str, look: &Look) {
    let (x, y) = (MARGIN + f32::from(column) * CELL.0, MARGIN + f32::from(row) * CELL.1);
    let width = f32::from(columns) * CELL.0;
    if look.background != BACKGROUND {
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{}\" fill=\"{}\"/>",
            CELL.1, look.background
        );
    }
    if text.trim().is_empty() {
        return;
    }
    let weight = if look.is_bold { " font-weight=\"bold\"" } else { "" };
    let line = if look.is_underlined { " text-decoration=\"underline\"" } else { "" };
    let baseline = y + CELL.1 * 0.76;
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{baseline:.1}\" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\" \
         fill=\"{}\"{weight}{line}>{}</text>",
        look.foreground,
        escape(text)
    );
}

fn look(cell: &Cell) -> Look {
    let mut foreground = hex(cell.fg, FOREGROUND);
    let mut background = hex(cell.bg, BACKGROUND);
    if cell.modifier.contains(Modifier::REVERSED) {
        std::mem::swap(&mut foreground, &mut background);
    }
    Look {
        foreground,
        background,
        is_bold: cell.modifier.contains(Modifier::BOLD),
        is_underlined: cell.modifier.contains(Modifier::UNDERLINED),
    }
}

fn hex(colour: Color, own: &str) -> String {
    let hex = match colour {
        Color::Black => "#14181f",
        Color::Red | Color::LightRed => "#ef6b73",
        Color::Green => "#7fc97f",
        Color::LightGreen => "#b5e8a0",
        Color::Yellow => "#e5c07b",
        Color::LightYellow => "#f5e0a0",
        Color::Blue | Color::LightBlue => "#6ea8fe",
        Color::Magenta => "#c792ea",
        Color::LightMagenta => "#f0a6e0",
        Color::Cyan | Color::LightCyan => "#56c8d8",
        Color::Gray => "#aab2c0",
        Color::DarkGray => "#6b7482",
        Color::White => "#ffffff",
        Color::Rgb(red, green, blue) => return format!("#{red:02x}{green:02x}{blue:02x}"),
        Color::Reset | Color::Indexed(_) => own,
    };
    hex.to_owned()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn runs_of_one_look_are_one_text_and_markup_is_escaped() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 1));
        buffer.set_string(0, 0, "a<b&", Style::new().fg(Color::Green));
        buffer.set_string(4, 0, "日本", Style::new().add_modifier(Modifier::REVERSED));
        let svg = svg(&buffer);
        assert!(svg.contains("fill=\"#7fc97f\">a&lt;b&amp;</text>"), "{svg}");
        assert!(svg.contains(">日本</text>") && svg.contains(&format!("fill=\"{FOREGROUND}\"/>")), "{svg}");
        assert_eq!(svg.matches("<text").count(), 2);
    }
}
