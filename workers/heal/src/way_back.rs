//! A chain of repairs moves a package one way, and then only between where it was and where it is. One that may go back goes in circles: each version
//! fails for a reason that the other is the answer to.

use crate::distribution::distribution;
use crate::strategies::release;

/// Why a requirement of one version is not tried in an environment that came about by these: what was installed, the first first.
pub(crate) fn goes_back(history: &[&[(String, String)]], requirement: &str) -> Option<String> {
    let name = distribution(requirement);
    let exact = requirement.split_once("==").or_else(|| {
        requirement
            .rsplit_once('@')
            .filter(|(of, _)| !of.is_empty())
    });
    let wanted = release(exact?.1.trim())?;
    let versions: Vec<Vec<u64>> = history
        .iter()
        .filter_map(|installed| {
            let (_, version) = installed.iter().find(|(of, _)| distribution(of) == name)?;
            release(version)
        })
        .collect();
    let (now, earlier) = versions.split_last()?;
    let between = |left: &Vec<u64>| {
        left != now && (wanted <= *left && left < now || now < left && *left <= wanted)
    };
    earlier
        .iter()
        .any(between)
        .then(|| format!("it would move `{name}` back to where an earlier step moved it from"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goes(history: &[&str], requirement: &str) -> bool {
        let installed: Vec<Vec<(String, String)>> = history
            .iter()
            .map(|version| vec![("jinja2".to_owned(), (*version).to_owned())])
            .collect();
        let history: Vec<&[(String, String)]> = installed.iter().map(Vec::as_slice).collect();
        goes_back(&history, requirement).is_some()
    }

    #[test]
    fn a_package_that_was_moved_stays_on_this_side_of_where_it_was() {
        assert!(goes(&["2.11", "3.1.6"], "Jinja2==2.10"));
        assert!(goes(&["2.11", "3.1.6"], "jinja2==2.11"));
        assert!(!goes(&["2.11", "3.1.6"], "jinja2==3.0"));
        assert!(!goes(&["2.11", "3.1.6"], "jinja2==3.2"));
        assert!(goes(&["3.1.6", "2.11"], "jinja2==3.1.6"));
        assert!(!goes(&["3.1.6", "2.11"], "jinja2==2.10"));
    }

    #[test]
    fn nothing_is_said_of_what_was_not_moved_and_of_ranges() {
        assert!(!goes(&["3.1.6", "3.1.6"], "jinja2==2.11"));
        assert!(!goes(&["3.1.6"], "jinja2==2.11"));
        assert!(!goes(&["2.11", "3.1.6"], "jinja2<3"));
        assert!(!goes(&["2.11", "3.1.6"], "werkzeug==2.0"));
        assert!(!goes(&["2.11", "3.1.6"], "@scope/jinja2"));
    }
}
