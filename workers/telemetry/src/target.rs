//! Where what is measured goes.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use http::Uri;
use http::uri::Scheme;

use crate::credentials::Credentials;

/// Where what is measured goes, read from a URL:
///
/// - `http://host:9091` or `https://…`: a Pushgateway (<https://github.com/prometheus/pushgateway>), perhaps below a path
/// - `import+http://host:8428/api/v1/import/prometheus` or `import+https://…`: anything that takes the text format by POST, as it is
/// - `file:///var/lib/node_exporter/textfile`: a directory that `node_exporter`'s textfile collector reads
///
/// A user and a password before the host are sent as basic authentication. What is printed of a target has neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A Pushgateway.
    Pushgateway(Address),
    /// An import endpoint.
    Import(Address),
    /// A directory of text files.
    Directory(PathBuf),
}

/// An address of HTTP, without its credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub(crate) uri: Uri,
    pub(crate) credentials: Credentials,
}

/// A text that is no target. It never holds the text, which may have a password in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct InvalidTarget {
    /// What would have fitted.
    pub expected: &'static str,
}

const SCHEMES: &str = "a URL of http://, https:// (a Pushgateway), import+http://, import+https:// (an endpoint that takes the text format) or file:/// (a directory for node_exporter)";

fn expected<T>(expected: &'static str) -> Result<T, InvalidTarget> {
    Err(InvalidTarget { expected })
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return expected(SCHEMES);
        };
        match scheme {
            "http" | "https" => {
                let address = Address::read(scheme, rest)?;
                if address.uri.query().is_some() {
                    return expected("no query in the URL of a Pushgateway");
                }
                Ok(Self::Pushgateway(address))
            }
            "import+http" => Address::read("http", rest).map(Self::Import),
            "import+https" => Address::read("https", rest).map(Self::Import),
            "file" if rest.starts_with('/') && !rest.contains(['?', '#']) => {
                match decoded(rest).filter(|path| !path.contains('\0')) {
                    Some(path) => Ok(Self::Directory(PathBuf::from(path))),
                    None => expected("an absolute path behind file://"),
                }
            }
            "file" => expected("an absolute path behind file://"),
            _ => expected(SCHEMES),
        }
    }
}

/// An endpoint of HTTP, read from a URL of `http://` or `https://`; a user and a password may stand before the host.
impl FromStr for Address {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => Self::read(scheme, rest),
            _ => expected("a URL of http:// or https://"),
        }
    }
}

impl Address {
    /// With a token in place of the URL's user and password.
    #[must_use]
    pub fn with_token(self, token: String) -> Self {
        Self {
            credentials: Credentials::Bearer(token),
            ..self
        }
    }

    fn read(scheme: &str, rest: &str) -> Result<Self, InvalidTarget> {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let credentials = match user {
            None => Credentials::None,
            Some(user) => {
                let (user, password) = user.split_once(':').unwrap_or((user, ""));
                match (decoded(user), decoded(password)) {
                    (Some(user), Some(password)) => Credentials::Basic { user, password },
                    _ => {
                        return expected(
                            "a percent-encoded user and password (RFC 3986, section 2.1)",
                        );
                    }
                }
            }
        };
        let path = if path.is_empty() { "/" } else { path };
        match format!("{scheme}://{host}{path}").parse::<Uri>() {
            Ok(uri) if !host.is_empty() && uri.host().is_some() => Ok(Self { uri, credentials }),
            _ => expected("a host, perhaps a port and a path, behind the scheme"),
        }
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.uri.scheme() == Some(&Scheme::HTTPS)
    }
}

impl Target {
    /// With a token in place of the URL's user and password.
    #[must_use]
    pub fn with_token(mut self, token: String) -> Self {
        if let Self::Pushgateway(address) | Self::Import(address) = &mut self {
            address.credentials = Credentials::Bearer(token);
        }
        self
    }

    /// Whether the URL holds a user.
    pub fn has_user(&self) -> bool {
        match self {
            Self::Pushgateway(address) | Self::Import(address) => {
                address.credentials != Credentials::None
            }
            Self::Directory(_) => false,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pushgateway(address) => write!(f, "{}", address.uri),
            // The query of an import endpoint may carry a key.
            Self::Import(Address { uri, .. }) => write!(
                f,
                "import+{}://{}{}",
                uri.scheme_str().unwrap_or("http"),
                uri.authority().map_or("", |authority| authority.as_str()),
                uri.path()
            ),
            Self::Directory(path) => write!(f, "file://{}", path.display()),
        }
    }
}

/// Percent-decoding; `None` where it is not UTF-8, or a `%` stands alone.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Target {
        text.parse().unwrap()
    }

    #[test]
    fn the_scheme_says_what_kind_of_target_it_is() {
        for (text, shown) in [
            ("http://gateway:9091", "http://gateway:9091/"),
            ("https://me:pa%40ss@gateway/base", "https://gateway/base"),
            (
                "import+http://vm:8428/api/v1/import/prometheus?key=hidden",
                "import+http://vm:8428/api/v1/import/prometheus",
            ),
            ("file:///var/lib/a%20b", "file:///var/lib/a b"),
        ] {
            assert_eq!(read(text).to_string(), shown);
        }
        for bad in [
            "",
            "gateway:9091",
            "ftp://gateway",
            "http://",
            "http://me@",
            "file://relative",
            "http://gateway/?a=b",
            "http://me:%zz@gateway",
            "http://a b/",
        ] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_is_read_and_never_shown() {
        let target = read("https://me:hid%3Aden%40@gateway:1");
        let Target::Pushgateway(address) = &target else {
            panic!("{target}");
        };
        assert!(address.is_encrypted() && target.has_user());
        let expected = Credentials::Basic {
            user: "me".to_owned(),
            password: "hid:den@".to_owned(),
        };
        assert_eq!(address.credentials, expected);
        for shown in [format!("{target:?}"), target.to_string()] {
            assert!(!shown.contains("hid"), "{shown}");
        }
        let token = read("http://gateway").with_token("hidden".to_owned());
        assert!(!format!("{token:?} {token}").contains("hidden"));
    }
}
