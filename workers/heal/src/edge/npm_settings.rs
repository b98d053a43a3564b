//! How this worker reaches its registry of npm packages: the settings of npm, proxies and certificates, named one by
//! one. They are the only part of the worker's own environment that an installation sees; a project's own `.npmrc` is
//! none of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Variables that an installation is given when the worker has them
/// (<https://docs.npmjs.com/cli/v11/using-npm/config#environment-variables>).
const PASSED_ON: &[&str] = &[
    "npm_config_registry",
    "NPM_CONFIG_REGISTRY",
    "npm_config_cafile",
    "NPM_CONFIG_CAFILE",
    "npm_config_userconfig",
    "NPM_CONFIG_USERCONFIG",
    "npm_config_globalconfig",
    "NPM_CONFIG_GLOBALCONFIG",
    "NODE_EXTRA_CA_CERTS",
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

/// How the registry is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NpmSettings {
    variables: BTreeMap<String, String>,
}

impl NpmSettings {
    /// Those of this process; its user's `.npmrc` among them, since an installation has another home.
    pub fn of_this_process() -> Self {
        let mut settings = Self::with(std::env::vars());
        let named = settings
            .variables
            .keys()
            .any(|name| name.eq_ignore_ascii_case("npm_config_userconfig"));
        if let Some(home) = std::env::var_os("HOME").map(PathBuf::from)
            && !named
            && home.join(".npmrc").is_file()
        {
            let file = home.join(".npmrc").to_string_lossy().into_owned();
            settings
                .variables
                .insert("npm_config_userconfig".to_owned(), file);
        }
        settings
    }

    /// Those among these variables that count.
    pub fn with(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            variables: variables
                .into_iter()
                .filter(|(name, value)| PASSED_ON.contains(&name.as_str()) && !value.is_empty())
                .collect(),
        }
    }

    pub(super) fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// Files and directories that the settings name.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.variables
            .values()
            .map(Path::new)
            .filter(|path| path.is_absolute() && *path != Path::new("/") && path.exists())
            .map(Path::to_owned)
            .collect()
    }

    /// What of the settings decides which packages there are: part of an environment's key.
    pub(super) fn which_registry(&self) -> String {
        self.variables
            .iter()
            .filter(|(name, _)| name.to_ascii_lowercase().contains("config"))
            .fold(String::new(), |mut text, (name, value)| {
                let _ = writeln!(text, "{name}={value}");
                text
            })
    }
}

#[cfg(test)]
mod tests {
    use super::NpmSettings;

    #[test]
    fn only_named_settings_are_passed_on() {
        let given = [
            ("npm_config_registry", "https://registry.example"),
            ("NPM_TOKEN", "secret"),
            ("npm_config_ignore_scripts", "false"),
            ("NODE_OPTIONS", "--require /tmp/x.js"),
        ];
        let settings =
            NpmSettings::with(given.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let names: Vec<&str> = settings.variables().keys().map(String::as_str).collect();
        assert_eq!(names, ["npm_config_registry"]);
    }
}
