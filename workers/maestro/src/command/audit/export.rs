//! `maestro audit export`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use maestro_audit::{Form, Selection, Trail, Writer};
use maestro_protocol::Stream;

use crate::exit::Exit;
use crate::fault::{Fault, Outcome};
use crate::fleet::connection;
use crate::moment::Moment;
use crate::session::Session;

/// Writes every message, result and dead letter that stands in the streams, oldest first, one row each
///
/// What comes after the export has begun is left out. A stream keeps what was handled for --retention, the results for
/// --results-retention; what is older is gone. CSV puts a ' before a cell that a spreadsheet would take for a formula; JSON lines change nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro audit export --since 24h | jq -r 'select(.outcome == \"refused\") | .detail'
  maestro audit export --stream automation:results --format csv --output-file trail.csv
  maestro audit export --since 2026-07-01T00:00:00Z --until 2026-08-01T00:00:00Z > july.jsonl")]
pub(super) struct Export {
    /// What came into Redis at this time or later: an age such as 24h, or a time of RFC 3339
    #[arg(long, value_name = "AGE|TIME")]
    since: Option<Moment>,

    /// What came into Redis before this time
    #[arg(long, value_name = "AGE|TIME")]
    until: Option<Moment>,

    /// Only of this stream; may be given several times
    #[arg(long = "stream", value_name = "STREAM")]
    streams: Vec<Stream>,

    /// The form of the rows
    #[arg(long, value_enum, default_value = "jsonl", value_name = "FORM")]
    format: Rows,

    /// Write to this file, which is replaced when all is written, instead of to standard output
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Rows {
    /// One JSON object a line
    Jsonl,
    /// RFC 4180, with a line of names
    Csv,
}

impl Export {
    pub(super) async fn run(self, session: &Session) -> Outcome {
        let streams = if self.streams.is_empty() {
            Stream::ALL.to_vec()
        } else {
            self.streams.clone()
        };
        let selection = Selection {
            streams,
            since: self.since.map(|moment| moment.0),
            until: self.until.map(|moment| moment.0),
        };
        let admin = connection::admin(session)?;
        let trail = Trail::open(admin, &selection)
            .await
            .map_err(|error| connection::fault(&error))?;
        let Some(path) = &self.output_file else {
            let out = BufWriter::new(io::stdout().lock());
            return self
                .write(session, trail, out, &|error| unwritable(&error))
                .await;
        };
        let fault = |error: io::Error| Fault::io(path, "be written", &error);
        // Whoever looks sees the old file or the whole new one.
        let mut partial = path.clone().into_os_string();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let file = File::create(&partial).map_err(fault)?;
        let ended = self
            .write(session, trail, BufWriter::new(file), &fault)
            .await;
        if ended.is_ok() {
            std::fs::rename(&partial, path).map_err(fault)?;
        } else {
            // What is told is why it was not written.
            let _ = std::fs::remove_file(&partial);
        }
        ended
    }

    async fn write(
        &self,
        session: &Session,
        mut trail: Trail,
        out: impl Write,
        fault: &dyn Fn(io::Error) -> Fault,
    ) -> Outcome {
        let form = match self.format {
            Rows::Jsonl => Form::JsonLines,
            Rows::Csv => Form::Csv,
        };
        let mut writer = Writer::new(form, out).map_err(fault)?;
        let mut progress = session.output.progress();
        while let Some(row) = trail
            .next()
            .await
            .map_err(|error| connection::fault(&error))?
        {
            writer.write(&row).map_err(fault)?;
            progress.say(&format!("{} rows, up to {}", trail.read(), row.entered));
        }
        writer.flush().map_err(fault)?;
        progress.wipe();
        if let Some(path) = &self.output_file {
            let remark = format!("{} rows in `{}`", trail.read(), path.display());
            session.output.remark(remark);
        }
        Ok(Exit::Success)
    }
}

fn unwritable(error: &io::Error) -> Fault {
    // The reader has seen enough: no failure of ours.
    if error.kind() == io::ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
    Fault::new(
        Exit::Io,
        format!("standard output cannot be written: {error}"),
    )
}
