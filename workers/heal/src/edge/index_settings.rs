//! How this worker reaches its package index: the settings of pip and uv, proxies and certificates, named one by one.
//! They are the only part of the worker's own environment that an installation sees.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Variables that an installation is given when the worker has them.
const PASSED_ON: &[&str] = &[
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_NO_INDEX",
    "PIP_TRUSTED_HOST",
    "PIP_CERT",
    "PIP_CLIENT_CERT",
    "PIP_PROXY",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_TIMEOUT",
    "PIP_RETRIES",
    "PIP_PREFER_BINARY",
    "PIP_CONFIG_FILE",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_NO_INDEX",
    "UV_INDEX_STRATEGY",
    "UV_INSECURE_HOST",
    "UV_NATIVE_TLS",
    "UV_SYSTEM_CERTS",
    "UV_HTTP_TIMEOUT",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
];

/// What uv calls the same thing.
const FOR_UV: &[(&str, &str)] = &[
    ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
    ("PIP_EXTRA_INDEX_URL", "UV_INDEX"),
    ("PIP_FIND_LINKS", "UV_FIND_LINKS"),
    ("PIP_NO_INDEX", "UV_NO_INDEX"),
    ("PIP_TRUSTED_HOST", "UV_INSECURE_HOST"),
    ("PIP_CERT", "SSL_CERT_FILE"),
];

/// Files in which pip looks for settings, for every user.
const SYSTEM_FILES: &[&str] = &["/etc/pip.conf", "/etc/xdg/pip/pip.conf"];

/// How the package index is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IndexSettings {
    variables: BTreeMap<String, String>,
}

impl IndexSettings {
    /// Those of this process.
    pub fn of_this_process() -> Self {
        let mut settings = Self::with(std::env::vars());
        if let Some(home) = std::env::var_os("HOME").map(PathBuf::from)
            && !settings.variables.contains_key("PIP_CONFIG_FILE")
        {
            // An installation has another home.
            let file = [".config/pip/pip.conf", ".pip/pip.conf"].map(|name| home.join(name));
            if let Some(file) = file.into_iter().find(|file| file.is_file()) {
                settings.variables.insert(
                    "PIP_CONFIG_FILE".to_owned(),
                    file.to_string_lossy().into_owned(),
                );
            }
        }
        settings
    }

    /// Those among these variables that count.
    pub fn with(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut kept: BTreeMap<String, String> = variables
            .into_iter()
            .filter(|(name, value)| PASSED_ON.contains(&name.as_str()) && !value.is_empty())
            .collect();
        for (pip, uv) in FOR_UV {
            if let Some(value) = kept.get(*pip).cloned() {
                kept.entry((*uv).to_owned()).or_insert(value);
            }
        }
        Self { variables: kept }
    }

    pub(super) fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// Files and directories that the settings name.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.variables
            .values()
            .flat_map(|value| value.split_whitespace())
            .map(|word| word.strip_prefix("file://").unwrap_or(word))
            .chain(SYSTEM_FILES.iter().copied())
            .map(Path::new)
            .filter(|path| path.is_absolute() && *path != Path::new("/") && path.exists())
            .map(Path::to_owned)
            .collect()
    }

    /// What of the settings decides which packages there are: part of an environment's key.
    pub(super) fn which_index(&self) -> String {
        let decides = ["INDEX", "FIND_LINKS", "PREFER_BINARY", "CONFIG_FILE"];
        let deciding = self
            .variables
            .iter()
            .filter(|(name, _)| decides.iter().any(|word| name.contains(word)));
        deciding.fold(String::new(), |mut text, (name, value)| {
            let _ = writeln!(text, "{name}={value}");
            text
        })
    }
}

#[cfg(test)]
mod tests {
    use super::IndexSettings;

    #[test]
    fn only_named_settings_are_passed_on_and_uv_hears_of_those_for_pip() {
        let given = [
            ("PIP_INDEX_URL", "https://index.example/simple"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("PIP_TARGET", "/"),
        ];
        let settings =
            IndexSettings::with(given.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let names: Vec<&str> = settings.variables().keys().map(String::as_str).collect();
        assert_eq!(names, ["PIP_INDEX_URL", "UV_DEFAULT_INDEX"]);
    }
}
