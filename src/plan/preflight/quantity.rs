//! Kubernetes quantities as whole thousandths, so that sums and comparisons are exact.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// How much of each resource, in thousandths: of cores, of bytes, of devices.
pub(super) type Amounts = BTreeMap<String, i128>;

/// Suffixes and what they stand for: in thousandths as a multiplier and a divisor.
const SUFFIXES: [(&str, i128, i128); 16] = [
    ("Ki", 1 << 10, 1),
    ("Mi", 1 << 20, 1),
    ("Gi", 1 << 30, 1),
    ("Ti", 1 << 40, 1),
    ("Pi", 1 << 50, 1),
    ("Ei", 1 << 60, 1),
    ("n", 1, 1_000_000_000),
    ("u", 1, 1_000_000),
    ("m", 1, 1_000),
    ("k", 1_000, 1),
    ("M", 1_000_000, 1),
    ("G", 1_000_000_000, 1),
    ("T", 1_000_000_000_000, 1),
    ("P", 1_000_000_000_000_000, 1),
    ("E", 1_000_000_000_000_000_000, 1),
    ("", 1, 1),
];

/// Reads a quantity in thousandths, rounded up as Kubernetes does; nothing for a text that is none.
pub(super) fn parse(text: &str) -> Option<i128> {
    let text = text.trim();
    if let Some((number, power)) = exponent(text) {
        return scaled(number, i32::from(power), 1, 1);
    }
    let (suffix, times, parts) = SUFFIXES.iter().find(|(suffix, _, _)| text.ends_with(suffix))?;
    scaled(text.strip_suffix(suffix)?, 0, *times, *parts)
}

/// A quantity as JSON writes it.
pub(super) fn of_json(json: &Json) -> Option<i128> {
    match json {
        Json::String(text) => parse(text),
        Json::Number(number) => parse(&number.to_string()),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

/// A map of quantities; what is none is left out.
pub(super) fn amounts(json: Option<&Json>) -> Amounts {
    let map = json.and_then(Json::as_object).into_iter().flatten();
    map.filter_map(|(name, value)| Some((name.clone(), of_json(value)?))).collect()
}

/// `12e6` as number and power; `E` alone is a suffix.
fn exponent(text: &str) -> Option<(&str, i8)> {
    let (number, power) = text.split_once(['e', 'E'])?;
    if power.is_empty() { None } else { Some((number, power.parse().ok()?)) }
}

fn scaled(number: &str, power: i32, times: i128, parts: i128) -> Option<i128> {
    let (sign, digits) = match number.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.len() > 18 {
        return None;
    }
    let all = format!("{whole}{fraction}");
    if !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: i128 = all.parse().ok()?;
    let down = i32::try_from(fraction.len()).ok()? - power;
    let ten = |power: i32| 10_i128.checked_pow(u32::try_from(power).ok()?);
    let (up, down) = if down < 0 { (ten(-down)?, 1) } else { (1, ten(down)?) };
    let above = value.checked_mul(1_000)?.checked_mul(times)?.checked_mul(up)?;
    let below = parts.checked_mul(down)?;
    Some(sign * ((above + below - 1) / below))
}

/// Adds amounts to others.
pub(super) fn add(to: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        *to.entry(name.clone()).or_default() += amount;
    }
}

/// Takes amounts off others.
pub(super) fn take(from: &mut Amounts, less: &Amounts) {
    for (name, amount) in less {
        *from.entry(name.clone()).or_default() -= amount;
    }
}

/// The larger of each.
pub(super) fn larger(to: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        let entry = to.entry(name.clone()).or_insert(*amount);
        *entry = (*entry).max(*amount);
    }
}

/// An amount as a person reads it: bytes as GiB or MiB, everything else as a number.
pub(super) fn shown(resource: &str, amount: i128) -> String {
    const IN_BYTES: [&str; 3] = ["memory", "storage", "hugepages"];
    if IN_BYTES.iter().any(|word| resource.contains(word)) {
        let mib = 1_000 << 20;
        let (unit, word) =
            if amount.abs() >= mib << 10 { (mib << 10, "GiB") } else { (mib, "MiB") };
        return format!("{} {word}", tenths(amount, unit));
    }
    tenths_or_finer(amount)
}

/// With one decimal, rounded down: what is free is never overstated.
fn tenths(amount: i128, unit: i128) -> String {
    let tenths = amount * 10 / unit;
    let sign = if tenths < 0 { "-" } else { "" };
    let tenths = tenths.abs();
    match tenths % 10 {
        0 => format!("{sign}{}", tenths / 10),
        rest => format!("{sign}{}.{rest}", tenths / 10),
    }
}

fn tenths_or_finer(amount: i128) -> String {
    if amount % 1_000 == 0 {
        return (amount / 1_000).to_string();
    }
    if amount % 100 == 0 { tenths(amount, 1_000) } else { format!("{amount}m") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_reads_them() {
        let cases = [
            ("1", 1_000),
            ("100m", 100),
            ("0.5", 500),
            (".5", 500),
            ("1.5Gi", 1_610_612_736_000),
            ("2k", 2_000_000),
            ("1e3", 1_000_000),
            ("12E2", 1_200_000),
            ("1E", 1_000_000_000_000_000_000_000),
            ("1u", 1),
            ("1500n", 1),
            ("5e-1", 500),
            ("-1", -1_000),
            ("16Mi", 16_777_216_000),
        ];
        for (text, thousandths) in cases {
            assert_eq!(parse(text), Some(thousandths), "{text}");
        }
        for text in [
            "",
            "Gi",
            "x",
            "1GB",
            "1 Gi",
            "1..2",
            "--1",
            "1e",
            "9999999999999999999999999999999999999999Ei",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_person_reads_gibibytes_and_cores() {
        let of = |resource: &str, text: &str| shown(resource, parse(text).unwrap());
        assert_eq!(of("memory", "11500Mi"), "11.2 GiB");
        assert_eq!(of("memory", "512Mi"), "512 MiB");
        assert_eq!(of("requests.storage", "1Ti"), "1024 GiB");
        assert_eq!(of("cpu", "1500m"), "1.5");
        assert_eq!(of("cpu", "250m"), "250m");
        assert_eq!(of("nvidia.com/gpu", "2"), "2");
    }
}
