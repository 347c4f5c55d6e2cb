//! `version:` of a section: the wanted version of a component's chart.

use super::section::Reserved;
use crate::catalogue::Component;
use crate::yaml::{Problem, Problems};

/// The version that a section asks for; one that is older than the component is written for is a warning, and the pin is used.
pub(super) fn wanted(
    reserved: &Reserved,
    component: &Component,
    title: &str,
    problems: &mut Problems,
) -> Option<String> {
    let (version, at) = reserved.version.as_ref()?;
    let pin = component.pinned_version();
    if let (Some(pin), Some(wanted)) = (pin.and_then(leading), leading(version))
        && wanted >= pin
    {
        return Some(version.clone());
    }
    let Some(pin) = pin else {
        return Some(version.clone());
    };
    problems.push(
        Problem::warning("old-version", format!("`{title}.version: {version}` is older than this component is written for; `{pin}` is used"))
            .at(at)
            .help("remove `version`, or write a newer one"),
    );
    None
}

/// What counts in a version: the first number, and the second while the first is 0. None when it has no number.
fn leading(version: &str) -> Option<(u64, u64)> {
    let plain = version.trim_start_matches('v');
    let mut numbers = plain.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u64>);
    let major = numbers.next()?.ok()?;
    let minor = numbers.next().and_then(Result::ok).unwrap_or(0);
    Some((major, if major == 0 { minor } else { 0 }))
}

#[cfg(test)]
mod tests {
    use super::leading;

    #[test]
    fn versions_are_compared_by_what_breaks() {
        assert!(leading("0.8-de79a04") < leading("4.2.0"));
        assert!(leading("0.8") < leading("0.9.1"));
        assert_eq!(leading("v4.1"), leading("4.9.2"));
        assert_eq!(leading("latest"), None);
    }
}
