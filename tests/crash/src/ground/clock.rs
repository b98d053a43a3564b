//! A server whose clock can be set.
//!
//! Redis has no clock of its own. A small library (`clock.c`) is loaded before the C library's and shifts what Redis is told about
//! the time of day. Debian's libfaketime would do the same, but hangs with the allocator that Debian's Redis comes with.

use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

/// The offset of a server's clock, in a file that the server has mapped.
#[derive(Debug)]
pub(crate) struct Clock {
    offset: fs::File,
    ms: i64,
}

impl Clock {
    /// A clock, and a program that starts this server with it. `None` where no C compiler makes one.
    pub(crate) fn new(directory: &Path, server: &Path) -> anyhow::Result<Option<(Self, PathBuf)>> {
        let (source, library) = (directory.join("clock.c"), directory.join("clock.so"));
        fs::write(&source, include_str!("clock.c")).context("the clock's source")?;
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-o"])
            .args([&library, &source])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !compiled.is_ok_and(|status| status.success()) {
            return Ok(None);
        }
        let file = directory.join("offset");
        fs::write(&file, [0; 8]).context("the clock's offset")?;
        let program = directory.join("redis-server");
        let text = format!(
            "#!/bin/sh\nLD_PRELOAD='{}' CLOCK_OFFSET='{}' exec '{}' \"$@\"\n",
            library.display(),
            file.display(),
            server.display(),
        );
        fs::write(&program, text).context("the program with another clock")?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))
            .context("the program with another clock")?;
        let offset = fs::OpenOptions::new().write(true).open(&file);
        let offset = offset.context("the clock's offset")?;
        Ok(Some((Self { offset, ms: 0 }, program)))
    }

    /// Sets it by so many milliseconds, back if negative. The server sees it at once, and after a restart.
    pub(crate) fn step(&mut self, ms: i64) -> anyhow::Result<()> {
        self.ms += ms;
        let bytes = (self.ms * 1000).to_ne_bytes();
        self.offset
            .write_all_at(&bytes, 0)
            .context("the clock's offset")
    }
}
