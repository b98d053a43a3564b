//! Rows as JSON lines or CSV.

use std::io::{self, Write};

use crate::row::Row;

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One JSON object a line, nothing changed.
    JsonLines,
    /// RFC 4180, with a line of names first and `data` as JSON in one cell. A cell that a spreadsheet would take for a formula has a `'`
    /// before it.
    Csv,
}

/// Writes rows one by one.
pub struct Writer<W: Write>(Inner<W>);

enum Inner<W: Write> {
    JsonLines(W),
    Csv(Box<csv::Writer<W>>),
}

const NAMES: [&str; 14] = [
    "stream",
    "part",
    "entry",
    "entered",
    "time",
    "type",
    "id",
    "source",
    "subject",
    "correlation",
    "causation",
    "outcome",
    "detail",
    "data",
];

impl<W: Write> Writer<W> {
    /// Begins an export; a CSV has its line of names from the beginning, so that an empty one is one too.
    pub fn new(form: Form, out: W) -> io::Result<Self> {
        Ok(Self(match form {
            Form::JsonLines => Inner::JsonLines(out),
            Form::Csv => {
                let mut csv = csv::Writer::from_writer(out);
                csv.write_record(NAMES)?;
                Inner::Csv(Box::new(csv))
            }
        }))
    }

    /// Writes one row.
    pub fn write(&mut self, row: &Row) -> io::Result<()> {
        match &mut self.0 {
            Inner::JsonLines(out) => {
                serde_json::to_writer(&mut *out, row)?;
                out.write_all(b"\n")
            }
            Inner::Csv(csv) => {
                let may = |text: &Option<String>| cell(text.as_deref().unwrap_or(""));
                csv.write_record([
                    row.stream.to_owned(),
                    row.part.name().to_owned(),
                    row.entry.to_string(),
                    row.entered.to_string(),
                    row.time.to_string(),
                    cell(&row.kind),
                    cell(&row.id),
                    may(&row.source),
                    may(&row.subject),
                    cell(&row.correlation),
                    may(&row.causation),
                    may(&row.outcome),
                    may(&row.detail),
                    // Begins with a bracket, a quotation mark, a letter, a digit or a minus before a digit.
                    row.data.to_string(),
                ])?;
                Ok(())
            }
        }
    }

    /// Hands everything over to what it writes to.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Inner::JsonLines(out) => out.flush(),
            Inner::Csv(csv) => csv.flush(),
        }
    }
}

/// A spreadsheet carries out a cell that begins like a formula, quoted or not
/// (<https://owasp.org/www-community/attacks/CSV_Injection>), and whoever can publish a message writes these cells.
fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use maestro_protocol::Stream;
    use maestro_streams::{Entry, EntryId};

    use super::*;
    use crate::row::Part;

    fn written(form: Form, fields: &[(&'static str, &'static str)]) -> String {
        let entry = Entry {
            id: EntryId { ms: 0, seq: 1 },
            fields: fields.iter().copied().collect(),
        };
        let mut out = Vec::new();
        let mut writer = Writer::new(form, &mut out).unwrap();
        writer
            .write(&Row::of(Stream::Results, Part::Entries, &entry))
            .unwrap();
        writer.flush().unwrap();
        drop(writer);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn csv_survives_quotes_and_lines_and_carries_no_formula() {
        let fields = [
            ("type", "t"),
            ("id", "=HYPERLINK(\"x\")"),
            ("source", "a,b\nc"),
            ("data", "{\"a\":\"x\\ny\"}"),
        ];
        let text = written(Form::Csv, &fields);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().unwrap(), NAMES.as_slice());
        let record = reader.records().next().unwrap().unwrap();
        assert_eq!(&record[6], "'=HYPERLINK(\"x\")");
        assert_eq!(&record[7], "a,b\nc");
        assert_eq!(&record[13], "{\"a\":\"x\\ny\"}");
    }

    #[test]
    fn json_lines_change_nothing() {
        let text = written(
            Form::JsonLines,
            &[("id", "=1"), ("data", "{\"b\":1,\"a\":2}")],
        );
        let row: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(text.lines().count(), 1);
        assert_eq!(row["id"], "=1");
        assert_eq!(row["entry"], "0-1");
        assert_eq!(row["data"]["b"], 1);
    }
}
