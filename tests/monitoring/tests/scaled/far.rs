//! A Redis that is far away: every piece takes its time, in both directions. That makes a worker slow without keeping a processor
//! busy, as networks do.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Passes on what comes to a port of 127.0.0.1 to a socket, each piece after `distance`. Ends with the process.
pub(crate) fn far(socket: &Path, distance: Duration) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let socket = PathBuf::from(socket);
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = UnixStream::connect(&socket) else {
                continue;
            };
            client.set_nodelay(true).expect("an option");
            let (from_client, to_server) = (client.try_clone(), server.try_clone());
            let (from_client, to_server) = (from_client.expect("it"), to_server.expect("it"));
            thread::spawn(move || carry(from_client, to_server, distance));
            thread::spawn(move || back(server, client, distance));
        }
    });
    port
}

fn carry(mut from: TcpStream, mut to: UnixStream, distance: Duration) {
    pass(&mut from, &mut to, distance);
    // A side that is gone already cannot be told.
    let _ = to.shutdown(Shutdown::Both);
}

fn back(mut from: UnixStream, mut to: TcpStream, distance: Duration) {
    pass(&mut from, &mut to, distance);
    let _ = to.shutdown(Shutdown::Both);
}

fn pass(from: &mut impl Read, to: &mut impl Write, distance: Duration) {
    let mut piece = vec![0; 64 * 1024];
    while let Ok(n) = from.read(&mut piece) {
        if n == 0 {
            return;
        }
        // The distance itself; nothing waits for something to be done meanwhile.
        thread::sleep(distance);
        if to.write_all(&piece[..n]).is_err() {
            return;
        }
    }
}
