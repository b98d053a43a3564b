//! A project's `Cargo.toml`, as far as anything here asks for it, and the few changes that are made to it. A line stays as
//! it was written unless it is the one that is changed.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::compiler::is_source;
use crate::case::Tree;
use crate::source::edit::{Splice, apply};

/// The file's name.
pub(super) const NAME: &str = "Cargo.toml";

/// One manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    /// Relative to the project's directory.
    pub(super) path: String,
    text: String,
    /// The package's name; empty for a workspace alone.
    pub(super) package: String,
    /// What it asks for, in the order of the text.
    pub(super) asked: Vec<Asked>,
}

/// One crate that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// The table: `dependencies`, `dev-dependencies`, `workspace.dependencies`, `target.'cfg(unix)'.dependencies`.
    pub(super) table: String,
    /// The name by which the project has it.
    pub(super) name: String,
    /// The registry's name, where it is another one.
    pub(super) package: Option<String>,
    /// The requirement; none for a path, or what the workspace says.
    pub(super) requirement: Option<String>,
    /// Whether the workspace says it.
    pub(super) of_workspace: bool,
    /// Where it lies, if it is a part of the same repository.
    pub(super) local: Option<String>,
    /// Where its value stands: a string, a table in a line, or the lines of a table.
    value: Range<usize>,
    form: Form,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Form {
    #[default]
    Text,
    Inline,
    Table,
    /// Written in a way that is not changed here.
    Other,
}

impl Asked {
    /// Whether it is only there for tests.
    pub(super) fn is_for_tests(&self) -> bool {
        self.table.ends_with("dev-dependencies")
    }

    /// The registry's name.
    pub(super) fn registry_name(&self) -> &str {
        self.package.as_deref().unwrap_or(&self.name)
    }
}

/// A name as Rust code has it.
pub(super) fn identifier(name: &str) -> String {
    name.replace('-', "_")
}

impl Manifest {
    /// The manifest in whose package a file lies.
    pub(super) fn governing(tree: &dyn Tree, file: &str) -> Option<Self> {
        let mut directory = if is_source(file) {
            file.rsplit_once('/').map_or("", |(directory, _)| directory)
        } else {
            file
        };
        loop {
            let path = if directory.is_empty() {
                NAME.to_owned()
            } else {
                format!("{directory}/{NAME}")
            };
            if let Some(text) = tree.read(&path) {
                return Some(Self::parse(&path, text));
            }
            if directory.is_empty() {
                return None;
            }
            directory = directory.rsplit_once('/').map_or("", |(up, _)| up);
        }
    }

    /// Every manifest of the tree.
    pub(super) fn all(tree: &dyn Tree) -> Vec<Self> {
        tree.paths()
            .iter()
            .filter(|path| path.rsplit('/').next() == Some(NAME))
            .take(200)
            .filter_map(|path| Some(Self::parse(path, tree.read(path)?)))
            .collect()
    }

