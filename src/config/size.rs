//! Sizes of machines and disks in data-mill's words: `memory` in MiB, `storage` with `G` as GiB, as minikube reads them.

/// A size in MiB: a bare number counts in `unit` MiB.
pub(super) fn mebibytes(text: &str, unit: u64) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let factor =
        match suffix.trim().to_ascii_lowercase().trim_end_matches('b').trim_end_matches('i') {
            "" => unit,
            "m" => 1,
            "g" => 1024,
            "t" => 1024 * 1024,
            _ => return None,
        };
    number.checked_mul(factor).filter(|size| *size > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_minikube_reads_them() {
        assert_eq!(mebibytes("16288", 1), Some(16288));
        assert_eq!(mebibytes("60G", 1024), Some(60 * 1024));
        assert_eq!(mebibytes("60Gi", 1024), Some(60 * 1024));
        assert_eq!(mebibytes("60gb", 1024), Some(60 * 1024));
        assert_eq!(mebibytes("60", 1024), Some(60 * 1024));
        assert_eq!(mebibytes("512MiB", 1), Some(512));
        assert_eq!(mebibytes("1T", 1), Some(1024 * 1024));
        for wrong in ["", "G", "6x", "-1", "1.5G", "0"] {
            assert_eq!(mebibytes(wrong, 1), None, "{wrong}");
        }
    }
}
