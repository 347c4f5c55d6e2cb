//! The index of a chart repository: which versions there are, and where.

use semver::{Version, VersionReq};
use serde_json::Value as Json;

use crate::model::Digest;
use crate::yaml;

/// How many versions a message names.
const NAMED: usize = 8;

/// What a repository has.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Index(Json);

/// One version of a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) version: String,
    pub(super) urls: Vec<String>,
    pub(super) digest: Option<Digest>,
}

/// Why a chart is not to be had, and what is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) because: String,
    pub(super) hint: Option<String>,
}

/// A text that is no index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its `index.yaml` is no index of charts: {0}")]
pub(super) struct IndexError(String);

impl Index {
    pub(super) fn parse(text: &str) -> Result<Self, IndexError> {
        // Large indexes are often JSON, which reads much faster.
        let json = match serde_json::from_str(text) {
            Ok(json) => json,
            Err(_) => yaml::manifests(text)
                .map_err(|error| IndexError(error.to_string()))?
                .into_iter()
                .next()
                .unwrap_or_default(),
        };
        if json.get("entries").is_some_and(Json::is_object) {
            Ok(Self(json))
        } else {
            Err(IndexError("it has no map `entries`".to_owned()))
        }
    }

    /// The best version of a chart that a constraint allows; without one the newest that is no pre-release.
    pub(super) fn pick(&self, name: &str, constraint: Option<&str>) -> Result<Entry, Missing> {
        let entries = self.0.get("entries").and_then(Json::as_object);
        let Some(versions) = entries.and_then(|map| map.get(name)).and_then(Json::as_array) else {
            let names: Vec<_> =
                entries.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
            return Err(Missing {
                because: format!("the repository has no chart `{name}`"),
                hint: suggestion(name, &names),
            });
        };
        let mut known: Vec<_> = versions.iter().filter_map(entry).collect();
        known.sort_by_key(|entry| std::cmp::Reverse(parsed(&entry.version)));
        let wanted = constraint.map(str::trim).filter(|text| !text.is_empty());
        let exact = wanted.and_then(|text| {
            let plain = |v: &str| v.trim_start_matches(['v', '=']).to_owned();
            known.iter().find(|entry| plain(&entry.version) == plain(text))
        });
        let allows = Constraint::parse(wanted.unwrap_or("*"));
        let best = exact.or_else(|| {
            known.iter().find(|entry| parsed(&entry.version).is_some_and(|v| allows.takes(&v)))
        });
        best.cloned().ok_or_else(|| {
            let names: Vec<_> = known.iter().take(NAMED).map(|e| e.version.clone()).collect();
            let more = known.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} older") } else { String::new() };
            Missing {
                because: format!(
                    "the repository has no version `{}` of `{name}`",
                    wanted.unwrap_or("*")
                ),
                hint: Some(format!("it has {}{more}", names.join(", "))),
            }
        })
    }
}

fn entry(json: &Json) -> Option<Entry> {
    let urls = json.get("urls").and_then(Json::as_array);
    let text = |value: &Json| match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    };
    Some(Entry {
        version: json.get("version").and_then(text)?,
        urls: urls.into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect(),
        digest: json
            .get("digest")
            .and_then(Json::as_str)
            .map(|digest| digest.trim_start_matches("sha256:").to_ascii_lowercase())
            .filter(|digest| !digest.is_empty())
            .map(Digest::recorded),
    })
}

fn parsed(version: &str) -> Option<Version> {
    Version::parse(version.trim_start_matches('v')).ok()
}

