//! The report that the command wrote, on its way into the log.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use maestro_entry::block::{self, Nonce, NotSent};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// A report's path, and what was there before the command ran.
pub(crate) struct Awaited<'a> {
    path: &'a Path,
    limit: u64,
    before: Option<Trace>,
}

/// What tells whether a file was written anew: device, inode, size, time of modification.
#[derive(PartialEq)]
struct Trace([i128; 5]);

impl Trace {
    fn of(metadata: &Metadata) -> Self {
        Self([
            metadata.dev().into(),
            metadata.ino().into(),
            metadata.size().into(),
            metadata.mtime().into(),
            metadata.mtime_nsec().into(),
        ])
    }
}

impl<'a> Awaited<'a> {
    pub(crate) fn at(path: &'a Path, limit: u64) -> Self {
        Self {
            path,
            limit,
            before: path.metadata().ok().as_ref().map(Trace::of),
        }
    }

    /// Prints the report, or why there is none.
    pub(crate) fn print(&self) -> io::Result<()> {
        let mut out = stdout()?;
        match self.read() {
            Ok(report) => block::write(&report, Nonce::random(), &mut out),
            Err(reason) => block::write_none(reason, Nonce::random(), &mut out),
        }
    }

    fn read(&self) -> Result<Vec<u8>, NotSent> {
        let file = OpenOptions::new()
            .read(true)
            // A pipe in its place must not hold us up.
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(self.path)
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => NotSent::Missing,
                _ => NotSent::Unreadable,
            })?;
        let metadata = file.metadata().map_err(|_| NotSent::Unreadable)?;
        if !metadata.is_file() {
            return Err(NotSent::NotAFile);
        }
        if self.before == Some(Trace::of(&metadata)) {
            return Err(NotSent::Stale);
        }
        let too_large = |bytes| NotSent::TooLarge {
            bytes,
            limit: self.limit,
        };
        if metadata.len() > self.limit {
            return Err(too_large(metadata.len()));
        }
        let mut report = Vec::new();
        file.take(self.limit.saturating_add(1))
            .read_to_end(&mut report)
            .map_err(|_| NotSent::Unreadable)?;
        if report.len() as u64 > self.limit {
            return Err(too_large(report.len() as u64));
        }
        Ok(report)
    }
}

/// Standard output without a buffer, and waiting for whoever reads it: a command that shares it (Node does so) may have
/// left it in non-blocking mode.
fn stdout() -> io::Result<File> {
    let stdout = io::stdout().as_fd().try_clone_to_owned()?;
    let flags = fcntl_getfl(&stdout)?;
    if flags.contains(OFlags::NONBLOCK) {
        fcntl_setfl(&stdout, flags.difference(OFlags::NONBLOCK))?;
    }
    Ok(File::from(stdout))
}
