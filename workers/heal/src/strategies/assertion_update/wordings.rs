//! Published changes of wording, as data.

use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

use crate::case::{Case, Installed};
use crate::failure::Failure;
use crate::intended::Drift;

/// One published change.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wording {
    pub(super) id: String,
    /// `python 3.10`, `numpy 2`.
    since: String,
    source: String,
    /// A regular expression of the new wording.
    pub(super) now: String,
    /// Older ones, with the groups of the new in them.
    pub(super) was: Vec<String>,
}

static TABLE: LazyLock<Vec<(Wording, Regex)>> = LazyLock::new(|| {
    let table: Vec<Wording> =
        match serde_saphyr::from_str(include_str!("../../rules/wordings.yaml")) {
            Ok(table) => table,
            Err(error) => {
                tracing::error!(%error, "the table of wordings cannot be read");
                Vec::new()
            }
        };
    table
        .into_iter()
        .filter_map(|wording| {
            let compiled = Regex::new(&wording.now);
            if let Err(error) = &compiled {
                tracing::error!(id = %wording.id, %error, "a wording cannot be compiled");
            }
            Some((wording, compiled.ok()?))
        })
        .collect()
});

/// The table, for the tests that check it.
#[cfg(test)]
pub(super) fn table() -> &'static [(Wording, Regex)] {
    &TABLE
}

/// The published changes that the failure shows, and those without anything variable whether it shows them or not: a
/// runner cuts long texts.
pub(super) fn drifts(case: &Case<'_>, failure: &Failure) -> Vec<Drift> {
    let shown = shown(failure);
    let mut drifts = Vec::new();
    for (wording, compiled) in TABLE
        .iter()
        .filter(|(wording, _)| applies(wording, case.installed))
    {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for found in compiled.captures_iter(&shown) {
            for was in &wording.was {
                let mut old = String::new();
                found.expand(was, &mut old);
                pairs.push((old, found[0].to_owned()));
            }
        }
        if pairs.is_empty() {
            let fixed = plain(&wording.now);
            pairs.extend(fixed.into_iter().flat_map(|now| {
                wording
                    .was
                    .iter()
                    .map(move |was| (was.clone(), now.clone()))
            }));
        }
        pairs.sort();
        pairs.dedup();
        drifts.extend(pairs.into_iter().map(|(was, now)| Drift {
            was,
            now,
            evidence: format!("{} says so ({})", wording.since, wording.source),
        }));
    }
    drifts
}

/// The failure's text as the program said it: pytest's margins and the quotes of representations left out.
fn shown(failure: &Failure) -> String {
    let lines = failure.message.lines().chain(failure.text.lines());
    lines
        .map(|line| {
            let line = line.strip_prefix("E ").unwrap_or(line).trim_start();
            line.strip_prefix("+ ").unwrap_or(line)
        })
        .collect::<Vec<_>>()
        .join("\n")
        .replace("\\'", "'")
        .replace("\\n", "\n")
}

/// The text of a regular expression that has nothing variable in it.
fn plain(pattern: &str) -> Option<String> {
    let pattern = pattern.strip_prefix("(?m)^").unwrap_or(pattern);
    let mut text = String::new();
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => match characters.next()? {
                escaped if escaped.is_alphanumeric() => return None,
                escaped => text.push(escaped),
            },
            '.' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '^' | '$' => {
                return None;
            }
            other => text.push(other),
        }
    }
    Some(text)
}

/// Whether the environment has the version since which the wording is the new one.
fn applies(wording: &Wording, installed: &Installed) -> bool {
    let Some((name, version)) = wording.since.split_once(' ') else {
        return false;
    };
    let numbers = |text: &str| -> Vec<u64> {
        text.split('.')
            .map_while(|part| part.parse().ok())
            .collect()
    };
    if name == "python" {
        let now = [u64::from(installed.python.0), u64::from(installed.python.1)];
        return now.as_slice() >= numbers(version).as_slice();
    }
    installed
        .distributions
        .iter()
        .any(|(known, there)| known == name && numbers(there) >= numbers(version))
}
