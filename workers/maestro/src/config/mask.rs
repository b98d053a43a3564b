//! Secrets out of sight.

/// A URL without its password, and without parameters that carry a secret.
pub(crate) fn masked(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let (address, query) = match rest.split_once('?') {
        Some((address, query)) => (address, Some(query)),
        None => (rest, None),
    };
    // The last `@` counts: a password may hold one, and may hold a `/` where somebody forgot to encode it.
    let address = match address.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:***@{host}"),
            // Whether a lone word is a user or a password, its writer alone knows.
            None => format!("***@{host}"),
        },
        None => address.to_owned(),
    };
    match query {
        None => format!("{scheme}{address}"),
        Some(query) => {
            let shown: Vec<String> = query.split('&').map(parameter).collect();
            format!("{scheme}{address}?{}", shown.join("&"))
        }
    }
}

fn parameter(pair: &str) -> String {
    let Some((name, _)) = pair.split_once('=') else {
        return pair.to_owned();
    };
    let lower = name.to_lowercase();
    if ["pass", "auth", "token", "secret", "key"]
        .iter()
        .any(|word| lower.contains(word))
    {
        format!("{name}=***")
    } else {
        pair.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        for (url, shown) in [
            ("redis://localhost:6379/0", "redis://localhost:6379/0"),
            ("redis://me:se/c@ret@host:1", "redis://me:***@host:1"),
            ("rediss://:secret@host", "rediss://:***@host"),
            ("redis://secret@host", "redis://***@host"),
            (
                "redis+unix:///run/redis.sock?db=1&password=secret",
                "redis+unix:///run/redis.sock?db=1&password=***",
            ),
            (
                "redis+sentinel://me:secret@a,b:26379/master?sentinel_password=secret",
                "redis+sentinel://me:***@a,b:26379/master?sentinel_password=***",
            ),
            ("me:secret@host", "me:***@host"),
        ] {
            assert_eq!(masked(url), shown);
        }
    }
}
