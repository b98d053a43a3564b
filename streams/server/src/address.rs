use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Listen {
    /// A Unix socket named `redis.sock` in the data directory, and no port at all. The default: no other user of the machine can reach it.
    DataDirSocket,
    /// A Unix socket at this path (at most 100 bytes), and no port at all.
    Socket(PathBuf),
    /// A free port of 127.0.0.1, chosen at the first start and kept across restarts.
    FreePort,
    /// This port of 127.0.0.1.
    Port(u16),
}

/// What a running server listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Socket(PathBuf),
    Port(u16),
}

impl Address {
    /// `None` if a free port was wanted and the system has none.
    pub(crate) fn choose(listen: &Listen, data_dir: &Path) -> std::io::Result<Self> {
        Ok(match listen {
            Listen::DataDirSocket => Self::Socket(data_dir.join("redis.sock")),
            Listen::Socket(path) => Self::Socket(path.clone()),
            Listen::Port(port) => Self::Port(*port),
            Listen::FreePort => {
                // Another process may take the port between this and the server's own bind; the caller then asks for another.
                let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
                Self::Port(probe.local_addr()?.port())
            }
        })
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Socket(path) => format!("redis+unix://{}", path.display()),
            Self::Port(port) => format!("redis://127.0.0.1:{port}"),
        }
    }

    pub(crate) fn args(&self) -> Vec<String> {
        match self {
            Self::Socket(path) => vec![
                "--port".into(),
                "0".into(),
                "--unixsocket".into(),
                path.display().to_string(),
                "--unixsocketperm".into(),
                "700".into(),
            ],
            Self::Port(port) => vec![
                "--bind".into(),
                "127.0.0.1".into(),
                "--port".into(),
                port.to_string(),
            ],
        }
    }
}
