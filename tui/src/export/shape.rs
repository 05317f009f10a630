//! Draws characters that are shapes and not letters: braille dots, blocks and lines.

use std::fmt::Write as _;

use super::CELL;

/// The thickness of a line and the size of a dot, in pixels.
const LINE: f32 = 1.2;
const DOT: f32 = 2.2;

/// Appends the shape of the character to the path. Returns false if the character is a letter.
pub(super) fn draw(path: &mut String, symbol: &str, (x, y): (f32, f32)) -> bool {
    let Some(c) = symbol.chars().next() else {
        return false;
    };
    let (width, height) = CELL;
    let (middle, centre) = ((width - LINE) / 2.0, (height - LINE) / 2.0);
    let mut block = |left: f32, top: f32, width: f32, height: f32| {
        let (left, top) = (x + left, y + top);
        // Writing to a string can't fail.
        let _ = write!(path, "M{left:.1} {top:.1}h{width:.1}v{height:.1}h-{width:.1}z");
    };
    match c {
        '\u{2800}'..='\u{28ff}' => {
            // The bits of a braille character from left to right and from top to bottom.
            const DOTS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
            let bits = u32::from(c) - 0x2800;
            for (row, pair) in (0_u8..).zip(DOTS) {
                for (column, bit) in (0_u8..).zip(pair) {
                    if bits & bit != 0 {
                        let (left, top) = (f32::from(column) * width / 2.0, f32::from(row) * height / 4.0);
                        block(left + (width / 2.0 - DOT) / 2.0, top + (height / 4.0 - DOT) / 2.0, DOT, DOT);
                    }
                }
            }
        }
        '▀' => block(0.0, 0.0, width, height / 2.0),
        '▁'..='█' => {
            let eighths = u8::try_from(u32::from(c) - 0x2580).unwrap_or(8);
            let filled = height * f32::from(eighths) / 8.0;
            block(0.0, height - filled, width, filled);
        }
        '─' => block(0.0, centre, width, LINE),
        '│' => block(middle, 0.0, LINE, height),
        '┌' | '┐' | '└' | '┘' => {
            let left = if matches!(c, '┌' | '└') { middle } else { 0.0 };
            let top = if matches!(c, '┌' | '┐') { centre } else { 0.0 };
            block(left, centre, width - middle, LINE);
            block(middle, top, LINE, height - centre);
        }
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes(symbol: &str) -> Option<usize> {
        let mut path = String::new();
        draw(&mut path, symbol, (0.0, 0.0)).then(|| path.matches('M').count())
    }

    #[test]
    fn a_dot_is_a_shape_and_a_letter_is_not() {
        assert_eq!(shapes("⠀"), Some(0));
        assert_eq!(shapes("⣀"), Some(2));
        assert_eq!(shapes("⣿"), Some(8));
        assert_eq!((shapes("▄"), shapes("█"), shapes("─"), shapes("┘")), (Some(1), Some(1), Some(1), Some(2)));
        assert_eq!((shapes("a"), shapes("…")), (None, None));
    }
}
