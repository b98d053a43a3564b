//! Options in a file that the runner no longer reads: those of `test/mocha.opts`, in the project's manifest.

use std::collections::BTreeMap;

use maestro_protocol::heal::Strategy;
use serde_json::Value;

use super::super::rewrite;
use crate::case::{Candidate, Case, Edit};
use crate::node::manifest;
use crate::strategies::rank;

const OLD: &str = "test/mocha.opts";

/// The options as member `mocha` of the manifest, where mocha reads them since 6.0; the file it reads no more since 8.0
/// (<https://github.com/mochajs/mocha/blob/main/CHANGELOG.md>).
pub(super) fn candidate(case: &Case<'_>) -> Option<Candidate> {
    let version = case
        .installed
        .distributions
        .iter()
        .find_map(|(name, version)| (name == "mocha").then_some(version.as_str()))?;
    let major: u32 = version.split('.').next()?.parse().ok()?;
    let configured = || {
        let paths = case.tree.paths();
        paths.iter().any(|path| path.starts_with(".mocharc."))
    };
    if major < 8 || configured() {
        return None;
    }
    let options = options(&case.tree.read(OLD)?)?;
    let text = with_member(&case.tree.read(manifest::NAME)?, &options)?;
    Some(rewrite(
        Strategy::ApiContractAdaptation,
        format!(
            "the options of {OLD}, which mocha {major} does not read, stand in {}",
            manifest::NAME
        ),
        vec![Edit {
            path: manifest::NAME.to_owned(),
            text,
        }],
        rank::CONFIGURATION,
    ))
}

/// The manifest with the options in front of its other members, which stay as they are written.
fn with_member(manifest: &str, options: &BTreeMap<String, Value>) -> Option<String> {
    let known: Value = serde_json::from_str(manifest).ok()?;
    if known.as_object()?.is_empty() || known.get("mocha").is_some() {
        return None;
    }
    let open = manifest.find('{')? + 1;
    let (before, behind) = manifest.split_at(open);
    let space = &behind[..behind.len() - behind.trim_start().len()];
    let space = if space.is_empty() { " " } else { space };
    let value = serde_json::to_string(options).ok()?;
    Some(format!("{before}{space}\"mocha\": {value},{behind}"))
}

/// The options that say how tests are loaded; what only says how results look is left out. `None` where there is
/// something else, such as a number of retries, or nothing.
fn options(text: &str) -> Option<BTreeMap<String, Value>> {
    let mut found: BTreeMap<String, Value> = BTreeMap::new();
    let mut words = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(str::split_whitespace);
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let list = |found: &mut BTreeMap<String, Value>, name: &str, value: &str| {
            if let Value::Array(values) = found
                .entry(name.to_owned())
                .or_insert_with(|| Value::Array(Vec::new()))
            {
                values.push(Value::from(value));
            }
        };
        match name {
            "--recursive" | "--check-leaks" | "--exit" => {
                found.insert(name.trim_start_matches("--").to_owned(), Value::Bool(true));
            }
            "--require" | "-r" => list(&mut found, "require", value.or_else(|| words.next())?),
            "--globals" | "--global" => {
                list(&mut found, "global", value.or_else(|| words.next())?);
            }
            "--ui" | "-u" => {
                found.insert("ui".to_owned(), value.or_else(|| words.next())?.into());
            }
            "--timeout" | "-t" => {
                let limit: u64 = value.or_else(|| words.next())?.parse().ok()?;
                found.insert("timeout".to_owned(), limit.into());
            }
            "--reporter" | "-R" => {
                value.or_else(|| words.next())?;
            }
            "--colors" | "--color" | "-c" | "--no-colors" | "--bail" | "-b" | "--growl" | "-G" => {}
            _ if !name.starts_with('-') => list(&mut found, "spec", name),
            _ => return None,
        }
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_load_tests_are_kept_and_those_of_another_kind_are_not_guessed_at() {
        let of = |text: &str| options(text).map(|found| serde_json::to_string(&found).unwrap());
        assert_eq!(
            of("# how\n--recursive\n--require should\n-R dot\n--ui=tdd\ntest/unit\n").unwrap(),
            r#"{"recursive":true,"require":["should"],"spec":["test/unit"],"ui":"tdd"}"#
        );
        assert_eq!(of("--require should\n--retries 3\n"), None);
        assert_eq!(of("--require\n"), None);
        assert_eq!(of("--colors\n"), None);
    }

    #[test]
    fn the_manifest_gets_one_member_more_and_stays_as_it_is_written_otherwise() {
        let options = options("--require should").unwrap();
        assert_eq!(
            with_member("{ \"name\" : \"a\"\n, \"b\": 1 }\n", &options).unwrap(),
            "{ \"mocha\": {\"require\":[\"should\"]}, \"name\" : \"a\"\n, \"b\": 1 }\n"
        );
        assert_eq!(
            with_member("{\n  \"name\": \"a\"\n}\n", &options).unwrap(),
            "{\n  \"mocha\": {\"require\":[\"should\"]},\n  \"name\": \"a\"\n}\n"
        );
        assert_eq!(with_member("{\"mocha\": {}}", &options), None);
    }
}
