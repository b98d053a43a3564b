//! A Pushgateway.

use std::fs;
use std::path::Path;

use crate::get::get;
use crate::program::Program;

/// A Pushgateway; ends when dropped.
#[derive(Debug)]
pub struct Pushgateway {
    program: Program,
}

impl Pushgateway {
    /// Starts one that takes whatever comes.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts one with TLS, by the `cert.pem` and `key.pem` of a directory, for a user with a password whose bcrypt hash this is.
    ///
    /// # Panics
    /// When its configuration cannot be written there.
    pub fn guarded(directory: &Path, user: &str, hash: &str) -> Self {
        let config = directory.join("web.yaml");
        let (cert, key) = (directory.join("cert.pem"), directory.join("key.pem"));
        let text = format!(
            "tls_server_config:\n  cert_file: {}\n  key_file: {}\nbasic_auth_users:\n  {user}: {hash}\n",
            cert.display(),
            key.display()
        );
        fs::write(&config, text).expect("web.yaml");
        Self::with(&[format!("--web.config.file={}", config.display())])
    }

    fn with(more: &[String]) -> Self {
        let listen = "--web.listen-address=127.0.0.1:0".to_owned();
        let arguments = [&[listen], more].concat();
        Self {
            program: Program::start("prometheus-pushgateway", &arguments),
        }
    }

    /// Where it listens, host and port.
    pub fn address(&self) -> &str {
        self.program.address()
    }

    /// What it exports, without what it says of itself.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn text(&self) -> String {
        let answer = get(self.address(), "/metrics");
        assert_eq!(answer.status, 200, "{}", answer.body);
        let of_its_own = |line: &&str| {
            let line = line
                .trim_start_matches("# HELP ")
                .trim_start_matches("# TYPE ");
            ["go_", "process_", "pushgateway_", "push_"]
                .iter()
                .any(|start| line.starts_with(start))
        };
        let lines = answer.body.lines().filter(|line| !of_its_own(line));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// When a group of this instance was last pushed, or tried to be; `None` if there is no such group.
    pub fn pushed_at(&self, instance: &str) -> Option<f64> {
        let start = "push_time_seconds{";
        let label = format!("instance=\"{instance}\"");
        let body = get(self.address(), "/metrics").body;
        let line = body
            .lines()
            .find(|line| line.starts_with(start) && line.contains(&label))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.program.log()
    }
}
