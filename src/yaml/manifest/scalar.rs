//! Plain scalars as Helm, kubectl and the API server read them.

use serde_json::{Number, Value as Json};

/// A plain key as Go's conversion to JSON writes it: numbers and truth values in their one form, the rest as it is.
pub(super) fn key_text(text: &str) -> String {
    match plain_scalar(text) {
        Json::Bool(b) => b.to_string(),
        Json::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
        Json::Number(_) | Json::Null | Json::String(_) | Json::Array(_) | Json::Object(_) => {
            text.to_owned()
        }
    }
}

/// Resolves an unquoted scalar by the rules of the Go library that Helm, kubectl and the API server use (YAML 1.1 without
/// base 60).
pub(super) fn plain_scalar(text: &str) -> Json {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Json::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Json::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Json::Bool(false)
        }
        _ => number(text).map_or_else(|| Json::String(text.to_owned()), Json::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return None;
    }
    let plain = text.replace('_', "");
    let (negative, digits) = match plain.strip_prefix(['-', '+']) {
        Some(rest) => (plain.starts_with('-'), rest),
        None => (false, plain.as_str()),
    };
    if let Some(whole) = whole(digits) {
        return match (negative, i64::try_from(whole)) {
            (false, _) => Some(whole.into()),
            (true, Ok(whole)) => Some((-whole).into()),
            (true, Err(_)) => None,
        };
    }
    let decimal = !digits.is_empty()
        && digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '-' | '+'))
        && digits.contains(|c: char| c.is_ascii_digit());
    // A decimal number that is whole is written as such, as Go's JSON does.
    let value = decimal.then(|| plain.parse::<f64>().ok())??;
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return format!("{value:.0}").parse::<i64>().ok().map(Into::into);
    }
    Number::from_f64(value)
}

/// Go's `ParseUint` with base 0: a leading zero means octal.
fn whole(digits: &str) -> Option<u64> {
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let lower = digits.to_ascii_lowercase();
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(rest) = lower.strip_prefix(prefix) {
            return u64::from_str_radix(rest, radix).ok();
        }
    }
    match lower.strip_prefix('0') {
        Some(rest) if !rest.is_empty() => u64::from_str_radix(rest, 8).ok(),
        Some(_) | None => lower.parse().ok(),
    }
}