    /// Reads a text, line by line.
    pub(super) fn parse(path: &str, text: String) -> Self {
        let mut manifest = Self {
            path: path.to_owned(),
            ..Self::default()
        };
        let mut section = String::new();
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let start = at;
            at += line.len();
            let bare = line.trim();
            if bare.is_empty() || bare.starts_with('#') {
                continue;
            }
            if bare.starts_with('[') && bare.ends_with(']') {
                bare.trim_matches(['[', ']'])
                    .trim()
                    .clone_into(&mut section);
                if let Some((table, name)) = section.rsplit_once('.')
                    && is_table(table)
                    && !is_table(&section)
                {
                    manifest.asked.push(Asked {
                        table: table.to_owned(),
                        name: name.trim_matches('"').to_owned(),
                        value: at..at,
                        form: Form::Table,
                        ..Asked::default()
                    });
                }
                continue;
            }
            let Some((key, value)) = bare.split_once('=') else {
                continue;
            };
            let (key, value) = (key.trim().trim_matches('"'), uncommented(value.trim()));
            if section == "package" && key == "name" {
                value.trim_matches('"').clone_into(&mut manifest.package);
            } else if is_table(&section) {
                let offset = line.find(value).unwrap_or_default();
                let place = start + offset..start + offset + value.len();
                manifest.asked.push(entry(&section, key, value, place));
            } else if let Some(last) = manifest.asked.last_mut()
                && last.form == Form::Table
                && section == format!("{}.{}", last.table, last.name)
            {
                last.value.end = at;
                note(last, key, value);
            }
        }
        manifest.text = text;
        manifest
    }

    /// What it asks for by a name as Rust code has it, what is there for tests last.
    pub(super) fn entry(&self, name: &str) -> Option<&Asked> {
        let of = |asked: &&Asked| {
            identifier(&asked.name) == name && !asked.table.starts_with("workspace")
        };
        self.asked
            .iter()
            .filter(of)
            .find(|asked| !asked.is_for_tests())
            .or_else(|| self.asked.iter().find(of))
    }

    /// The text with a further line in a table.
    pub(super) fn with_line(&self, table: &str, line: &str) -> String {
        let header = format!("[{table}]");
        let mut at = 0;
        let mut end = None;
        let mut inside = false;
        for row in self.text.split_inclusive('\n') {
            at += row.len();
            let bare = row.trim();
            if bare.starts_with('[') {
                inside = bare == header;
            }
            if inside && !bare.is_empty() {
                end = Some(at);
            }
        }
        let mut text = self.text.clone();
        let Some(end) = end else {
            if !text.ends_with('\n') {
                text.push('\n');
            }
            return format!("{text}\n{header}\n{line}\n");
        };
        let line = if text[..end].ends_with('\n') {
            format!("{line}\n")
        } else {
            format!("\n{line}\n")
        };
        text.insert_str(end, &line);
        text
    }

    /// The text with another requirement.
    pub(super) fn with_requirement(&self, asked: &Asked, requirement: &str) -> Option<String> {
        static VERSION: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new(r#"\bversion\s*=\s*"([^"]*)""#).ok());
        let value = self.text.get(asked.value.clone())?;
        let place = match asked.form {
            Form::Text => asked.value.start + 1..asked.value.end - 1,
            Form::Inline | Form::Table => {
                let found = VERSION.as_ref()?.captures(value)?.get(1)?;
                asked.value.start + found.start()..asked.value.start + found.end()
            }
            Form::Other => return None,
        };
        apply(&self.text, &[Splice::replace(place, requirement)])
    }

    /// The text with a feature more.
    pub(super) fn with_feature(&self, asked: &Asked, feature: &str) -> Option<String> {
        static FEATURES: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new(r"\bfeatures\s*=\s*\[([^\]]*)\]").ok());
        let value = self.text.get(asked.value.clone())?;
        let splice = match asked.form {
            Form::Text => Splice::replace(
                asked.value.clone(),
                format!("{{ version = {value}, features = [\"{feature}\"] }}"),
            ),
            Form::Other => return None,
            Form::Inline | Form::Table => {
                if let Some(found) = FEATURES
                    .as_ref()
                    .and_then(|features| features.captures(value)?.get(1))
                {
                    let listed = found.as_str().trim_end().trim_end_matches(',');
                    let list = if listed.trim().is_empty() {
                        format!("\"{feature}\"")
                    } else {
                        format!("{listed}, \"{feature}\"")
                    };
                    let place = asked.value.start + found.start()..asked.value.start + found.end();
                    Splice::replace(place, list)
                } else if asked.form == Form::Inline {
                    let end = asked.value.start + value.rfind('}')?;
                    let before = self.text[..end].trim_end().len();
                    Splice::replace(before..end, format!(", features = [\"{feature}\"] "))
                } else {
                    Splice::insert(asked.value.start, format!("features = [\"{feature}\"]\n"))
                }
            }
        };
        apply(&self.text, &[splice])
    }
}

fn is_table(section: &str) -> bool {
    matches!(
        section,
        "dependencies" | "dev-dependencies" | "build-dependencies" | "workspace.dependencies"
    ) || section.starts_with("target.") && section.ends_with("dependencies")
}

