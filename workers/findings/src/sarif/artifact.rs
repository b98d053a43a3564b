//! The file of a location: a URI, absolute or relative to a base that the run names, or a place in the run's list of files.

use std::path::Path;

use super::document::{ArtifactLocation, Run};
use crate::place::Place;

/// The most bases that lie one in the other.
const DEEPEST: usize = 8;

/// The file as the project names it; `None` where the location is none of a file.
pub(super) fn file(location: &ArtifactLocation, run: &Run, place: &Place) -> Option<String> {
    let location = match (&location.uri, location.index) {
        (None, Some(index)) => run
            .artifacts
            .get(usize::try_from(index).ok()?)?
            .location
            .as_ref()?,
        _ => location,
    };
    let written = path(location.uri.as_deref()?)?;
    let base = location
        .uri_base_id
        .as_deref()
        .and_then(|id| base(id, run, DEEPEST));
    let Some(base) = base.filter(|_| !written.starts_with('/')) else {
        return Some(place.file(&written));
    };
    let whole = format!("{}/{written}", base.trim_end_matches('/'));
    // A base names where the sources lay when the tool ran, perhaps on another machine; what is relative to it then is
    // relative to the sources here.
    if !whole.starts_with('/') || place.inside(Path::new(&whole)).is_some() {
        Some(place.file(&whole))
    } else {
        Some(place.file(&written))
    }
}

fn base(id: &str, run: &Run, deepest: usize) -> Option<String> {
    let location = run.original_uri_base_ids.get(id)?;
    let own = path(location.uri.as_deref()?)?;
    let above = location
        .uri_base_id
        .as_deref()
        .filter(|_| deepest > 0 && !own.starts_with('/'))
        .and_then(|id| base(id, run, deepest - 1));
    Some(match above {
        Some(above) => format!("{}/{own}", above.trim_end_matches('/')),
        None => own,
    })
}

/// The path of a URI; `None` of a scheme that is not of files.
fn path(uri: &str) -> Option<String> {
    let path = match uri.split_once(':') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("file") => {
            let rest = rest.strip_prefix("//").unwrap_or(rest);
            // What stands before the path is a host.
            &rest[rest.find('/')?..]
        }
        Some((scheme, _)) if is_scheme(scheme) => return None,
        _ => uri,
    };
    decoded(path.split(['?', '#']).next().unwrap_or(path))
}

/// A drive's letter is no scheme.
fn is_scheme(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// Percent-encoding (RFC 3986, 2.1) undone; `None` where that gives no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = |byte: u8| char::from(byte).to_digit(16);
        match (*first, after) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                let value = hex(*high).unwrap_or(0) * 16 + hex(*low).unwrap_or(0);
                bytes.push(u8::try_from(value).ok()?);
                rest = after;
            }
            (byte, after) => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_of_a_file_is_a_path_and_any_other_is_none() {
        for (uri, is) in [
            ("src/a%20b.py", Some("src/a b.py")),
            ("file:///x/%C3%A4.py", Some("/x/ä.py")),
            ("file://host/x/a.py", Some("/x/a.py")),
            ("file:/x/a.py", Some("/x/a.py")),
            ("https://example.org/a.py", None),
            ("pkg:npm/x", None),
            ("a%zz.py", Some("a%zz.py")),
            ("%ff", None),
        ] {
            assert_eq!(path(uri).as_deref(), is, "{uri}");
        }
    }
}
