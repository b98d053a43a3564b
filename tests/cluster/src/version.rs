use std::fmt;

use crate::Error;

/// A release of Kubernetes, `major.minor`; releases that differ in the rest take the same flags and serve the same API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 1.
    pub major: u32,
    /// 20 of 1.20.
    pub minor: u32,
}

impl Version {
    /// `major.minor`.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// From `Kubernetes v1.20.2`, as the programs print it with `--version`, or `v1.33.1-eks-1234`, as `GET /version` has it.
    pub(crate) fn read(text: &str) -> Result<Self, Error> {
        let version = text
            .split_whitespace()
            .find_map(|word| word.strip_prefix('v'));
        let mut parts = version.unwrap_or_default().split('.');
        Self::parts(
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        )
        .ok_or_else(|| Error::Version { text: text.into() })
    }

    fn parts(major: &str, minor: &str) -> Option<Self> {
        Some(Self::new(major.parse().ok()?, minor.parse().ok()?))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_programs_print_and_servers_serve_them() {
        let old = Version::read("Kubernetes v1.20.2\n").unwrap();
        assert_eq!(old, Version::new(1, 20));
        let new = Version::read("Kubernetes v1.37.0-rc.1+abc").unwrap();
        assert_eq!(new, Version::new(1, 37));
        assert!(old < new);
        assert_eq!(
            Version::read("v1.33.1-eks-1234").unwrap().to_string(),
            "1.33"
        );
        assert!(Version::read("flag provided but not defined").is_err());
    }
}
