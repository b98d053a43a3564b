use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

mod tls;

pub(crate) use tls::Tls;

/// Where Redis is, from one URL:
///
/// | URL | what |
/// |---|---|
/// | `redis://[user:password@]host[:port][/db]` | one server; `rediss://` over TLS |
/// | `redis+unix:///path[?db=1&user=u&pass=p]` | one server on a Unix socket |
/// | `redis+sentinel://[user:password@]h1:p1,h2:p2/master[/db]` | the current master of that name; `sentinel_user` and `sentinel_pass` in the query are for the Sentinels themselves |
/// | `redis+cluster://[user:password@]h1:p1,h2:p2` | a Redis Cluster; database 0 |
///
/// User and password are percent-decoded. [`fmt::Display`] masks passwords.
///
/// # TLS
/// `rediss+sentinel://` (to Redis and to the Sentinels) and `rediss+cluster://` use TLS as well. The server's certificate must name
/// the host as it stands in the URL; behind Sentinel and in a cluster, as Redis itself announces it, which is an IP address
/// unless told otherwise. These options say more, each the path of a PEM file:
///
/// | option | what |
/// |---|---|
/// | `ca` | trust these certificate authorities, and no others; without it, the system's (or those in the file that the environment variable `SSL_CERT_FILE` names) |
/// | `cert`, `key` | show this certificate to the server, which asks for one unless it has `tls-auth-clients no` |
///
/// The files are read again for each connection, so they may be renewed while the program runs. The cryptography is rustls's with
/// aws-lc-rs, unless the program has installed another provider.
///
/// # What Redis has to allow
/// A user with these rights, and no more, is enough for consumers, publishers, administration, tails and tallies:
///
/// ```text
#[doc = include_str!("endpoint/rights.txt")]
/// ```
///
/// That is for the prefix `acme:`; without a prefix, `~*` stands for the two patterns. `role` is only needed behind Sentinel and
/// `cluster|slots` only in a cluster; `+client|setinfo`, which Redis has since 7.2, keeps its `ACL LOG` free of noise. The Sentinels' own
/// user needs `+ping +role +sentinel|masters`. Neither Sentinel nor a cluster hands users on: each server needs them.
///
/// # What Redis can lose
/// A replica that becomes the master does not know what was written last; and the old master, if it is still there, takes writes that are
/// lost some seconds later. `min-replicas-to-write 1` at every server makes the old master refuse them; what was accepted before
/// the replica had it is lost with all its consequences: a message may be handled again, but has no effect twice in what is left.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub(crate) place: Place,
    pub(crate) tls: Option<Tls>,
    pub(crate) login: Login,
    pub(crate) db: i64,
}

