//! The installed dependency as evidence: its source has the new words and not the old, so the text is its own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::case::Case;
use crate::intended::Drift;
use crate::source::Source;
use crate::strategies::own_python;

/// How many files of one package are read.
const MOST_FILES: usize = 400;
/// A larger file is data.
const LARGEST: u64 = 1 << 20;

pub(super) fn drift(case: &Case<'_>, was: &str, now: &str) -> Option<Drift> {
    let (old, new) = (bare(was), bare(now));
    let telling = |text: &str| text.chars().filter(|c| c.is_alphabetic()).count() >= 8;
    if !telling(old) || !telling(new) {
        return None;
    }
    imported(case).into_iter().find_map(|module| {
        let place = [&case.installed.site_packages, &case.installed.standard_library]
            .iter()
            .filter(|root| !root.as_os_str().is_empty())
            .find_map(|root| place_of(root, &module))?;
        let texts = texts_below(&place);
        let has = |words: &str| texts.iter().any(|text| text.contains(words));
        (has(new) && !has(old)).then(|| Drift {
            was: was.to_owned(),
            now: now.to_owned(),
            evidence: format!(
                "the installed `{module}` has the new words in its source and not the old, and the project has neither"
            ),
        })
    })
}

/// Without what a program puts around its words.
fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| !c.is_alphanumeric())
}

/// The top-level modules that the project imports.
fn imported(case: &Case<'_>) -> BTreeSet<String> {
    own_python(case)
        .filter_map(|path| case.tree.read(path))
        .filter_map(Source::parse)
        .flat_map(|source| {
            source
                .imports()
                .iter()
                .map(|import| {
                    let module = import.module();
                    module.split('.').next().unwrap_or(module).to_owned()
                })
                .collect::<Vec<_>>()
        })
        .filter(|module| !module.is_empty())
        .collect()
}

fn place_of(root: &Path, module: &str) -> Option<PathBuf> {
    let file = root.join(format!("{module}.py"));
    if file.is_file() {
        return Some(file);
    }
    let package = root.join(module);
    package.join("__init__.py").is_file().then_some(package)
}

fn texts_below(place: &Path) -> Vec<String> {
    let mut open = vec![place.to_owned()];
    let mut texts = Vec::new();
    while let Some(path) = open.pop() {
        if texts.len() >= MOST_FILES {
            break;
        }
        let Ok(of) = std::fs::symlink_metadata(&path) else {
            continue;
        };
        if of.is_dir() {
            let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
            open.extend(entries.map(|entry| entry.path()));
        } else if of.is_file()
            && of.len() <= LARGEST
            && path.extension().is_some_and(|ending| ending == "py")
            && let Ok(text) = std::fs::read_to_string(&path)
        {
            texts.push(text);
        }
    }
    texts
}
