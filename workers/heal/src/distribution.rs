//! The names of distributions as an index compares them
//! (<https://packaging.python.org/en/latest/specifications/name-normalization/>).

/// One spelling of a name: lower case, and one `-` for each run of `-`, `_` and `.`.
pub(crate) fn normalised(name: &str) -> String {
    let mut result = String::with_capacity(name.len());
    for character in name.trim().chars() {
        if matches!(character, '-' | '_' | '.') {
            if !result.ends_with('-') {
                result.push('-');
            }
        } else {
            result.extend(character.to_lowercase());
        }
    }
    result
}

/// The normalised name in front of a requirement; `-` for `.`, the project itself. npm's `@scope/name@1` is `@scope/name`.
pub fn distribution(requirement: &str) -> String {
    if let Some((scope, rest)) = requirement
        .strip_prefix('@')
        .and_then(|of| of.split_once('/'))
    {
        return format!("@{}/{}", normalised(scope), distribution(rest));
    }
    let name = requirement
        .split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
        .next();
    normalised(name.unwrap_or(requirement))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_spelling() {
        assert_eq!(normalised("Zope.Interface"), "zope-interface");
        assert_eq!(normalised("ruamel_.-yaml"), "ruamel-yaml");
    }

    #[test]
    fn the_name_in_front_of_a_requirement_is_normalised() {
        for (requirement, name) in [
            ("Pytest_Mock>=3", "pytest-mock"),
            ("a.b[x]; python_version<'3'", "a-b"),
            ("a_.b", "a-b"),
            ("@scope/some.name@^1.2", "@scope/some-name"),
            (".", "-"),
        ] {
            assert_eq!(distribution(requirement), name);
        }
    }
}
