//! Makes the unified diff of a heal, and checks that it says what was validated.

use similar::TextDiff;

/// The most bytes that a patch may have. A repair is small; what is larger is none, and a person could not read it.
pub const LARGEST: usize = 512 * 1024;

/// Why no patch could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// It would be too large to be read.
    #[error("the patch would have {0} bytes; the limit is {LARGEST}")]
    TooLarge(usize),
    /// Applying it to the original does not give the validated text.
    #[error("the patch of {0} does not give back the text that was validated")]
    Inexact(String),
}

/// A unified diff of `(path, before, after)`, paths below `directory` in the repository, in the form that
/// `git apply` reads.
pub fn unified(
    changes: &[(String, String, String)],
    directory: Option<&str>,
) -> Result<String, PatchError> {
    let mut patch = String::new();
    for (path, before, after) in changes {
        let full = match directory
            .map(|directory| directory.trim_matches('/'))
            .filter(|directory| !directory.is_empty())
        {
            Some(directory) => format!("{directory}/{path}"),
            None => path.clone(),
        };
        let one = TextDiff::from_lines(before, after)
            .unified_diff()
            .context_radius(3)
            .header(&format!("a/{full}"), &format!("b/{full}"))
            .to_string();
        let parsed = diffy::Patch::from_str(&one).map_err(|_| PatchError::Inexact(full.clone()))?;
        if diffy::apply(before, &parsed).ok().as_deref() != Some(after.as_str()) {
            return Err(PatchError::Inexact(full));
        }
        patch.push_str(&one);
        if patch.len() > LARGEST {
            return Err(PatchError::TooLarge(patch.len()));
        }
    }
    Ok(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_repository() {
        let changes = [("a.py".to_owned(), "x\n".to_owned(), "y\n".to_owned())];
        let patch = unified(&changes, Some("sub/dir/")).unwrap();
        assert!(
            patch.starts_with("--- a/sub/dir/a.py\n+++ b/sub/dir/a.py\n@@ -1 +1 @@\n-x\n+y\n"),
            "{patch}"
        );
    }

    #[test]
    fn a_missing_newline_at_the_end_and_carriage_returns_survive() {
        for (before, after) in [
            ("a\nb", "a\nc"),
            ("a\r\nb\r\n", "a\r\nc\r\n"),
            ("a\nb", "a\nb\n"),
        ] {
            let changes = [("a.py".to_owned(), before.to_owned(), after.to_owned())];
            unified(&changes, None).unwrap();
        }
    }

    #[test]
    fn a_patch_bomb_is_refused() {
        let after = "x\n".repeat(LARGEST);
        let changes = [("a.py".to_owned(), String::new(), after)];
        assert!(matches!(
            unified(&changes, None),
            Err(PatchError::TooLarge(_))
        ));
    }
}