#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Login {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Host(Node),
    Socket(PathBuf),
    Sentinel {
        nodes: Vec<Node>,
        master: String,
        login: Login,
    },
    Cluster(Vec<Node>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Which part of a Redis URL is wrong, and what was expected. Never shows a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the Redis URL has {found} as its {part}: expected {expected}")]
pub struct InvalidUrl {
    /// The part: scheme, host, port, database, …
    pub part: &'static str,
    /// What stands there.
    pub found: String,
    /// What should.
    pub expected: &'static str,
}

fn wrong<T>(part: &'static str, found: &str, expected: &'static str) -> Result<T, InvalidUrl> {
    let found = if found.is_empty() {
        "nothing".to_owned()
    } else {
        format!("{found:?}")
    };
    Err(InvalidUrl {
        part,
        found,
        expected,
    })
}

impl FromStr for Endpoint {
    type Err = InvalidUrl;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        const SCHEMES: &str = "redis, rediss, redis+unix, redis+sentinel, rediss+sentinel, redis+cluster or rediss+cluster, followed by ://";
        let Some((scheme, rest)) = url.trim().split_once("://") else {
            // The text could be a bare password; it is not repeated.
            return wrong("scheme", "", SCHEMES);
        };
        let (tls, kind) = match scheme {
            "redis" => (false, "host"),
            "rediss" => (true, "host"),
            "redis+unix" | "unix" => (false, "unix"),
            "redis+sentinel" => (false, "sentinel"),
            "rediss+sentinel" => (true, "sentinel"),
            "redis+cluster" => (false, "cluster"),
            "rediss+cluster" => (true, "cluster"),
            other => return wrong("scheme", other, SCHEMES),
        };
        if let Some((_, fragment)) = rest.split_once('#') {
            return wrong("fragment", fragment, "none (write # in a password as %23)");
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut options = Options::parse(query)?;
        let tls = if tls {
            Some(Tls::take(&mut options)?)
        } else {
            None
        };
        if kind == "unix" {
            return Self::socket(rest, options);
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (Login::parse(login)?, hosts),
            None => (Login::default(), authority),
        };
        let default_port = if kind == "sentinel" { 26379 } else { 6379 };
        let nodes = hosts
            .split(',')
            .map(|host| Node::parse(host, default_port))
            .collect::<Result<Vec<_>, _>>()?;
        let endpoint = match kind {
            "host" => {
                let [node] = &nodes[..] else {
                    return wrong(
                        "host",
                        hosts,
                        "one host (several need redis+sentinel:// or redis+cluster://)",
                    );
                };
                Self {
                    place: Place::Host(node.clone()),
                    tls,
                    login,
                    db: database(path)?,
                }
            }
            "sentinel" => {
                let (master, db) = path.split_once('/').unwrap_or((path, ""));
                if master.is_empty() {
                    return wrong("path", path, "the master's name, for example /mymaster");
                }
                let sentinel_login = Login {
                    user: options.take("sentinel_user"),
                    password: options.take("sentinel_pass"),
                };
                Self {
                    place: Place::Sentinel {
                        nodes,
                        master: decode("master's name", master)?,
                        login: sentinel_login,
                    },
                    tls,
                    login,
                    db: database(db)?,
                }
            }
            _ => {
                if database(path)? != 0 {
                    return wrong("database", path, "none (Redis Cluster has only database 0)");
                }
                Self {
                    place: Place::Cluster(nodes),
                    tls,
                    login,
                    db: 0,
                }
            }
        };
        options.finish()?;
        Ok(endpoint)
    }
}

impl Endpoint {
    fn socket(path: &str, mut options: Options) -> Result<Self, InvalidUrl> {
        let path = decode("path", path)?;
        if !path.starts_with('/') || path.len() < 2 {
            return wrong(
                "path",
                &path,
                "the socket's absolute path, for example redis+unix:///run/redis.sock",
            );
        }
        let endpoint = Self {
            place: Place::Socket(PathBuf::from(path)),
            tls: None,
            login: Login {
                user: options.take("user"),
                password: options.take("pass"),
            },
            db: database(&options.take("db").unwrap_or_default())?,
        };
        options.finish()?;
        Ok(endpoint)
    }

    /// Whether keys are spread over slots, so that streams cannot be written together.
    pub fn is_cluster(&self) -> bool {
        matches!(self.place, Place::Cluster(_))
    }

    /// Whether Sentinels say which server is the master.
    pub(crate) fn is_watched(&self) -> bool {
        matches!(self.place, Place::Sentinel { .. })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.tls.is_some() { "s" } else { "" };
        let login = self.login.masked();
        let nodes = |nodes: &[Node]| {
            let nodes: Vec<String> = nodes.iter().map(ToString::to_string).collect();
            nodes.join(",")
        };
        let db = if self.db == 0 {
            String::new()
        } else {
            format!("/{}", self.db)
        };
        match &self.place {
            Place::Host(node) => write!(f, "redis{s}://{login}{node}{db}"),
            Place::Socket(path) => {
                write!(f, "redis+unix://{}", path.display())?;
                if self.db == 0 {
                    Ok(())
                } else {
                    write!(f, "?db={}", self.db)
                }
            }
            Place::Sentinel {
                nodes: n, master, ..
            } => {
                write!(f, "redis{s}+sentinel://{login}{}/{master}{db}", nodes(n))
            }
            Place::Cluster(n) => write!(f, "redis{s}+cluster://{login}{}", nodes(n)),
        }
    }
}

/// As [`fmt::Display`], so that no log shows a password by accident.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Node {
    fn parse(text: &str, default_port: u16) -> Result<Self, InvalidUrl> {
        const HOST: &str = "host or host:port ([::1]:6379 for IPv6)";
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let Some((host, rest)) = rest.split_once(']') else {
                return wrong("host", text, HOST);
            };
            (host, rest.strip_prefix(':').unwrap_or(""))
        } else {
            text.split_once(':').unwrap_or((text, ""))
        };
        if host.is_empty() || host.contains(char::is_whitespace) {
            return wrong("host", host, HOST);
        }
        let port = match port {
            "" => default_port,
            port => match port.parse() {
                Ok(port) if port > 0 => port,
                _ => return wrong("port", port, "a number from 1 to 65535"),
            },
        };
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl Login {
    fn parse(text: &str) -> Result<Self, InvalidUrl> {
        let (user, password) = match text.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (text, None),
        };
        let user = decode("user", user)?;
        let password = decode("password", password.unwrap_or(""))?;
        Ok(Self {
            user: Some(user).filter(|user| !user.is_empty()),
            password: Some(password).filter(|password| !password.is_empty()),
        })
    }

    fn masked(&self) -> String {
        let user = self.user.as_deref().unwrap_or("");
        match &self.password {
            Some(_) => format!("{user}:***@"),
            None if user.is_empty() => String::new(),
            None => format!("{user}@"),
        }
    }
}

