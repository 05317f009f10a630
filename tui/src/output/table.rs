use unicode_width::UnicodeWidthStr as _;

/// A table whose columns are as wide as their widest cell.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    /// The columns with numbers, which are right-aligned.
    numbers: &'static [usize],
}

impl Table {
    pub(super) fn new(heads: &[&str], numbers: &'static [usize]) -> Self {
        Self { rows: vec![heads.iter().map(ToString::to_string).collect()], numbers }
    }

    pub(super) fn push(&mut self, row: impl IntoIterator<Item = String>) {
        self.rows.push(row.into_iter().collect());
    }

    /// Appends the table, indented by two columns.
    pub(super) fn write(&self, text: &mut String) {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let fill = " ".repeat(widths[column].saturating_sub(cell.width()));
                line.push_str("  ");
                if self.numbers.contains(&column) {
                    line.push_str(&fill);
                    line.push_str(cell);
                } else {
                    line.push_str(cell);
                    line.push_str(&fill);
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
}
