//! Draws large numbers, three rows high.

/// Returns how many columns a text takes.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(|c| glyph(c).0 + 1).sum::<usize>().saturating_sub(1)
}

/// Returns the three rows of a text.
pub(super) fn rows(text: &str) -> [String; 3] {
    let mut rows = [String::new(), String::new(), String::new()];
    for (index, c) in text.chars().enumerate() {
        let (columns, dots) = glyph(c);
        for (half, row) in rows.iter_mut().enumerate() {
            if index > 0 {
                row.push(' ');
            }
            for column in (0..columns).rev() {
                let is_set = |line: usize| dots.get(line).is_some_and(|bits| bits >> column & 1 == 1);
                row.push(match (is_set(half * 2), is_set(half * 2 + 1)) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                });
            }
        }
    }
    rows
}

/// Returns the number of columns of a character, and its lines of dots from top to bottom.
fn glyph(c: char) -> (usize, [u8; 6]) {
    match c {
        '0' => (3, [0b111, 0b101, 0b101, 0b101, 0b111, 0]),
        '1' => (3, [0b010, 0b110, 0b010, 0b010, 0b111, 0]),
        '2' => (3, [0b111, 0b001, 0b111, 0b100, 0b111, 0]),
        '3' => (3, [0b111, 0b001, 0b111, 0b001, 0b111, 0]),
        '4' => (3, [0b101, 0b101, 0b111, 0b001, 0b001, 0]),
        '5' => (3, [0b111, 0b100, 0b111, 0b001, 0b111, 0]),
        '6' => (3, [0b111, 0b100, 0b111, 0b101, 0b111, 0]),
        '7' => (3, [0b111, 0b001, 0b001, 0b010, 0b010, 0]),
        '8' => (3, [0b111, 0b101, 0b111, 0b101, 0b111, 0]),
        '9' => (3, [0b111, 0b101, 0b111, 0b001, 0b111, 0]),
        '+' => (3, [0, 0b010, 0b111, 0b010, 0, 0]),
        '-' => (3, [0, 0, 0b111, 0, 0, 0]),
        ',' => (1, [0, 0, 0, 0, 0b1, 0b1]),
        _ => (1, [0; 6]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_three_columns_wide_and_the_rows_are_equally_long() {
        let text = "+1,048,576";
        for row in rows(text) {
            assert_eq!(row.chars().count(), width(text), "{row}");
        }
        assert_eq!(rows("7"), ["▀▀█", " ▄▀", " ▀ "]);
        assert_eq!(width(""), 0);
    }
}
