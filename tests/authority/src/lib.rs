//! Certificates of the tests' own, made by the openssl command in a temporary directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// An authority, and what it has signed.
#[derive(Debug)]
pub struct Authority {
    directory: TempDir,
}

fn openssl(directory: &Path, words: &str) {
    let run = Command::new("openssl")
        .args(words.split_whitespace())
        .current_dir(directory)
        .output()
        .expect("the openssl command");
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "openssl {words}: {said}");
}

impl Authority {
    /// One whose certificate is `ca.pem`.
    ///
    /// # Panics
    /// Without the openssl command.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let directory = TempDir::new().expect("no trouble in a test's own directory");
        openssl(
            directory.path(),
            &format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} \
                 -addext keyUsage=critical,keyCertSign -keyout ca.key -out ca.pem"
            ),
        );
        Self { directory }
    }

    /// Signs a certificate for 127.0.0.1 and this name: `NAME.pem`, and its key `NAME.key`.
    ///
    /// # Panics
    /// Without the openssl command.
    pub fn sign(&self, name: &str) {
        let san = format!("subjectAltName=IP:127.0.0.1,DNS:{name}\n");
        fs::write(self.path("extensions"), san).expect("no trouble in a test's own directory");
        openssl(
            self.directory.path(),
            &format!(
                "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} \
                 -keyout {name}.key -out {name}.csr"
            ),
        );
        openssl(
            self.directory.path(),
            &format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
                 -extfile extensions -out {name}.pem"
            ),
        );
    }

    /// Where one of its files is.
    #[must_use]
    pub fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    /// The same, as text.
    #[must_use]
    pub fn shown(&self, file: &str) -> String {
        self.path(file).display().to_string()
    }
}
