//! What encrypted connections need: a provider of cryptography, and the files that the URL names.

use std::error::Error as _;
use std::path::Path;

use redis::{ClientTlsConfig, ErrorKind, RedisError, RedisResult, TlsCertificates};
use rustls::crypto::{CryptoProvider, aws_lc_rs};

use crate::endpoint::Tls;

/// The files' contents; `None` if the system's authorities are to be trusted and we show nothing.
pub(super) fn read(tls: &Tls) -> RedisResult<Option<TlsCertificates>> {
    if CryptoProvider::get_default().is_none() {
        // Fails only if another thread has just installed one.
        drop(aws_lc_rs::default_provider().install_default());
    }
    if *tls == Tls::default() {
        return Ok(None);
    }
    let authorities = tls
        .authorities
        .as_deref()
        .map(|path| pem(path, "CERTIFICATE"));
    let identity = tls.identity.as_ref().map(|(certificate, key)| {
        Ok::<_, RedisError>(ClientTlsConfig {
            client_cert: pem(certificate, "CERTIFICATE")?,
            client_key: pem(key, "PRIVATE KEY")?,
        })
    });
    Ok(Some(TlsCertificates {
        client_tls: identity.transpose()?,
        root_cert: authorities.transpose()?,
    }))
}

fn pem(path: &Path, what: &str) -> RedisResult<Vec<u8>> {
    let unusable = |why: String| {
        let detail = format!("{}: {why}", path.display());
        RedisError::from((
            ErrorKind::InvalidClientConfig,
            "a PEM file that the URL names is unusable",
            detail,
        ))
    };
    let text = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    let end = format!("{what}-----");
    if text
        .windows(end.len())
        .any(|window| window == end.as_bytes())
    {
        Ok(text)
    } else {
        Err(unusable(format!("there is no {what} in it")))
    }
}

/// What is wrong with a certificate, if that is why there is no connection: then no other attempt will do better.
pub(crate) fn refused(error: &RedisError) -> Option<String> {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        said = inner.to_string();
        cause = inner.source();
    }
    ["invalid peer certificate", "received fatal alert"]
        .iter()
        .find_map(|sign| {
            let at = said.find(sign)?;
            Some(said[at..].to_owned())
        })
}
