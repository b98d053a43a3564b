use std::path::PathBuf;

use super::{InvalidUrl, Options, wrong};

/// Whom to trust, and who we are, on an encrypted connection.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Tls {
    /// Certificates of the authorities to trust instead of the system's.
    pub(crate) authorities: Option<PathBuf>,
    /// Our own certificate and its key.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

impl Tls {
    pub(super) fn take(options: &mut Options) -> Result<Self, InvalidUrl> {
        let mut file = |name: &'static str| match options.take(name) {
            Some(path) if path.is_empty() => wrong(
                name,
                "",
                "the path of a PEM file, for example ?ca=/etc/ca.pem",
            ),
            path => Ok(path.map(PathBuf::from)),
        };
        let (authorities, certificate, key) = (file("ca")?, file("cert")?, file("key")?);
        let identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return wrong("key", "", "the key that belongs to cert"),
            (None, Some(_)) => return wrong("cert", "", "the certificate that belongs to key"),
        };
        Ok(Self {
            authorities,
            identity,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::Endpoint;

    #[test]
    fn the_files_of_an_encrypted_connection_come_from_the_query() {
        let endpoint: Endpoint = "rediss://h?ca=/a%20b.pem&cert=/c.pem&key=/k.pem"
            .parse()
            .unwrap();
        let tls = endpoint.tls.unwrap();
        assert_eq!(tls.authorities.unwrap().to_str(), Some("/a b.pem"));
        assert_eq!(tls.identity.unwrap().1.to_str(), Some("/k.pem"));
        for (url, part) in [
            ("redis://h?ca=/a.pem", "query"),
            ("rediss://h?ca=", "ca"),
            ("rediss+cluster://h?cert=/c.pem", "key"),
            ("rediss+sentinel://h/main?key=/k.pem", "cert"),
        ] {
            assert_eq!(url.parse::<Endpoint>().unwrap_err().part, part);
        }
    }
}
