//! What a process listens on, read from the kernel's own tables.

use std::collections::HashSet;
use std::fs;

/// Every listening socket of a process, of any kind, one line each; datagram sockets that are bound count as well.
///
/// # Panics
/// When the process is not there.
pub fn listening(pid: u32) -> Vec<String> {
    let own: HashSet<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("the process is there")
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| {
            Some(
                link.to_str()?
                    .strip_prefix("socket:[")?
                    .strip_suffix(']')?
                    .to_owned(),
            )
        })
        .collect();
    let mut found = Vec::new();
    // proc_pid_net(5): the columns are local address, remote address, state, …, inode.
    for (table, waiting) in [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")] {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let columns: Vec<&str> = line.split_whitespace().collect();
            if columns.get(3) == Some(&waiting)
                && columns.get(9).is_some_and(|inode| own.contains(*inode))
            {
                found.push(format!("{table} {}", columns[1]));
            }
        }
    }
    // The flag of `listen`, `__SO_ACCEPTCON`, is 0x10000.
    let text = fs::read_to_string(format!("/proc/{pid}/net/unix")).unwrap_or_default();
    for line in text.lines().skip(1) {
        let columns: Vec<&str> = line.split_whitespace().collect();
        if columns.get(3) == Some(&"00010000")
            && columns.get(6).is_some_and(|inode| own.contains(*inode))
        {
            found.push(format!("unix {}", columns.get(7).unwrap_or(&"")));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_of_any_kind_is_seen() {
        assert!(listening(std::process::id()).is_empty());
        let directory = tempfile::tempdir().unwrap();
        let _tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let _unix = std::os::unix::net::UnixListener::bind(directory.path().join("s")).unwrap();
        let _udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(listening(std::process::id()).len(), 3);
    }
}
