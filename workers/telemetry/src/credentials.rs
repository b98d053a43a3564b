//! What is shown to a target so that it takes a push. Never printed.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use http::header::InvalidHeaderValue;

/// What is shown to a target so that it takes a push.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Credentials {
    /// Nothing.
    #[default]
    None,
    /// Basic authentication (RFC 7617).
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// A bearer token (RFC 6750).
    Bearer(String),
}

impl Credentials {
    /// The value of the header `authorization`, which prints as `Sensitive`. `None` if there is nothing to show;
    /// fails for what HTTP does not carry, a line break for one.
    pub(crate) fn header(&self) -> Result<Option<HeaderValue>, InvalidHeaderValue> {
        let value = match self {
            Self::None => return Ok(None),
            Self::Basic { user, password } => {
                format!(
                    "Basic {}",
                    BASE64_STANDARD.encode(format!("{user}:{password}"))
                )
            }
            Self::Bearer(token) => format!("Bearer {token}"),
        };
        let mut header = HeaderValue::try_from(value)?;
        header.set_sensitive(true);
        Ok(Some(header))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic(***)",
            Self::Bearer(_) => "Bearer(***)",
        })
    }
}
