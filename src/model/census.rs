//! How much data there is, as far as its provider can tell: what a person reads before it goes.

/// How much a resource of class data holds. What a provider cannot tell is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// The room it has, as its owner says it (`10Gi`).
    pub room: Option<String>,
    /// How many objects are in it.
    pub objects: Option<u64>,
    /// How many bytes they have.
    pub bytes: Option<u64>,
    /// When it was last written, for people.
    pub last_write: Option<String>,
    /// Copies that would be left (snapshots, older versions).
    pub copies: Option<u64>,
}

impl Census {
    /// In words, for a line: `10Gi, 3 objects, 4.2 GiB, last written 2026-01-31`; nothing when nobody can tell.
    pub fn says(&self) -> Option<String> {
        let counted = |count: u64, one: &str| {
            if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
        };
        let parts: Vec<String> = [
            self.room.clone(),
            self.objects.map(|count| counted(count, "object")),
            self.bytes.map(size),
            self.last_write.as_ref().map(|time| format!("last written {time}")),
            self.copies.map(|count| {
                if count == 1 { "1 copy".to_owned() } else { format!("{count} copies") }
            }),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// Bytes in the largest unit that leaves at least one, with one digit behind the point.
fn size(bytes: u64) -> String {
    const UNITS: [(u32, &str); 4] = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    for (shift, unit) in UNITS {
        let whole = bytes >> shift;
        if whole > 0 {
            let tenth = ((bytes - (whole << shift)) * 10) >> shift;
            return format!("{whole}.{tenth} {unit}");
        }
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_is_said() {
        assert_eq!(Census::default().says(), None);
        let room = Census { room: Some("10Gi".to_owned()), ..Census::default() };
        assert_eq!(room.says().unwrap(), "10Gi");
        let bucket = Census {
            objects: Some(1),
            bytes: Some(4_509_715_660),
            last_write: Some("2026-01-31".to_owned()),
            copies: Some(2),
            ..Census::default()
        };
        assert_eq!(bucket.says().unwrap(), "1 object, 4.1 GiB, last written 2026-01-31, 2 copies");
        assert_eq!(Census { bytes: Some(0), ..Census::default() }.says().unwrap(), "0 bytes");
        assert_eq!(
            Census { bytes: Some(u64::MAX), ..Census::default() }.says().unwrap(),
            "16777215.9 TiB"
        );
    }
}
