mod shape;

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr as _;

/// The size of a cell in pixels.
const CELL: (f32, f32) = (8.4, 17.0);
/// The margin around the screen in pixels.
const MARGIN: f32 = 12.0;
/// The default colours of the terminal.
const FOREGROUND: &str = "#d8dee9";
const BACKGROUND: &str = "#14181f";

/// The style of adjacent cells.
#[derive(PartialEq, Default)]
struct Look {
    foreground: String,
    background: String,
    is_bold: bool,
    is_underlined: bool,
}

/// Writes a frame as an SVG image, for documents. Letters are text. Dots, bars and lines are shapes, so that they join in
/// every font.
#[must_use]
pub fn svg(buffer: &Buffer) -> String {
    let area = buffer.area;
    let (width, height) =
        (f32::from(area.width) * CELL.0 + 2.0 * MARGIN, f32::from(area.height) * CELL.1 + 2.0 * MARGIN);
    // Writing to a string can't fail, so the results of `write!` are ignored.
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.1} {height:.1}\" \
         font-family=\"'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>"
    );
    for row in 0..area.height {
        let cells = cells(buffer, row);
        let mut column = 0;
        for cells in cells.chunk_by(|left, right| look(left) == look(right)) {
            run(&mut svg, (column, row), cells);
            column += u16::try_from(cells.len()).unwrap_or(u16::MAX);
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// Returns the cells of a row. A cell that a wide character covers is replaced by the cell of that character.
fn cells(buffer: &Buffer, row: u16) -> Vec<&Cell> {
    let area = buffer.area;
    let mut cells: Vec<&Cell> = Vec::with_capacity(area.width.into());
    let mut covered = 0;
    for column in 0..area.width {
        let cell = match cells.last() {
            Some(wide) if covered > 0 => wide,
            _ => &buffer[(area.x + column, area.y + row)],
        };
        covered = if covered > 0 { covered - 1 } else { cell.symbol().width().saturating_sub(1) };
        cells.push(cell);
    }
    cells
}

/// Writes adjacent cells with the same style: their background, their shapes and their words.
fn run(svg: &mut String, (column, row): (u16, u16), cells: &[&Cell]) {
    let look = cells.first().map(|cell| look(cell)).unwrap_or_default();
    let place = |index: usize| {
        let index = u16::try_from(index).unwrap_or(u16::MAX);
        (MARGIN + f32::from(column.saturating_add(index)) * CELL.0, MARGIN + f32::from(row) * CELL.1)
    };
    if look.background != BACKGROUND {
        let ((left, top), (right, _)) = (place(0), place(cells.len()));
        let (width, height, fill) = (right - left, CELL.1, &look.background);
        let _ = writeln!(
            svg,
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height}\" fill=\"{fill}\"/>"
        );
    }
    let (mut drawing, mut word, mut begin) = (String::new(), String::new(), 0);
    let mut covered = 0;
    for (index, cell) in cells.iter().enumerate() {
        let symbol = cell.symbol();
        if covered > 0 {
            // A wide character covers this cell.
            covered -= 1;
        } else if symbol == " " || shape::draw(&mut drawing, symbol, place(index)) {
            text(svg, place(begin), &word, &look);
            word.clear();
        } else {
            begin = if word.is_empty() { index } else { begin };
            word.push_str(symbol);
            covered = symbol.width().saturating_sub(1);
        }
    }
    text(svg, place(begin), &word, &look);
    if !drawing.is_empty() {
        let _ = writeln!(svg, "<path shape-rendering=\"crispEdges\" fill=\"{}\" d=\"{drawing}\"/>", look.foreground);
    }
}

fn text(svg: &mut String, (x, y): (f32, f32), word: &str, look: &Look) {
    if word.is_empty() {
        return;
    }
    let weight = if look.is_bold { " font-weight=\"bold\"" } else { "" };
    let line = if look.is_underlined { " text-decoration=\"underline\"" } else { "" };
    let (baseline, fill, word) = (y + CELL.1 * 0.76, &look.foreground, escape(word));
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{baseline:.1}\" fill=\"{fill}\"{weight}{line}>{word}</text>");
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
    fn words_are_text_markup_is_escaped_and_blocks_are_drawn() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 16, 1));
        buffer.set_string(0, 0, "a<b& c", Style::new().fg(Color::Green));
        buffer.set_string(6, 0, "日本", Style::new().add_modifier(Modifier::REVERSED));
        buffer.set_string(10, 0, "█⣀─", Style::new().fg(Color::Red));
        let svg = svg(&buffer);
        assert!(svg.contains("fill=\"#7fc97f\">a&lt;b&amp;</text>"), "{svg}");
        assert!(svg.contains(">日本</text>") && svg.contains(&format!("fill=\"{FOREGROUND}\"/>")), "{svg}");
        assert_eq!((svg.matches("<text").count(), svg.matches("<path").count()), (3, 1), "{svg}");
    }
}
