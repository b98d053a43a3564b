//! The temporary directory of a control plane, with its certificate and its keys.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::{Error, process};

/// A directory that goes when this process does, even by SIGKILL: a shell outside waits for the end of a pipe and removes it.
#[derive(Debug)]
pub(crate) struct Workplace {
    path: PathBuf,
    janitor: Child,
}

impl Workplace {
    pub(crate) fn make() -> Result<Self, Error> {
        let path = tempfile::Builder::new()
            .prefix("maestro-cluster-")
            .tempdir()
            .map_err(Error::file(std::env::temp_dir()))?
            .keep();
        let mut command = Command::new("sh");
        // Those that write there are being killed in the same moment, so once may not be enough.
        let script = "read -r _; for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf \"$0\" 2>/dev/null && [ ! -e \"$0\" ] && exit; sleep 0.1; done";
        command
            .args(["-c", script])
            .arg(&path)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        let janitor = process::spawn(command).map_err(|source| Error::Spawn {
            program: "sh".into(),
            source,
        })?;
        Ok(Self { path, janitor })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        fs::write(&path, text).map_err(Error::file(&path))?;
        Ok(path)
    }

    /// `tls.crt` and `tls.key` for 127.0.0.1, its own authority; `service-accounts.key` signs tokens. P-256, since RSA takes seconds.
    pub(crate) fn make_keys(&self) -> Result<(), Error> {
        self.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "3650",
            "-subj",
            "/CN=maestro-tests",
            "-keyout",
            "tls.key",
            "-out",
            "tls.crt",
            "-addext",
            "subjectAltName=IP:127.0.0.1,DNS:localhost",
            // rustls takes no authority's certificate as a server's.
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])?;
        self.openssl(&[
            "ecparam",
            "-name",
            "prime256v1",
            "-genkey",
            "-noout",
            "-out",
            "service-accounts.key",
        ])
    }

    fn openssl(&self, args: &[&str]) -> Result<(), Error> {
        let output = Command::new("openssl")
            .args(args)
            .current_dir(&self.path)
            .stdin(Stdio::null())
            .output()
            .map_err(|source| Error::Spawn {
                program: "openssl".into(),
                source,
            })?;
        if output.status.success() {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Error::File {
            path: self.path.clone(),
            source: io::Error::other(words),
        })
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        // Waiting closes the pipe first.
        drop(self.janitor.wait());
    }
}
