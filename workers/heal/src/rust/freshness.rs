//! When each file of the copies was changed last, as cargo is to see it.
//!
//! cargo builds again what is younger than its last build
//! (<https://doc.rust-lang.org/nightly/nightly-rustc/cargo/core/compiler/fingerprint/index.html>). All copies of a heal lie at one path, one after the other, and share what was built; so a file whose text is
//! what the last build saw must look old, and every other one new, also where an old text comes back.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::SystemTime;

/// What is known of the files that differed from the checkout's at any time.
#[derive(Debug, Default)]
pub(super) struct Freshness {
    of: BTreeMap<String, Stamp>,
}

/// The text of a file at the last build, and when it came to be that.
#[derive(Debug, Clone, Copy)]
struct Stamp {
    text: Text,
    since: SystemTime,
}

/// A file's text, as far as it matters whether it is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    /// The checkout's.
    Original,
    /// This one.
    Other(u64),
    /// Something that no copy begins with.
    Unknown,
}

impl Freshness {
    /// When a file that now has this text (`None`: the checkout's) is to have been changed last.
    pub(super) fn stamp(&mut self, path: &str, text: Option<&[u8]>) -> SystemTime {
        let text = text.map_or(Text::Original, |text| {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            Text::Other(hasher.finish())
        });
        let stamp = Stamp {
            text,
            since: SystemTime::now(),
        };
        let known = self.of.entry(path.to_owned()).or_insert(stamp);
        if known.text != text {
            *known = stamp;
        }
        known.since
    }

    /// What becomes of a file is not followed: whatever the next copy has is new.
    pub(super) fn forget(&mut self, path: &str) {
        let stamp = Stamp {
            text: Text::Unknown,
            since: SystemTime::now(),
        };
        self.of.insert(path.to_owned(), stamp);
    }

    /// Every file that a stamp was asked for.
    pub(super) fn paths(&self) -> Vec<String> {
        self.of.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_last_build_did_not_see_is_new() {
        let mut freshness = Freshness::default();
        let first = freshness.stamp("a", Some(b"1"));
        assert_eq!(freshness.stamp("a", Some(b"1")), first);
        let second = freshness.stamp("a", Some(b"2"));
        assert!(second > first);
        // The text of before, and the original, were not what the last build saw.
        let third = freshness.stamp("a", Some(b"1"));
        assert!(third > second);
        let original = freshness.stamp("a", None);
        assert!(original > third);
        assert_eq!(freshness.stamp("a", None), original);
        freshness.forget("a");
        assert!(freshness.stamp("a", None) > original);
        assert_eq!(freshness.paths(), ["a"]);
    }
}
