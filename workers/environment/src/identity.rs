//! Whose an environment is and which one, and the names that follow from it.

use std::fmt;
use std::str::FromStr;

use maestro_protocol::environment::EnvironmentRequested;
use sha2::{Digest, Sha256};

use crate::names::{MAESTRO, label};
use crate::syntax::{is_label_value, is_name};

/// How many hexadecimal digits of SHA-256 tell environments apart: 96 bits.
pub const HASH_DIGITS: usize = 24;
/// The most characters of a prefix: with `-` and the digits after it, a namespace's name has at most 63.
pub const PREFIX_LENGTH: usize = 63 - 1 - HASH_DIGITS;

/// The fleet that an environment belongs to: one that another fleet made is never touched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(String);

/// What the names of namespaces begin with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(String);

/// A text that is no [`Owner`] or no [`Prefix`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAName {
    /// No value of a label.
    #[error(
        "an owner has 1 to 63 characters of `A-Z`, `a-z`, `0-9`, `-`, `_` and `.`, and begins and ends with a letter or digit, which `{0}` does not"
    )]
    Owner(String),
    /// No beginning of a namespace's name.
    #[error(
        "a prefix of namespaces has 1 to {PREFIX_LENGTH} characters of `a-z`, `0-9` and `-`, and begins and ends with a letter or digit, which `{0}` does not"
    )]
    Prefix(String),
}

impl FromStr for Owner {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        if !text.is_empty() && is_label_value(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(NotAName::Owner(text.to_owned()))
    }
}

impl FromStr for Prefix {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        if text.len() <= PREFIX_LENGTH && is_name(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(NotAName::Prefix(text.to_owned()))
    }
}

impl Default for Owner {
    fn default() -> Self {
        Self("maestro".to_owned())
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self("maestro".to_owned())
    }
}

impl Owner {
    /// The value of the label.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The label selector of everything that it made.
    pub fn selector(&self) -> String {
        format!("{}={MAESTRO},{}={self}", label::MANAGED_BY, label::OWNER)
    }
}

impl Prefix {
    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which environment: the message that asked for it, and the fleet that it asked.
///
/// The id names the environment for whoever takes it down or lets it live longer, so a fleet has one of each id. A second
/// producer that uses the same one is told so; its `source` is kept for that.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The fleet.
    pub owner: Owner,
    /// The source of the message, where it has one.
    pub source: Option<String>,
    /// The id of the message, any UTF-8.
    pub id: String,
}

impl Identity {
    /// The environment that the message with this source and id asks for.
    pub fn new(owner: &Owner, source: Option<&str>, id: &str) -> Self {
        Self {
            owner: owner.clone(),
            source: source.map(str::to_owned),
            id: id.to_owned(),
        }
    }

    /// [`HASH_DIGITS`] hexadecimal digits that stand for it. Two environments have different hashes but by chance.
    pub fn hash(&self) -> String {
        digits(&["environment", self.owner.as_str(), &self.id])
    }

    /// The name of its namespace.
    pub fn namespace(&self, prefix: &Prefix) -> String {
        format!("{prefix}-{}", self.hash())
    }
}

/// All 64 hexadecimal digits of the SHA-256 of what was asked for: equal requests have equal hashes.
pub fn spec_hash(request: &EnvironmentRequested) -> Result<String, serde_json::Error> {
    let spec = serde_json::to_vec(request)?;
    Ok(hexadecimal(&Sha256::digest(spec)))
}

/// [`HASH_DIGITS`] digits for these texts. Each goes in with its length before it, so that no two lists look alike.
pub(crate) fn digits(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut digits = hexadecimal(&hash.finalize());
    digits.truncate(HASH_DIGITS);
    digits
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
