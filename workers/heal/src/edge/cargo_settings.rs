//! How this worker reaches its registry of crates: the settings of cargo, proxies and certificates, named one by one.
//! They are the only part of the worker's own environment that fetching crates sees; a project's own
//! `.cargo/config.toml` is none of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Variables that fetching is given when the worker has them
/// (<https://doc.rust-lang.org/cargo/reference/environment-variables.html>).
const PASSED_ON: &[&str] = &[
    "CARGO_HTTP_CAINFO",
    "CARGO_HTTP_PROXY",
    "CARGO_HTTP_TIMEOUT",
    "CARGO_HTTP_MULTIPLEXING",
    "CARGO_NET_RETRY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
];

/// What the variables of registries begin with: `CARGO_REGISTRIES_INTERNAL_INDEX`.
const OF_REGISTRIES: [&str; 2] = ["CARGO_REGISTRIES_", "CARGO_REGISTRY_"];

/// What is for publishing, or names a program: no crate is fetched by it.
fn is_for_others(name: &str) -> bool {
    name == "CARGO_REGISTRY_TOKEN" || name.ends_with("_CREDENTIAL_PROVIDER")
}

/// How the registry is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CargoSettings {
    variables: BTreeMap<String, String>,
    /// The configuration of the worker's own user: mirrors and registries stand there.
    file: Option<PathBuf>,
}

impl CargoSettings {
    /// Those of this process, and its user's configuration.
    pub fn of_this_process() -> Self {
        let home = std::env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
        let file = home
            .into_iter()
            .flat_map(|home| [home.join("config.toml"), home.join("config")])
            .find(|file| file.is_file());
        Self {
            file,
            ..Self::with(std::env::vars())
        }
    }

    /// Those among these variables that count.
    pub fn with(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let counts = |name: &str| {
            PASSED_ON.contains(&name)
                || OF_REGISTRIES.iter().any(|start| name.starts_with(start)) && !is_for_others(name)
        };
        Self {
            variables: variables
                .into_iter()
                .filter(|(name, value)| counts(name) && !value.is_empty())
                .collect(),
            file: None,
        }
    }

    pub(super) fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Files and directories that the settings name.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.variables
            .values()
            .map(Path::new)
            .filter(|path| path.is_absolute() && *path != Path::new("/") && path.exists())
            .map(Path::to_owned)
            .chain(self.file.clone())
            .collect()
    }

    /// What of the settings decides which crates there are: part of an environment's key. No token is in it.
    pub(super) fn which_registry(&self) -> String {
        let mut text = self
            .variables
            .iter()
            .filter(|(name, _)| name.ends_with("_INDEX") || name.ends_with("_DEFAULT"))
            .fold(String::new(), |mut text, (name, value)| {
                let _ = writeln!(text, "{name}={value}");
                text
            });
        if let Some(config) = self
            .file
            .as_deref()
            .and_then(|file| std::fs::read_to_string(file).ok())
        {
            text.push_str(&config);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::CargoSettings;

    #[test]
    fn only_named_settings_are_passed_on() {
        let given = [
            (
                "CARGO_REGISTRIES_INTERNAL_INDEX",
                "sparse+https://crates.example/",
            ),
            ("CARGO_REGISTRY_TOKEN", "secret"),
            ("CARGO_BUILD_RUSTC_WRAPPER", "/tmp/x"),
            ("RUSTFLAGS", "-Clinker=/tmp/x"),
            ("CARGO_HTTP_PROXY", ""),
        ];
        let settings =
            CargoSettings::with(given.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let names: Vec<&str> = settings.variables().keys().map(String::as_str).collect();
        assert_eq!(names, ["CARGO_REGISTRIES_INTERNAL_INDEX"]);
    }
}
