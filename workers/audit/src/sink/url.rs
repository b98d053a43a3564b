//! Where PostgreSQL is.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::tls::{self, Tls};

/// The database, from a URL as libpq takes it
/// (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING>): `postgresql://user:password@host:5432/name`, or
/// `postgresql:///name?host=/run/postgresql` for a Unix socket. `sslmode=verify-full` (or `require`, which means the same here) encrypts, with
/// `sslrootcert`, `sslcert` and `sslkey` as PEM files; without it nothing is encrypted.
#[derive(Clone)]
pub struct Postgres {
    pub(super) config: Config,
    pub(super) tls: Option<Tls>,
}

/// A URL that cannot be used. It does not repeat the URL, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct InvalidUrl(&'static str);

const FORM: &str = "a PostgreSQL URL such as postgresql://user:password@host/name or postgresql:///name?host=/run/postgresql";

impl FromStr for Postgres {
    type Err = InvalidUrl;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        if !["postgresql://", "postgres://"]
            .iter()
            .any(|scheme| url.starts_with(scheme))
        {
            return Err(InvalidUrl(FORM));
        }
        let (url, tls) = tls::take(url).map_err(InvalidUrl)?;
        let mut config: Config = url.parse().map_err(|_| InvalidUrl(FORM))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(InvalidUrl(
                "a host in the PostgreSQL URL, or ?host=/path/of/the/socket",
            ));
        }
        config.ssl_mode(if tls.is_some() {
            SslMode::Require
        } else {
            SslMode::Disable
        });
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(10));
        }
        if config.get_application_name().is_none() {
            config.application_name("maestro audit");
        }
        Ok(Self { config, tls })
    }
}

/// Without user and password.
impl fmt::Display for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, host) in self.config.get_hosts().iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            match host {
                Host::Tcp(name) => write!(f, "{comma}{name}")?,
                Host::Unix(path) => write!(f, "{comma}{}", path.display())?,
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Postgres({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_and_never_shows_its_password() {
        let shown = |url: &str| url.parse::<Postgres>().map(|one| format!("{one:?}"));
        assert_eq!(
            shown("postgresql://me:secret@db:1/trail").unwrap(),
            "Postgres(db/trail)"
        );
        assert_eq!(
            shown("postgresql:///trail?host=/run/postgresql&user=me").unwrap(),
            "Postgres(/run/postgresql/trail)"
        );
        for bad in [
            "secret",
            "postgresql:///trail",
            "postgresql://me:secret@db/trail?sslmode=prefer",
            "postgresql://secret@db:port/",
        ] {
            let sentence = shown(bad).unwrap_err().to_string();
            assert!(!sentence.contains("secret"), "{sentence}");
        }
    }
}
