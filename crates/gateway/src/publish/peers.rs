//! Whose a connection on loopback is, by the kernel's own tables of sockets (proc(5), `/proc/net/tcp`).
//!
//! TCP knows no credentials of a peer. The tables name each socket's user; they are opened before the gateway gives up
//! its files. A socket that nobody holds any more has no owner whatever the table says, and is nobody's.

use rustix::process::getuid;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The tables, in which an IPv4 connection of an IPv6 socket stands too.
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];
/// A longer table is read no further; a connection that was not found is refused.
const TABLE_BYTES_MAX: u64 = 32 << 20;
/// A table that changes while it is read can miss what is in it.
const LOOKS_MAX: usize = 3;

/// The tables, and whose connections are taken.
#[derive(Debug)]
pub(crate) struct Peers {
    uid: u32,
    tables: Mutex<Vec<File>>,
}

impl Peers {
    /// Opens the tables, for connections of the user that this process runs as.
    pub(crate) fn open() -> io::Result<Self> {
        Self::of(getuid().as_raw())
    }

    /// For connections of this user.
    pub(crate) fn of(uid: u32) -> io::Result<Self> {
        let tables = TABLES.iter().map(Path::new).filter(|table| table.exists()).map(File::open);
        Ok(Self { uid, tables: Mutex::new(tables.collect::<Result<_, _>>()?) })
    }

    /// Whether the socket at `peer` that is connected to `own` is held by a process of the owner's.
    pub(super) fn is_owners(&self, peer: SocketAddr, own: SocketAddr) -> bool {
        let rows = rows(peer, own);
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..LOOKS_MAX {
            for table in tables.iter_mut() {
                // A table that can't be read knows nobody.
                let Ok(text) = read(table) else { continue };
                if let Some(found) = text.lines().find_map(|line| rows.iter().find_map(|row| held(line, row)))
                {
                    return found == Some(self.uid);
                }
            }
        }
        false
    }
}

fn read(table: &mut File) -> io::Result<String> {
    table.seek(SeekFrom::Start(0))?;
    let mut text = String::new();
    table.take(TABLE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// `LOCAL REMOTE` as the tables have it, by IPv4 and by IPv6.
fn rows(peer: SocketAddr, own: SocketAddr) -> Vec<String> {
    let as_v6 = |address: SocketAddr| match address.ip() {
        IpAddr::V4(v4) => SocketAddr::new(v4.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    };
    let row = |peer, own| format!("{} {}", written(peer), written(own));
    vec![row(peer, own), row(as_v6(peer), as_v6(own))]
}

/// Words of 32 bits as this machine reads them, in hexadecimal.
fn written(address: SocketAddr) -> String {
    let octets = match address.ip() {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => Ipv6Addr::octets(&v6).to_vec(),
    };
    let words = octets.as_chunks::<4>().0.iter().map(|word| format!("{:08X}", u32::from_ne_bytes(*word)));
    format!("{}:{:04X}", words.collect::<String>(), address.port())
}

/// If the line is of this connection: the user that holds it; `None` in it if nobody does.
fn held(line: &str, row: &str) -> Option<Option<u32>> {
    let (_, rest) = line.split_once(": ")?;
    let rest = rest.strip_prefix(row)?;
    // State, queues, timer, retransmissions; then user, timeout, inode.
    let fields: Vec<&str> = rest.split_ascii_whitespace().take(7).collect();
    let [_, _, _, _, uid, _, inode] = fields.as_slice() else { return Some(None) };
    // Closed and waiting to be forgotten: the user in the table is 0, whoever it was.
    Some(if *inode == "0" { None } else { uid.parse().ok() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    fn pair(listen: &str, connect: &str) -> (TcpStream, TcpStream, SocketAddr, SocketAddr) {
        let listener = TcpListener::bind(listen).unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = TcpStream::connect(format!("{connect}:{port}")).unwrap();
        let (server, peer) = listener.accept().unwrap();
        let own = server.local_addr().unwrap();
        (client, server, peer, own)
    }

    #[test]
    fn a_connection_is_the_users_who_holds_its_other_end_and_nobody_elses() {
        for (listen, connect) in [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "[::1]")] {
            let (client, _server, peer, own) = pair(listen, connect);
            let uid = getuid().as_raw();
            assert!(Peers::open().unwrap().is_owners(peer, own), "{listen}");
            assert!(!Peers::of(uid + 1).unwrap().is_owners(peer, own), "{listen}");
            let other = SocketAddr::new(peer.ip(), peer.port() ^ 1);
            assert!(!Peers::open().unwrap().is_owners(other, own), "{listen}");
            // The table has 0 for what nobody holds any more, which is a user, too.
            drop(client);
            assert!(!Peers::open().unwrap().is_owners(peer, own), "{listen}");
            assert!(!Peers::of(0).unwrap().is_owners(peer, own), "{listen}");
        }
    }

    #[test]
    fn a_line_is_read_as_the_kernel_writes_it() {
        let row = "0100007F:9C40 0100007F:0BB8";
        let line =
            |uid, inode| format!("  12: {row} 01 00000000:00000000 00:00000000 00000000 {uid} 0 {inode} 1");
        assert_eq!(held(&line("1000", "777"), row), Some(Some(1000)));
        assert_eq!(held(&line("1000", "0"), row), Some(None));
        assert_eq!(held(&line("1000", "777"), "0100007F:9C41 0100007F:0BB8"), None);
        assert_eq!(held("  12: 0100007F:9C40 0100007F:0BB8 01", row), Some(None));
        let (peer, own) = ("127.0.0.1:40000".parse().unwrap(), "127.0.0.1:3000".parse().unwrap());
        if cfg!(target_endian = "little") {
            let mapped = "0000000000000000FFFF00000100007F:9C40 0000000000000000FFFF00000100007F:0BB8";
            assert_eq!(rows(peer, own), [row, mapped]);
        }
    }
}
