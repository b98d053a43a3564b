//! What an environment of Node is asked to have: names with ranges, and what of a project's manifest says what is
//! installed.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::super::super::checkout::hexadecimal;
use super::super::super::npm_settings::NpmSettings;
use super::super::EnvironmentError;
use super::interpreter::Interpreter;

/// Changes when an environment built by an older version of this program is not good enough any more.
const GENERATION: u32 = 1;
/// Members of a manifest that say what is installed. Scripts, workspaces and all else stay behind.
const KEPT: [&str; 7] = [
    "name",
    "version",
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
    "overrides",
];

/// What an environment of Node is asked to have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeSpec {
    /// Node's version; its major part counts. The host's default without it.
    pub node: Option<String>,
    /// Packages in npm's notation: `tape@4`, `@scope/name@^1`.
    pub install: Vec<String>,
    /// The project's own manifest, where what it asks for is installed.
    pub project: Option<Manifest>,
}

/// What a project asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// `package.json`.
    pub package: String,
    /// `package-lock.json` or `npm-shrinkwrap.json`, where there is one.
    pub lock: Option<String>,
    /// Whether what only the project's developers need is left out.
    pub without_dev: bool,
}

impl NodeSpec {
    /// Refuses what npm would take for an option, a file or a URL.
    pub(super) fn check(&self) -> Result<(), EnvironmentError> {
        for requirement in &self.install {
            if !is_requirement(requirement) {
                return Err(EnvironmentError::NotARequirement(requirement.clone()));
            }
        }
        Ok(())
    }

    pub(super) fn key(&self, node: &Interpreter, settings: &NpmSettings) -> String {
        let mut install = self.install.clone();
        install.sort_unstable();
        install.dedup();
        let project = self
            .project
            .as_ref()
            .map(|project| json!([project.package, project.lock, project.without_dev]).to_string());
        let text = format!(
            "{GENERATION}\n{}\n{install:?}\n{project:?}\n{}",
            node.release,
            settings.which_registry()
        );
        let digest = Sha256::digest(text.as_bytes());
        format!("node{}-{}", node.major, hexadecimal(&digest[..16]))
    }
}

/// A name of npm and a range of versions or a tag behind it; no URL, file, alias or option.
pub(crate) fn is_requirement(text: &str) -> bool {
    let (name, range) = match text.get(1..).and_then(|rest| rest.find('@')) {
        Some(at) => (&text[..=at], text.get(at + 2..)),
        None => (text, None),
    };
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    let named = match name.strip_prefix('@') {
        Some(scoped) => scoped
            .split_once('/')
            .is_some_and(|(scope, name)| part(scope) && part(name)),
        None => part(name),
    };
    let ranged = range.is_none_or(|range| {
        !range.is_empty()
            && range
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-+^~<>=|* ".contains(c))
    });
    named && ranged && text.len() < 512
}

/// What of a manifest says what is installed. Packages that are files, links or parts of a workspace are left out: they
/// lie in the project's tree. What is only for development is not told to be left out but taken away, since npm would
/// leave it out even where it is asked for beside the manifest.
pub(super) fn reduced(package: &str, without_dev: bool) -> String {
    let Ok(Value::Object(manifest)) = serde_json::from_str::<Value>(package) else {
        return r#"{"private":true}"#.to_owned();
    };
    let mut kept = Map::new();
    for (name, value) in manifest {
        if !KEPT.contains(&name.as_str()) || without_dev && name == "devDependencies" {
            continue;
        }
        let value = match value {
            Value::Object(of) if name.ends_with("ependencies") => Value::Object(
                of.into_iter()
                    .filter(|(_, range)| {
                        range.as_str().is_some_and(|range| {
                            !["file:", "link:", "workspace:", "portal:", "."]
                                .iter()
                                .any(|local| range.starts_with(local))
                        })
                    })
                    .collect(),
            ),
            other => other,
        };
        kept.insert(name, value);
    }
    kept.insert("private".to_owned(), Value::Bool(true));
    Value::Object(kept).to_string()
}

/// The manifest without a package that cannot be had; `None` where it does not ask for it.
pub(super) fn without_package(manifest: &str, requirement: &str) -> Option<String> {
    let name = name_of(requirement);
    let mut manifest: Value = serde_json::from_str(manifest).ok()?;
    let mut found = false;
    for member in [
        "devDependencies",
        "optionalDependencies",
        "peerDependencies",
    ] {
        if let Some(Value::Object(of)) = manifest.get_mut(member) {
            found |= of.remove(name).is_some();
        }
    }
    found.then(|| manifest.to_string())
}

/// The name in front of a requirement: `@scope/name` of `@scope/name@^1`.
pub(crate) fn name_of(requirement: &str) -> &str {
    match requirement.get(1..).and_then(|rest| rest.find('@')) {
        Some(at) => &requirement[..=at],
        None => requirement,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_ranges_are_requirements() {
        for good in [
            "tape",
            "tape@4",
            "@scope/name",
            "@scope/name@^1.2.3",
            "x@>=1 <3",
            "x@1.0.0-rc.1",
            "lodash.get",
            "core-js@2",
            "x@latest",
        ] {
            assert!(is_requirement(good), "{good}");
        }
        for bad in [
            "",
            "-g",
            "--registry=https://evil.example",
            "./x",
            "../x",
            "/etc",
            "x@file:../y",
            "x@https://evil.example/x.tgz",
            "git+ssh://evil.example/x",
            "user/repo",
            "x@npm:y",
            "@scope",
            "@/x",
            "x@",
            "x\n--global",
        ] {
            assert!(!is_requirement(bad), "{bad}");
        }
    }

    #[test]
    fn of_a_manifest_only_what_is_installed_is_kept_and_nothing_that_runs_or_is_a_file() {
        let kept = reduced(
            r#"{"name":"x","scripts":{"preinstall":"curl evil"},"workspaces":["a"],"dependencies":{"a":"^1","b":"file:../../etc","c":"workspace:*"}}"#,
            false,
        );
        let kept: Value = serde_json::from_str(&kept).unwrap();
        assert_eq!(
            kept,
            json!({"name": "x", "dependencies": {"a": "^1"}, "private": true})
        );
        assert_eq!(reduced("nonsense", false), r#"{"private":true}"#);
        let without = reduced(r#"{"devDependencies":{"a":"1"}}"#, true);
        assert_eq!(without, r#"{"private":true}"#);
    }

    #[test]
    fn the_name_in_front_of_a_requirement_is_found() {
        assert_eq!(name_of("@a/b@1"), "@a/b");
        assert_eq!(name_of("@a/b"), "@a/b");
        assert_eq!(name_of("a@1"), "a");
    }
}
