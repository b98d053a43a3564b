//! Older versions worth a try: the project was written against one of them.

use std::cmp::Reverse;

/// How many older versions are worth a run.
const MOST: usize = 8;

/// The numbers of a final release; `None` for a pre-release, a development release or what is no version.
pub(crate) fn release(version: &str) -> Option<Vec<u64>> {
    let version = version.trim_start_matches('v');
    let base = version.split(['+', '!']).next()?;
    let base = base.split(".post").next()?;
    base.split('.').map(|part| part.parse().ok()).collect()
}

/// Versions below the installed one, the likeliest first: the last of each of the two minor series before it, then
/// the last of each of five earlier majors, then further minors.
pub(super) fn below(versions: &[String], installed: &str) -> Vec<String> {
    let Some(ceiling) = release(installed) else {
        return Vec::new();
    };
    let mut older: Vec<(Vec<u64>, &String)> = versions
        .iter()
        .filter_map(|text| Some((release(text)?, text)))
        .filter(|(numbers, _)| *numbers < ceiling)
        .collect();
    older.sort_by_key(|(numbers, _)| Reverse(numbers.clone()));
    let series =
        |numbers: &[u64], length: usize| numbers.iter().take(length).copied().collect::<Vec<_>>();
    let last_of = |length: usize| {
        let mut seen = vec![series(&ceiling, length)];
        let mut found = Vec::new();
        for (numbers, text) in &older {
            let this = series(numbers, length);
            if !seen.contains(&this) {
                seen.push(this);
                found.push((*text).clone());
            }
        }
        found
    };
    let minors = last_of(2);
    let majors = last_of(1);
    let mut chosen: Vec<String> = minors.iter().take(2).cloned().collect();
    for text in majors.into_iter().take(5).chain(minors.into_iter().skip(2)) {
        if chosen.len() < MOST && !chosen.contains(&text) {
            chosen.push(text);
        }
    }
    if chosen.is_empty() {
        // Only one series: the release just before.
        chosen.extend(older.first().map(|(_, text)| (*text).clone()));
    }
    chosen
}

/// `distribution<N` for each major version below the newest, at most two.
pub(super) fn older_majors(versions: &[String]) -> Vec<u64> {
    let mut majors: Vec<u64> = versions
        .iter()
        .filter_map(|text| release(text)?.first().copied())
        .collect();
    majors.sort_unstable_by_key(|major| Reverse(*major));
    majors.dedup();
    let has_older = majors.len().saturating_sub(1);
    majors.into_iter().take(has_older.min(2)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_each_earlier_series_comes_newest_first() {
        let versions: Vec<String> = [
            "3.0rc1", "2.1.1", "2.1", "2.0.2", "2.0.1", "1.9", "1.8.3", "1.8", "0.9",
        ]
        .map(str::to_owned)
        .into();
        assert_eq!(below(&versions, "2.1.1"), ["2.0.2", "1.9", "0.9", "1.8.3"]);
        assert_eq!(
            below(&["1.1".to_owned(), "1.0.1".to_owned()], "1.1"),
            ["1.0.1"]
        );
        assert_eq!(older_majors(&versions), [2, 1]);
    }
}
