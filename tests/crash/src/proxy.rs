//! A TCP proxy in front of Redis that misbehaves on command: cuts, goes silent, is slow, or cuts inside a commit.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How bytes are passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// At once.
    Pass,
    /// Not at all, and the connections stay open: half-open, as each side sees it.
    Silent,
    /// Each piece after this long.
    Slow(Duration),
}

/// Listens on a port of 127.0.0.1 until it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    target: u16,
    mode: watch::Sender<Mode>,
    /// Rises with each cut.
    cut: watch::Sender<u64>,
    /// The next commit's reply is not passed on.
    armed: AtomicBool,
    swallowed: AtomicU64,
}

impl Proxy {
    /// In front of this port of 127.0.0.1.
    pub(crate) async fn start(target: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.context("no port for the proxy")?;
        let shared = Arc::new(Shared {
            target,
            mode: watch::Sender::new(Mode::Pass),
            cut: watch::Sender::new(0),
            armed: AtomicBool::new(false),
            swallowed: AtomicU64::new(0),
        });
        Ok(Self {
            port: listener.local_addr().context("the proxy's address")?.port(),
            accepting: tokio::spawn(accept(listener, shared.clone())),
            shared,
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.shared.mode.send_replace(mode);
    }

    /// Closes every connection, with a reset where bytes were still on their way.
    pub(crate) fn cut(&self) {
        self.shared.cut.send_modify(|times| *times += 1);
    }

    /// Lets the next commit reach Redis and closes its connection instead of passing on the reply.
    pub(crate) fn swallow_a_commit(&self) {
        self.shared.armed.store(true, Ordering::Relaxed);
    }

    /// How often that has happened.
    pub(crate) fn swallowed(&self) -> u64 {
        self.shared.swallowed.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(connection(client, shared.clone()));
    }
}

async fn connection(client: TcpStream, shared: Arc<Shared>) {
    // A server that is not there closes the client's connection too.
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, shared.target)).await else {
        return;
    };
    // Both fail only on a connection that is gone already.
    drop((client.set_nodelay(true), server.set_nodelay(true)));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut cut = shared.cut.subscribe();
    let swallow = AtomicBool::new(false);
    tokio::select! {
        () = up(from_client, to_server, &shared, &swallow) => {}
        () = down(from_server, to_client, &shared, &swallow) => {}
        _ = cut.changed() => {}
    }
}

/// Waits until a piece may be passed on.
async fn wait(mode: &mut watch::Receiver<Mode>) {
    loop {
        let now = *mode.borrow_and_update();
        match now {
            Mode::Pass => return,
            Mode::Slow(pause) => return tokio::time::sleep(pause).await,
            Mode::Silent if mode.changed().await.is_err() => return,
            Mode::Silent => {}
        }
    }
}

async fn up(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    swallow: &AtomicBool,
) {
    let mut mode = shared.mode.subscribe();
    let mut piece = vec![0; 1 << 16];
    while let Ok(n @ 1..) = from.read(&mut piece).await {
        wait(&mut mode).await;
        if shared.armed.load(Ordering::Relaxed)
            && is_commit(&piece[..n])
            && shared.armed.swap(false, Ordering::Relaxed)
        {
            swallow.store(true, Ordering::Relaxed);
        }
        if to.write_all(&piece[..n]).await.is_err() {
            return;
        }
    }
}

async fn down(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    swallow: &AtomicBool,
) {
    let mut mode = shared.mode.subscribe();
    let mut piece = vec![0; 1 << 16];
    while let Ok(n @ 1..) = from.read(&mut piece).await {
        wait(&mut mode).await;
        if swallow.load(Ordering::Relaxed) {
            shared.swallowed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if to.write_all(&piece[..n]).await.is_err() {
            return;
        }
    }
}

/// Whether a request begins here that calls a script with four keys or more, which only commits do.
fn is_commit(piece: &[u8]) -> bool {
    const CALL: &[u8] = b"\r\nEVALSHA\r\n$40\r\n";
    let Some(at) = piece.windows(CALL.len()).position(|part| part == CALL) else {
        return false;
    };
    // The hash, the end of its line, and the length of the number of keys.
    let rest = piece.get(at + CALL.len() + 40..).unwrap_or(&[]);
    match rest {
        [b'\r', b'\n', b'$', b'1', b'\r', b'\n', digit, b'\r', ..] => *digit >= b'4',
        [b'\r', b'\n', b'$', b'2', ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_told_from_other_scripts_by_its_keys() {
        let call = |keys: &str| {
            let hash = "a".repeat(40);
            let n = keys.len();
            format!("*9\r\n$7\r\nEVALSHA\r\n$40\r\n{hash}\r\n${n}\r\n{keys}\r\n")
        };
        assert!(is_commit(call("4").as_bytes()));
        assert!(is_commit(call("10").as_bytes()));
        assert!(!is_commit(call("2").as_bytes()));
        assert!(!is_commit(b"*1\r\n$4\r\nPING\r\n"));
    }
}
