//! Regions and zones of clouds: shapes only, with the spelling of the other cloud as a suggestion.

use crate::config::target::RemoteProvider;

/// The right spelling when a region is not written as its cloud writes regions; none when it is well written, an empty one when nothing is near.
pub(super) fn region_mistake(provider: RemoteProvider, region: &str) -> Option<String> {
    mistake(provider, region, is_region)
}

/// As [`region_mistake`], for a zone.
pub(super) fn zone_mistake(provider: RemoteProvider, zone: &str) -> Option<String> {
    mistake(provider, zone, is_zone)
}

fn mistake(
    provider: RemoteProvider,
    text: &str,
    fits: fn(RemoteProvider, &str) -> bool,
) -> Option<String> {
    if fits(provider, text) {
        return None;
    }
    let candidates = match provider {
        RemoteProvider::Aws => [with_dash(text), with_dash(&without_last_dash(text))],
        RemoteProvider::Gcp => [without_dash(text), zone_dash(&without_dash(text))],
    };
    Some(candidates.into_iter().find(|text| fits(provider, text)).unwrap_or_default())
}

/// `us-east-1`, `us-gov-west-1`; `us-east1` on Google.
fn is_region(provider: RemoteProvider, text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let word = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase());
    match (provider, parts.as_slice()) {
        (RemoteProvider::Aws, [words @ .., number]) => {
            words.len() >= 2
                && words.iter().all(word)
                && number.len() <= 2
                && number.parse::<u8>().is_ok()
        }
        (RemoteProvider::Gcp, [continent, place]) => {
            let letters = place.trim_end_matches(|c: char| c.is_ascii_digit());
            word(continent) && word(&letters) && letters.len() < place.len()
        }
        _ => false,
    }
}

/// `us-east-1a`; `us-east1-b` on Google.
fn is_zone(provider: RemoteProvider, text: &str) -> bool {
    let Some(letter) = text.chars().next_back().filter(char::is_ascii_lowercase) else {
        return false;
    };
    let region = text.strip_suffix(letter).unwrap_or_default();
    match provider {
        RemoteProvider::Aws => is_region(provider, region),
        RemoteProvider::Gcp => region.strip_suffix('-').is_some_and(|r| is_region(provider, r)),
    }
}

/// `us-east1a` → `us-east-1a`.
fn with_dash(text: &str) -> String {
    match text.find(|c: char| c.is_ascii_digit()) {
        Some(at) if !text.get(..at).unwrap_or_default().ends_with('-') => {
            format!("{}-{}", text.get(..at).unwrap_or_default(), text.get(at..).unwrap_or_default())
        }
        Some(_) | None => text.to_owned(),
    }
}

/// `us-east1-b` → `us-east1b`.
fn without_last_dash(text: &str) -> String {
    text.rsplit_once('-').map_or_else(|| text.to_owned(), |(left, right)| format!("{left}{right}"))
}

/// `us-east-1a` → `us-east1a`.
fn without_dash(text: &str) -> String {
    match text.find(|c: char| c.is_ascii_digit()) {
        Some(at) => {
            let before = text.get(..at).unwrap_or_default().trim_end_matches('-');
            format!("{before}{}", text.get(at..).unwrap_or_default())
        }
        None => text.to_owned(),
    }
}

/// `us-east1a` → `us-east1-a`.
fn zone_dash(text: &str) -> String {
    match text.char_indices().next_back() {
        Some((at, letter)) if letter.is_ascii_lowercase() => {
            format!("{}-{letter}", text.get(..at).unwrap_or_default())
        }
        Some(_) | None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_and_zones_of_one_cloud_suggest_those_of_the_other() {
        use RemoteProvider::{Aws, Gcp};
        assert_eq!(region_mistake(Aws, "eu-west-1"), None);
        assert_eq!(region_mistake(Aws, "us-gov-west-1"), None);
        assert_eq!(region_mistake(Gcp, "us-east1"), None);
        assert_eq!(region_mistake(Aws, "us-east1").as_deref(), Some("us-east-1"));
        assert_eq!(region_mistake(Gcp, "us-east-1").as_deref(), Some("us-east1"));
        assert_eq!(region_mistake(Aws, "mars").as_deref(), Some(""));
        assert_eq!(zone_mistake(Aws, "eu-west-1a"), None);
        assert_eq!(zone_mistake(Gcp, "us-east1-b"), None);
        assert_eq!(zone_mistake(Aws, "us-east1a").as_deref(), Some("us-east-1a"));
        assert_eq!(zone_mistake(Aws, "us-east1-b").as_deref(), Some("us-east-1b"));
        assert_eq!(zone_mistake(Gcp, "us-east1b").as_deref(), Some("us-east1-b"));
        assert_eq!(zone_mistake(Gcp, "us-east-1b").as_deref(), Some("us-east1-b"));
    }
}
