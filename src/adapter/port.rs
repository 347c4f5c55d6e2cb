//! Free ports on the loopback.

use std::net::{Ipv4Addr, TcpListener};

/// Below what systems hand out for connections, so that a port stays free while its cluster is stopped.
const RANGE: std::ops::Range<u16> = 18_000..30_000;

/// As many different ports as asked for that nobody listens on, from a random place on: two runs at once rarely meet.
pub fn free(count: usize) -> Vec<u16> {
    let start = rand::random_range(RANGE);
    let candidates = (start..RANGE.end).chain(RANGE.start..start);
    // The listeners live until all are found, so that none is found twice.
    let listeners: Vec<_> = candidates
        .filter_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
        .take(count)
        .collect();
    listeners.iter().filter_map(|listener| Some(listener.local_addr().ok()?.port())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_are_free() {
        let ports = free(6);
        let different: std::collections::BTreeSet<_> = ports.iter().collect();
        assert_eq!(different.len(), 6);
        assert!(ports.iter().all(|port| RANGE.contains(port)));
    }
}
