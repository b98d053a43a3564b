//! An encrypted connection to PostgreSQL: the names that libpq has for it, and what rustls wants.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use rustls_tokio_postgres::MakeRustlsConnect;
use tokio_postgres::config::SslMode;

/// Whom to trust, and who we are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tls {
    /// Certificates of the authorities to trust instead of the system's.
    authorities: Option<PathBuf>,
    /// Our own certificate and its key.
    identity: Option<(PathBuf, PathBuf)>,
}

/// Takes what is about encryption out of a URL (`sslmode`, `sslrootcert`, `sslcert`, `sslkey`). What is left is for the client's own parser.
///
/// Whoever encrypts is verified: `require` means `verify-full` here, and what encrypts without a look at the certificate is refused.
pub(super) fn take(url: &str) -> Result<(String, Option<Tls>), &'static str> {
    // A question mark in a password is none of the query's.
    let after_credentials = url.find('@').map_or(0, |at| at + 1);
    let Some(mark) = url[after_credentials..].find('?') else {
        return Ok((url.to_owned(), None));
    };
    let (before, query) = url.split_at(after_credentials + mark);
    let (mut mode, mut tls) = (SslMode::Disable, Tls::default());
    let (mut certificate, mut key, mut left) = (None, None, Vec::new());
    for pair in query[1..].split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let path = || match percent_decode_str(value).decode_utf8() {
            Ok(path) if !path.is_empty() => Ok(Some(PathBuf::from(path.as_ref()))),
            _ => Err("the path of a PEM file in sslrootcert, sslcert and sslkey"),
        };
        match name {
            "sslmode" => {
                mode = match value {
                    "disable" => SslMode::Disable,
                    "require" | "verify-full" => SslMode::Require,
                    _ => {
                        return Err(
                            "sslmode disable, require or verify-full (the last two check the server's certificate and its name)",
                        );
                    }
                }
            }
            "sslrootcert" => tls.authorities = path()?,
            "sslcert" => certificate = path()?,
            "sslkey" => key = path()?,
            _ => left.push(pair),
        }
    }
    tls.identity = match (certificate, key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => return Err("both sslcert and sslkey in the PostgreSQL URL, or neither"),
    };
    if mode == SslMode::Disable && tls != Tls::default() {
        return Err("sslmode=verify-full beside sslrootcert, sslcert and sslkey");
    }
    let mark = if left.is_empty() { "" } else { "?" };
    let url = format!("{before}{mark}{}", left.join("&"));
    Ok((url, (mode == SslMode::Require).then_some(tls)))
}

impl Tls {
    /// Reads the files, so that they may be renewed while the sink runs.
    ///
    /// # Errors
    /// One sentence that names the file.
    pub(super) fn connector(&self) -> Result<MakeRustlsConnect, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(self.roots()?);
        let config = match &self.identity {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate)?;
                let secret = PrivateKeyDer::from_pem_file(key).map_err(|why| unusable(key, why))?;
                config
                    .with_client_auth_cert(chain, secret)
                    .map_err(|why| unusable(certificate, why))?
            }
        };
        Ok(MakeRustlsConnect::new(config))
    }

    fn roots(&self) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        let trusted = match &self.authorities {
            Some(path) => certificates(path)?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        roots.add_parsable_certificates(trusted);
        Ok(roots)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => Err(unusable(path, "there is no certificate in it")),
        Ok(found) => Ok(found),
        Err(why) => Err(unusable(path, why)),
    }
}

fn unusable(path: &Path, why: impl std::fmt::Display) -> String {
    format!("{} is unusable: {why}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encryption_is_asked_for_as_of_libpq_and_never_without_a_check() {
        let (left, tls) = take("postgresql://me:a?b@db/trail?sslmode=verify-full&connect_timeout=3&sslrootcert=/a%20b.pem").unwrap();
        assert_eq!(left, "postgresql://me:a?b@db/trail?connect_timeout=3");
        assert_eq!(
            tls.unwrap().authorities.as_deref(),
            Some(Path::new("/a b.pem"))
        );
        let plain = take("postgresql:///trail?host=/run&sslmode=disable").unwrap();
        assert_eq!(plain, ("postgresql:///trail?host=/run".to_owned(), None));
        assert_eq!(
            take("postgresql://db/x?sslmode=require").unwrap(),
            ("postgresql://db/x".to_owned(), Some(Tls::default()))
        );
        for (query, part) in [
            ("sslmode=prefer", "verify-full"),
            ("sslmode=require&sslcert=/a", "sslkey"),
            ("sslrootcert=/a", "sslmode"),
            ("sslmode=require&sslrootcert=", "path"),
        ] {
            let refused = take(&format!("postgresql://db/x?{query}")).unwrap_err();
            assert!(refused.contains(part), "{query}: {refused}");
        }
    }
}
