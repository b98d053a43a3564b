//! Where no rule knows a name that is gone: where the installed package defines it now. Offered only where exactly one
//! public module of the same distribution defines it, so that the name still means what its authors mean by it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use maestro_protocol::heal::{RuntimeChanges, Strategy};

use super::port::{Order, port};
use crate::case::{Candidate, Case, Edit};
use crate::classify::subject::Subject;
use crate::rules::{Change, Moved, Rule};
use crate::source::Source;
use crate::strategies::{own_python, rank};

/// A package with more files is not searched.
const MOST_FILES: usize = 2000;

/// Candidates from the installed package itself.
pub(super) fn candidates(case: &Case<'_>, about: &Subject) -> Vec<Candidate> {
    let Subject::NameMissing { module, name } = about else {
        return Vec::new();
    };
    let Some(to) = unique_home(case, module, name) else {
        return Vec::new();
    };
    let rule = Rule {
        id: String::new(),
        since: String::new(),
        source: String::new(),
        approximate: true,
        when: Vec::new(),
        here_only: false,
        install: Vec::new(),
        change: Change::Moved(Moved {
            from: module.clone(),
            to: to.clone(),
            names: vec![name.clone()],
            renamed: std::collections::BTreeMap::new(),
            gone: false,
        }),
        example: None,
    };
    let word = name.as_str();
    let (hot, defined) = (BTreeSet::new(), BTreeSet::new());
    let order = Order {
        rules: &[&rule],
        missing: None,
        hot: &hot,
        defined: &defined,
        fixture: None,
    };
    let edits: Vec<Edit> = own_python(case)
        .filter_map(|path| {
            let text = case.tree.read(path).filter(|text| text.contains(word))?;
            Some(Edit {
                path: path.to_owned(),
                text: port(&text, &order)?,
            })
        })
        .collect();
    if edits.is_empty() {
        return Vec::new();
    }
    vec![Candidate {
        strategy: Strategy::ApiContractAdaptation,
        description: format!(
            "`{name}` is gone from `{module}`; the installed package defines it in `{to}` now, and nowhere else in public"
        ),
        edits,
        runtime: RuntimeChanges::default(),
        rank: rank::DERIVED,
    }]
}

/// The one public module of the installed package that defines a name at its top level.
fn unique_home(case: &Case<'_>, module: &str, name: &str) -> Option<String> {
    let top = module.split('.').next().filter(|top| !top.is_empty())?;
    let site = &case.installed.site_packages;
    if site.as_os_str().is_empty() || name.starts_with('_') {
        return None;
    }
    let root = site.join(top);
    let mut files = Vec::new();
    collect(&root, &mut files);
    if files.len() > MOST_FILES {
        return None;
    }
    let mut homes: Vec<String> = files
        .iter()
        .filter(|file| defines(file, name))
        .filter_map(|file| dotted(site, file))
        .filter(|home| home != module)
        .collect();
    homes.sort();
    homes.dedup();
    match homes.as_slice() {
        [home] => Some(home.clone()),
        _ => None,
    }
}

/// The Python files of a package, private and test modules left out.
fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let private = name.starts_with('_') && name != "__init__.py";
        if private
            || matches!(name, "tests" | "test" | "testing" | "vendor")
            || files.len() > MOST_FILES
        {
            continue;
        }
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "py") {
            files.push(path);
        }
    }
}

/// Whether a file defines a name itself: importing it from elsewhere is not enough.
fn defines(file: &Path, name: &str) -> bool {
    let Ok(text) = fs::read_to_string(file) else {
        return false;
    };
    if !text.contains(name) {
        return false;
    }
    let Some(source) = Source::parse(text) else {
        return false;
    };
    let root = source.root();
    let mut cursor = root.walk();
    root.named_children(&mut cursor).any(|statement| {
        let definition = if statement.kind() == "decorated_definition" {
            statement.child_by_field_name("definition")
        } else {
            Some(statement)
        };
        definition
            .filter(|node| matches!(node.kind(), "function_definition" | "class_definition"))
            .and_then(|node| node.child_by_field_name("name"))
            .is_some_and(|defined| source.slice(defined) == name)
    })
}

fn dotted(site: &Path, file: &Path) -> Option<String> {
    let relative = file.strip_prefix(site).ok()?.to_str()?;
    let module = relative
        .strip_suffix("/__init__.py")
        .or_else(|| relative.strip_suffix(".py"))?;
    Some(module.replace('/', "."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Installed;
    use crate::failure::Phase;
    use crate::strategies::fake::{Files, Index, case, failure};

    #[test]
    fn a_name_is_found_where_the_installed_package_defines_it_now_if_that_is_one_place() {
        let site = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = site.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("thing/__init__.py", "");
        write("thing/deep/tools.py", "class Tool:\n    pass\n");
        write(
            "thing/other.py",
            "from .deep.tools import Tool\ndef two(): pass\n",
        );
        write("thing/again.py", "def two(): pass\n");
        let files = Files::new(&[(
            "tests/test_a.py",
            "from thing import Tool, rest\nfrom thing import two\n",
        )]);
        let installed = Installed {
            site_packages: site.path().to_owned(),
            ..Installed::default()
        };
        let index = Index::default();
        let failures = [failure(
            None,
            Phase::Collection,
            "ImportError: cannot import name 'Tool' from 'thing' (x)",
            &[],
        )];
        let case = case(&failures, &files, &installed, &index);
        let missing = |name: &str| Subject::NameMissing {
            module: "thing".into(),
            name: name.into(),
        };
        let found = candidates(&case, &missing("Tool"));
        assert_eq!(
            found[0].edits[0].text,
            "from thing import rest\nfrom thing.deep.tools import Tool\nfrom thing import two\n"
        );
        assert_eq!(candidates(&case, &missing("two")), []);
    }
}
