//! Packing and unpacking in memory. What is unpacked has a bound: a few bytes can stand for very many.

use std::io::{self, Read as _, Write as _};

pub use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// Packs bytes.
pub fn pack(bytes: &[u8], compression: Compression) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), compression);
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Unpacks at most so many bytes; what is beyond them is cut off.
pub fn unpack(packed: &[u8], most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    GzDecoder::new(packed).take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back_and_never_more_than_asked_for() {
        let zeros = vec![0; 100_000];
        let packed = pack(&zeros, Compression::best()).unwrap();
        assert!(packed.len() < 1000);
        assert_eq!(unpack(&packed, 1_000_000).unwrap(), zeros);
        assert_eq!(unpack(&packed, 10).unwrap(), [0; 10]);
        assert!(unpack(b"no gzip", 10).is_err());
    }
}
