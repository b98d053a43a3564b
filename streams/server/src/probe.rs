use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::address::Address;

/// Whether the server at this address answers, and is this very process: after a lost race for a port another one might.
pub(crate) fn is_ready(address: &Address, pid: u32) -> bool {
    ask(address, b"INFO server\r\n").is_ok_and(|reply| {
        reply
            .lines()
            .any(|line| line.trim_end() == format!("process_id:{pid}"))
    }) && ask(address, b"PING\r\n").is_ok_and(|reply| reply.starts_with("+PONG"))
}

/// Sends one inline command and reads its reply: a simple string, an error, or a bulk string.
fn ask(address: &Address, command: &[u8]) -> io::Result<String> {
    // A server that is loading its file or is paused keeps the connection and says nothing.
    let patience = Some(Duration::from_millis(500));
    match address {
        Address::Socket(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(patience)?;
            exchange(stream, command)
        }
        Address::Port(port) => {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, *port))?;
            stream.set_read_timeout(patience)?;
            exchange(stream, command)
        }
    }
}

fn exchange(mut stream: impl Read + Write, command: &[u8]) -> io::Result<String> {
    stream.write_all(command)?;
    let mut reply = Vec::new();
    let mut chunk = [0; 4096];
    while !is_whole(&reply) {
        match stream.read(&mut chunk)? {
            0 => break,
            n => reply.extend_from_slice(&chunk[..n]),
        }
    }
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

fn is_whole(reply: &[u8]) -> bool {
    let Some(end) = reply.windows(2).position(|pair| pair == b"\r\n") else {
        return false;
    };
    let line = &reply[..end];
    match line.split_first() {
        Some((b'$', length)) => std::str::from_utf8(length)
            .ok()
            .and_then(|length| length.parse::<usize>().ok())
            .is_none_or(|length| reply.len() >= end + 2 + length + 2),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bulk_reply_is_whole_only_with_its_last_byte() {
        assert!(!is_whole(b""));
        assert!(is_whole(b"+PONG\r\n"));
        assert!(is_whole(b"-LOADING\r\n"));
        assert!(!is_whole(b"$5\r\nhell"));
        assert!(!is_whole(b"$5\r\nhello\r"));
        assert!(is_whole(b"$5\r\nhello\r\n"));
    }
}
