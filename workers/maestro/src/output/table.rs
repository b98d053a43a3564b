//! Columns that line up.

use std::fmt::Write as _;

/// A table: a heading and rows of cells.
#[derive(Debug)]
pub(crate) struct Table {
    heading: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(heading: &[&'static str]) -> Self {
        Self {
            heading: heading.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines, the heading first. A column is right-aligned where every cell is a number.
    pub(crate) fn lines(&self) -> Vec<String> {
        let columns: Vec<Column> = self
            .heading
            .iter()
            .enumerate()
            .map(|(index, heading)| {
                Column::of(heading, &self.rows.iter().filter_map(|row| row.get(index)))
            })
            .collect();
        let heading = self.heading.iter().map(|cell| (*cell).to_owned()).collect();
        std::iter::once(&heading)
            .chain(&self.rows)
            .map(|cells| line(&columns, cells))
            .collect()
    }
}

struct Column {
    width: usize,
    right: bool,
}

impl Column {
    fn of<'a>(heading: &str, cells: &(impl Iterator<Item = &'a String> + Clone)) -> Self {
        let widest = cells
            .clone()
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0);
        let is_number =
            |cell: &String| cell == "-" || cell.bytes().all(|byte| byte.is_ascii_digit());
        Self {
            width: widest.max(heading.len()),
            right: widest > 0 && cells.clone().all(is_number),
        }
    }
}

fn line(columns: &[Column], cells: &[String]) -> String {
    let mut line = String::new();
    for (column, cell) in columns.iter().zip(cells) {
        let width = column.width;
        let _ = if column.right {
            write!(line, "{cell:>width$}  ")
        } else {
            write!(line, "{cell:<width$}  ")
        };
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_and_words_left() {
        let mut table = Table::new(&["stream", "lag"]);
        table.row(vec!["automation:heal".into(), "7".into()]);
        table.row(vec!["a".into(), "1200".into()]);
        assert_eq!(
            table.lines(),
            [
                "stream            lag",
                "automation:heal     7",
                "a                1200",
            ]
        );
    }
}