fn suggestion(word: &str, known: &[&str]) -> Option<String> {
    if let Some(near) = yaml::nearest(word, known.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    match known.len() {
        0 => None,
        1..=12 => Some(format!("it has {}", known.join(", "))),
        many => Some(format!("it has {many} other charts")),
    }
}

/// A constraint as Helm's users write it: alternatives by `||`, comparisons by blanks or commas.
struct Constraint(Vec<VersionReq>);

impl Constraint {
    fn parse(text: &str) -> Self {
        Self(text.split("||").filter_map(Self::alternative).collect())
    }

    fn alternative(text: &str) -> Option<VersionReq> {
        let text = text.trim();
        if let Some((from, to)) = text.split_once(" - ") {
            return VersionReq::parse(&format!(">={}, <={}", from.trim(), to.trim())).ok();
        }
        let mut comparisons: Vec<String> = Vec::new();
        let mut pending = String::new();
        for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
            // The sign and its version may stand apart.
            if word.chars().all(|c| matches!(c, '<' | '>' | '=' | '~' | '^')) {
                word.clone_into(&mut pending);
                continue;
            }
            let word = format!("{}{word}", std::mem::take(&mut pending)).replace(['x', 'X'], "*");
            let at = word.find(|c: char| c.is_ascii_digit() || c == '*' || c == 'v');
            let (sign, version) = word.split_at(at.unwrap_or(0));
            let version = version.trim_start_matches('v');
            let complete = version.split(['-', '+']).next().map_or(0, |v| v.split('.').count()) > 2;
            let sign = match sign {
                // A version without a sign is that version, or all that begin with it.
                "" | "=" if version.contains('*') => "",
                "" | "=" if complete => "=",
                "" | "=" | "~>" => "~",
                sign => sign,
            };
            comparisons.push(format!("{sign}{version}"));
        }
        VersionReq::parse(&comparisons.join(", ")).ok()
    }

    fn takes(&self, version: &Version) -> bool {
        self.0.iter().any(|alternative| alternative.matches(version))
    }
}

/// An address of an index: as it is, or below the repository.
pub(super) fn absolute(base: &str, address: &str) -> String {
    if address.contains("://") {
        return address.to_owned();
    }
    let base = base.trim_end_matches('/');
    match address.strip_prefix('/') {
        Some(path) => {
            let host_ends = base
                .find("://")
                .and_then(|at| {
                    base.get(at + 3..).and_then(|rest| rest.find('/')).map(|e| at + 3 + e)
                })
                .unwrap_or(base.len());
            format!("{}/{path}", base.get(..host_ends).unwrap_or(base))
        }
        None => format!("{base}/{}", address.trim_start_matches("./")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "apiVersion: v1\nentries:\n  kafka:\n  - {version: 1.10.0, urls: [kafka-1.10.0.tgz], digest: AB}\n  - {version: 1.9.1, urls: ['https://x/k.tgz']}\n  \
                         - {version: 2.0.0-rc1, urls: [a]}\n  - {version: v0.5.0, urls: [a]}\n  minio:\n  - {version: 5.0.0, urls: []}\n";

    fn picked(constraint: Option<&str>) -> String {
        match Index::parse(INDEX).unwrap().pick("kafka", constraint) {
            Ok(entry) => entry.version,
            Err(missing) => missing.hint.unwrap(),
        }
    }

    #[test]
    fn constraints_mean_what_they_mean_to_helm() {
        let cases = [
            (None, "1.10.0"),
            (Some("1.9.1"), "1.9.1"),
            (Some("1.9"), "1.9.1"),
            (Some("1.x"), "1.10.0"),
            (Some("^1.0.0"), "1.10.0"),
            (Some("~1.9.0"), "1.9.1"),
            (Some(">=1.0.0 <1.10.0"), "1.9.1"),
            (Some(">= 1.0.0, < 1.10.0"), "1.9.1"),
            (Some("0.5.0"), "v0.5.0"),
            (Some("v1.9.1"), "1.9.1"),
            (Some("2.0.0-rc1"), "2.0.0-rc1"),
            (Some(">=2.0.0-0"), "2.0.0-rc1"),
            (Some("<1 || ~1.9"), "1.9.1"),
            (Some("3.0.0"), "it has 2.0.0-rc1, 1.10.0, 1.9.1, v0.5.0"),
        ];
        for (constraint, version) in cases {
            assert_eq!(picked(constraint), version, "{constraint:?}");
        }
    }

    #[test]
    fn a_chart_that_is_not_there_has_a_suggestion() {
        let index = Index::parse(INDEX).unwrap();
        let missing = index.pick("kafak", None).unwrap_err();
        assert_eq!(missing.hint.unwrap(), "did you mean `kafka`?");
        assert!(Index::parse("<html>").is_err());
        assert!(Index::parse("a: 1").is_err());
    }

    #[test]
    fn addresses_are_below_the_repository_unless_they_say_otherwise() {
        assert_eq!(absolute("https://h/c", "k.tgz"), "https://h/c/k.tgz");
        assert_eq!(absolute("https://h/c/", "/k.tgz"), "https://h/k.tgz");
        assert_eq!(absolute("https://h", "/k.tgz"), "https://h/k.tgz");
        assert_eq!(absolute("https://h/c", "http://o/k.tgz"), "http://o/k.tgz");
    }
}