struct Options(Vec<(String, String)>);

impl Options {
    fn parse(query: &str) -> Result<Self, InvalidUrl> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let options = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(
                if name.contains("pass") {
                    "password"
                } else {
                    "query"
                },
                value,
            )?;
            Ok((name.to_owned(), value))
        });
        options.collect::<Result<_, _>>().map(Self)
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(option, _)| option == name)?;
        Some(self.0.remove(at).1)
    }

    /// Nobody asked for what is left: a misspelt option is told, not ignored.
    fn finish(self) -> Result<(), InvalidUrl> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => wrong(
                "query",
                name,
                "db, user, pass (for a socket), sentinel_user, sentinel_pass (for Sentinel) or ca, cert, key (with TLS)",
            ),
        }
    }
}

fn database(text: &str) -> Result<i64, InvalidUrl> {
    match text.trim_matches('/') {
        "" => Ok(0),
        digits => match digits.parse::<u16>() {
            Ok(db) => Ok(i64::from(db)),
            Err(_) => wrong("database", digits, "a small number, for example /0"),
        },
    }
}

/// Percent-decoding (RFC 3986, section 2.1).
fn decode(part: &'static str, text: &str) -> Result<String, InvalidUrl> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'%' {
            let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
            match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                Some(byte) => bytes.push(byte),
                None => return hidden(part),
            }
            rest = &after[2..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8(bytes).or_else(|_| hidden(part))
}

fn hidden<T>(part: &'static str) -> Result<T, InvalidUrl> {
    Err(InvalidUrl {
        part,
        found: "something that cannot be decoded".to_owned(),
        expected: "percent-encoded UTF-8 (a % itself is %25)",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        url.parse::<Endpoint>().unwrap().to_string()
    }

    fn part(url: &str) -> &'static str {
        url.parse::<Endpoint>().unwrap_err().part
    }

    #[test]
    fn every_kind_of_endpoint_comes_from_one_url_and_never_shows_its_password() {
        for (url, expected) in [
            ("redis://localhost", "redis://localhost:6379"),
            ("redis://h:1/3", "redis://h:1/3"),
            ("rediss://u:s%40cret@h", "rediss://u:***@h:6379"),
            ("redis://:secret@[::1]:7000", "redis://:***@[::1]:7000"),
            (
                "redis+unix:///run/r.sock?db=2&pass=secret",
                "redis+unix:///run/r.sock?db=2",
            ),
            (
                "redis+sentinel://a,b:27/main/1?sentinel_pass=secret",
                "redis+sentinel://a:26379,b:27/main/1",
            ),
            (
                "rediss+cluster://u:secret@a:1,b:2",
                "rediss+cluster://u:***@a:1,b:2",
            ),
        ] {
            assert_eq!(shown(url), expected);
            assert!(!format!("{:?}", url.parse::<Endpoint>().unwrap()).contains("secret"));
        }
        let endpoint: Endpoint = "redis://u:s%40cret@h".parse().unwrap();
        assert_eq!(endpoint.login.password.as_deref(), Some("s@cret"));
        assert_eq!(endpoint.login.user.as_deref(), Some("u"));
        assert!(
            "redis+cluster://a"
                .parse::<Endpoint>()
                .unwrap()
                .is_cluster()
        );
    }

    #[test]
    fn an_error_names_the_part_that_is_wrong() {
        assert_eq!(part("localhost:6379"), "scheme");
        assert_eq!(part("http://localhost"), "scheme");
        assert_eq!(part("redis://"), "host");
        assert_eq!(part("redis://a,b"), "host");
        assert_eq!(part("redis://a:99999"), "port");
        assert_eq!(part("redis://a:0"), "port");
        assert_eq!(part("redis://a/x"), "database");
        assert_eq!(part("redis://:%zz@a"), "password");
        assert_eq!(part("redis+unix://"), "path");
        assert_eq!(part("redis+sentinel://a"), "path");
        assert_eq!(part("redis+cluster://a/2"), "database");
        assert_eq!(part("redis://a?dv=2"), "query");
        assert_eq!(part("redis://a#insecure"), "fragment");
        let error = "redis://:%zzsecret@a".parse::<Endpoint>().unwrap_err();
        assert!(!error.to_string().contains("secret"));
    }
}
