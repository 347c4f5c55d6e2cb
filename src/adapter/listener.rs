//! On which addresses a process listens, as the kernel says. Linux only; elsewhere nothing is known, and nothing is found.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use super::files;

/// The state of a socket that listens.
const LISTEN: &str = "0A";

/// The addresses that a process listens on.
pub fn addresses(process: i32) -> BTreeSet<SocketAddr> {
    let root = Path::new("/proc").join(process.to_string());
    let links = files::list(&root.join("fd")).unwrap_or_default();
    let sockets: BTreeSet<_> = links
        .iter()
        .filter_map(|link| link.read_link().ok())
        .filter_map(|target| {
            let name = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(name.to_owned())
        })
        .collect();
    let tables = ["net/tcp", "net/tcp6"].map(|file| files::read(&root.join(file)));
    tables
        .iter()
        .flatten()
        .flat_map(|table| listening(table))
        .filter(|(socket, _)| sockets.contains(socket))
        .map(|(_, address)| address)
        .collect()
}

/// The listening sockets of a kernel table, by number.
fn listening(table: &str) -> Vec<(String, SocketAddr)> {
    let read = |line: &str| {
        let mut words = line.split_whitespace();
        let local = words.nth(1)?;
        let state = words.nth(1)?;
        let socket = words.nth(5)?;
        (state == LISTEN).then(|| Some((socket.to_owned(), address(local)?)))?
    };
    table.lines().skip(1).filter_map(read).collect()
}

/// An address as the kernel writes it: words of four bytes in the machine's order, then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::new();
    for at in (0..host.len()).step_by(8) {
        let word = u32::from_str_radix(host.get(at..at + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let ip = match bytes.len() {
        4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn the_kernels_addresses_are_read() {
        assert_eq!(address("0100007F:1F90").unwrap().to_string(), "127.0.0.1:8080");
        assert_eq!(address("00000000:0016").unwrap().to_string(), "0.0.0.0:22");
        let loopback = "00000000000000000000000001000000:01BB";
        assert_eq!(address(loopback).unwrap().to_string(), "[::1]:443");
        assert_eq!(address("xyz"), None);
    }

    #[test]
    fn what_this_process_listens_on_is_found() {
        if !Path::new("/proc/self/fd").exists() {
            return;
        }
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = i32::try_from(std::process::id()).unwrap();
        assert!(addresses(ours).contains(&listener.local_addr().unwrap()));
    }
}
