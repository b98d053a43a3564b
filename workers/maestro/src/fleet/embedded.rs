//! A Redis of the fleet's own: a child process on a private socket, with an append-only file.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use maestro_redis_server::{Error, Listen, Server};

use super::home::{Claim, Home};
use crate::exit::Exit;
use crate::fault::Fault;

/// How long a Redis that an earlier fleet left behind may take to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running Redis, announced in its directory.
#[derive(Debug)]
pub(crate) struct Embedded {
    server: Server,
    home: Home,
    _claim: Claim,
}

impl Embedded {
    /// Starts it. Blocks until it answers.
    pub(crate) fn start(home: Home) -> Result<Self, Fault> {
        let claim = home.claim()?;
        let socket = home.socket()?;
        dismiss(&socket)?;
        let server = Server::builder()
            .data_dir(home.redis_data()?)
            .listen(Listen::Socket(socket))
            .start()
            .map_err(|error| fault(&error))?;
        let embedded = Self {
            server,
            home,
            _claim: claim,
        };
        embedded.home.announce(&embedded.url())?;
        Ok(embedded)
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        match self.server.socket() {
            Some(socket) => format!("redis+unix://{}", encoded(socket)),
            None => self.server.url(),
        }
    }

    /// Starts it again if it has ended. Says whether it had.
    pub(crate) fn revive(&mut self) -> Result<bool, Fault> {
        if self.server.is_running() {
            return Ok(false);
        }
        self.server.restart().map_err(|error| fault(&error))?;
        Ok(true)
    }

    /// Ends it in order.
    pub(crate) fn stop(mut self) -> Result<(), Fault> {
        self.home.withdraw();
        self.server.shutdown().map_err(|error| fault(&error))
    }
}

fn fault(error: &Error) -> Fault {
    let mut sentence = error.to_string();
    if let Some(cause) = std::error::Error::source(error) {
        let _ = write!(sentence, ": {cause}");
    }
    let fault = Fault::new(Exit::Unavailable, sentence.replace('\n', " "));
    match error {
        Error::NotInstalled { .. } => fault.next("or name a running Redis with --redis-url"),
        _ => fault,
    }
}

/// The directory is ours now, so a Redis that still answers on its socket was left behind by a fleet that was killed. Two
/// servers on one append-only file would destroy it: the old one is asked to end first.
fn dismiss(socket: &Path) -> Result<(), Fault> {
    let Ok(mut stream) = UnixStream::connect(socket) else {
        // Nobody listens: a file that was left behind, which the new server replaces.
        return Ok(());
    };
    tracing::warn!(socket = %socket.display(), "a Redis was left behind by an earlier fleet; ending it");
    // If it cannot be told, it is still there at the deadline.
    let _ = stream.write_all(b"SHUTDOWN\r\n");
    let start = Instant::now();
    while UnixStream::connect(socket).is_ok() {
        if start.elapsed() > PATIENCE {
            return Err(Fault::unavailable(format!(
                "a Redis that an earlier fleet left behind on `{}` does not end",
                socket.display()
            ))
            .next("end that redis-server by hand"));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Percent-encoding of a path for a URL (RFC 3986, section 2.1).
fn encoded(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~+".contains(byte) {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_survives_its_url() {
        assert_eq!(
            encoded(Path::new("/a b/50%/#?é")),
            "/a%20b/50%25/%23%3F%C3%A9"
        );
    }
}
