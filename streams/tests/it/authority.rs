//! Certificates of the test's own, made by the openssl command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// An authority, and what it has signed.
pub(crate) struct Authority {
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
    pub(crate) fn new(name: &str) -> Self {
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

    /// Signs a certificate for 127.0.0.1 and this name.
    pub(crate) fn sign(&self, name: &str) {
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

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    pub(crate) fn shown(&self, file: &str) -> String {
        self.path(file).display().to_string()
    }

    /// What makes a server take encrypted connections at this port, with a certificate named `server`.
    pub(crate) fn arguments(&self, port: u16) -> Vec<String> {
        let words = [
            ("--tls-port", port.to_string()),
            ("--tls-cert-file", self.shown("server.pem")),
            ("--tls-key-file", self.shown("server.key")),
            ("--tls-ca-cert-file", self.shown("ca.pem")),
        ];
        let words = words.into_iter();
        words
            .flat_map(|(name, value)| [name.to_owned(), value])
            .collect()
    }
}