/// A value without the comment behind it.
fn uncommented(value: &str) -> &str {
    let mut quoted = false;
    for (at, c) in value.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted => return value[..at].trim_end(),
            _ => {}
        }
    }
    value
}

fn entry(section: &str, key: &str, value: &str, place: Range<usize>) -> Asked {
    let mut asked = Asked {
        table: section.to_owned(),
        name: key.to_owned(),
        value: place,
        ..Asked::default()
    };
    if let Some((name, member)) = key.split_once('.') {
        name.clone_into(&mut asked.name);
        asked.form = Form::Other;
        note(&mut asked, member, value);
    } else if value.len() >= 2 && value.starts_with('"') && value.ends_with('"') {
        asked.form = Form::Text;
        asked.requirement = Some(value.trim_matches('"').to_owned());
    } else if value.starts_with('{') && value.ends_with('}') {
        asked.form = Form::Inline;
        for part in value.trim_matches(['{', '}']).split(',') {
            if let Some((member, value)) = part.split_once('=') {
                note(&mut asked, member.trim(), value.trim());
            }
        }
    } else {
        asked.form = Form::Other;
    }
    asked
}

fn note(asked: &mut Asked, member: &str, value: &str) {
    let text = || Some(value.trim_matches('"').to_owned());
    match member {
        "version" => asked.requirement = text(),
        "package" => asked.package = text(),
        "path" => asked.local = text(),
        "workspace" => asked.of_workspace = value == "true",
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[package]\nname = \"my-shop\"\n\n[dependencies]\nitoa = \"1\" # digits\nserde = { version = \"1.0\", features = [\"derive\"] }\n\n[dev-dependencies.tokio]\nversion = \"1\"\n\n[dev-dependencies]\nfastrand = { version = \"2\" }\n\n[features]\nextra = []\n";

    fn manifest() -> Manifest {
        Manifest::parse(NAME, TEXT.to_owned())
    }

    #[test]
    fn every_form_of_asking_for_a_crate_is_read() {
        let manifest = manifest();
        assert_eq!(manifest.package, "my-shop");
        let read: Vec<(&str, Option<&str>, bool)> = manifest
            .asked
            .iter()
            .map(|asked| {
                (
                    asked.name.as_str(),
                    asked.requirement.as_deref(),
                    asked.is_for_tests(),
                )
            })
            .collect();
        assert_eq!(
            read,
            [
                ("itoa", Some("1"), false),
                ("serde", Some("1.0"), false),
                ("tokio", Some("1"), true),
                ("fastrand", Some("2"), true)
            ]
        );
    }

    #[test]
    fn a_line_a_requirement_and_a_feature_are_put_where_they_belong() {
        let manifest = manifest();
        let added = manifest.with_line("dev-dependencies", "hex = \"0.4\"");
        assert!(
            added.contains("fastrand = { version = \"2\" }\nhex = \"0.4\"\n\n[features]"),
            "{added}"
        );
        let new = Manifest::parse(NAME, "[package]\nname = \"a\"\n".to_owned());
        assert!(
            new.with_line("dev-dependencies", "hex = \"0.4\"")
                .ends_with("\n\n[dev-dependencies]\nhex = \"0.4\"\n")
        );
        let older = manifest
            .with_requirement(manifest.entry("itoa").unwrap(), "0.4")
            .unwrap();
        assert!(older.contains("itoa = \"0.4\" # digits"));
        let feature = |name: &str| {
            manifest
                .with_feature(manifest.entry(name).unwrap(), "x")
                .unwrap()
        };
        assert!(
            feature("itoa").contains("itoa = { version = \"1\", features = [\"x\"] } # digits")
        );
        assert!(feature("serde").contains("features = [\"derive\", \"x\"]"));
        assert!(
            feature("tokio")
                .contains("[dev-dependencies.tokio]\nfeatures = [\"x\"]\nversion = \"1\"")
        );
        assert!(
            feature("fastrand").contains("fastrand = { version = \"2\", features = [\"x\"] "),
            "{}",
            feature("fastrand")
        );
    }
}
