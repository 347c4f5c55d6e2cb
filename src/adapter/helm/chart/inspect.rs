//! What a chart's templates tell without being rendered: whether two renderings may differ, whether the cluster is asked, and
//! which values keys they know.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::ChartContent;
use crate::yaml::nearest;

/// Functions whose answer changes from call to call.
const RANDOM: [&str; 21] = [
    "randAlphaNum",
    "randAlpha",
    "randNumeric",
    "randAscii",
    "randBytes",
    "randInt",
    "genCA",
    "genCAWithKey",
    "genPrivateKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "uuidv4",
    "now",
    "ago",
    "htpasswd",
    "bcrypt",
    "encryptAES",
    "shuffle",
    "getHostByName",
];
/// Fields of the release that differ from revision to revision.
const RELEASE: [&str; 3] = [".Release.Revision", ".Release.IsInstall", ".Release.IsUpgrade"];
/// Keys that Helm itself reads in the values of any chart or subchart.
const HELMS: [&str; 3] = ["global", "enabled", "tags"];

/// What was found in the templates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// What makes two renderings of the same inputs differ.
    pub unstable: BTreeSet<String>,
    /// Whether the rendering depends on what the cluster has or serves.
    pub asks_cluster: bool,
}

impl Findings {
    /// Looks through all templates, subcharts' and helpers included.
    pub fn of(content: &ChartContent) -> Self {
        let mut findings = Self::default();
        for template in content.templates() {
            for token in tokens(&template) {
                findings.take(token);
            }
        }
        findings
    }

    /// Whether two renderings of the same in the same moment may differ.
    pub fn is_random(&self) -> bool {
        self.unstable.iter().any(|word| RANDOM.contains(&word.as_str()))
    }

    fn take(&mut self, token: &str) {
        if RANDOM.contains(&token) {
            self.unstable.insert(token.to_owned());
        } else if token == "lookup" {
            self.unstable.insert(token.to_owned());
            self.asks_cluster = true;
        } else if token.contains(".Capabilities.APIVersions") {
            self.asks_cluster = true;
        } else if let Some(field) = RELEASE.iter().find(|field| token.ends_with(**field)) {
            self.unstable.insert((*field).to_owned());
        }
    }
}

/// What stands inside `{{ … }}`, comments left out.
pub(super) fn actions(template: &str) -> impl Iterator<Item = &str> {
    template
        .split("{{")
        .skip(1)
        .filter_map(|after| after.split("}}").next())
        .filter(|action| !action.trim_start_matches('-').trim_start().starts_with("/*"))
}

/// The words of an action, texts left out.
fn words(action: &str) -> impl Iterator<Item = &str> {
    // Every second part lies between quotes.
    action
        .split(['"', '`'])
        .step_by(2)
        .flat_map(|part| {
            part.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '$')))
        })
        .filter(|token| !token.is_empty())
}

/// Whether an action calls a function whose answer changes from call to call.
pub(super) fn is_random(action: &str) -> bool {
    words(action).any(|word| RANDOM.contains(&word))
}

/// The words inside `{{ … }}`, texts and comments left out.
fn tokens(template: &str) -> impl Iterator<Item = &str> {
    actions(template).flat_map(words)
}

/// Keys of the values that the chart does not know, each with a suggestion when one is near, as a line for people. A top-level
/// key that one of `others` knows is none: they get the same file.
pub fn unknown_keys(
    content: &ChartContent,
    values: &Json,
    others: &[Arc<ChartContent>],
) -> Vec<String> {
    let mentioned = Mentioned::of(content);
    let mut lines = Vec::new();
    if let (Some(values), Some(known)) = (values.as_object(), declared(content, "").as_object()) {
        let theirs: Vec<Json> = others.iter().map(|other| declared(other, "")).collect();
        let is_theirs = |key: &str| {
            !known.contains_key(key) && theirs.iter().any(|other| other.get(key).is_some())
        };
        let mut values = values.clone();
        values.retain(|key, _| !is_theirs(key));
        look(&values, known, "", &mentioned, &mut lines);
    }
    lines
}

/// The keys that a chart and its subcharts have defaults for, or declare in their schemas.
pub(super) fn declared(content: &ChartContent, below: &str) -> Json {
    let mut values = defaults(content, below);
    add_schemas(content, below, &mut values);
    values
}

/// The default values of a chart, with those of its subcharts under their names.
pub(super) fn defaults(content: &ChartContent, below: &str) -> Json {
    let mut values = content
        .document(&format!("{below}values.yaml"))
        .filter(Json::is_object)
        .unwrap_or_else(|| Json::Object(Map::new()));
    let Some(map) = values.as_object_mut() else { return values };
    for (name, folder) in subcharts(content, below) {
        let own = defaults(content, &folder);
        merge(map.entry(name).or_insert_with(|| Json::Object(Map::new())), &own);
    }
    values
}

/// Subcharts: the names under which their values stand, aliases included, and their folders.
pub(super) fn subcharts(content: &ChartContent, below: &str) -> Vec<(String, String)> {
    let chart = content.document(&format!("{below}Chart.yaml")).unwrap_or_default();
    let charts = format!("{below}charts/");
    let mut folders = BTreeSet::new();
    for path in content.files().keys() {
        if let Some((folder, _)) = path.strip_prefix(&charts).and_then(|rest| rest.split_once('/'))
        {
            folders.insert(folder.to_owned());
        }
    }
    let dependencies = chart.get("dependencies").and_then(Json::as_array);
    let mut found = Vec::new();
    for folder in folders {
        let place = format!("{charts}{folder}/");
        let own = content.document(&format!("{place}Chart.yaml")).unwrap_or_default();
        let name = own.get("name").and_then(Json::as_str).unwrap_or(&folder).to_owned();
        for dependency in dependencies.into_iter().flatten() {
            if dependency.get("name").and_then(Json::as_str) == Some(&name)
                && let Some(alias) = dependency.get("alias").and_then(Json::as_str)
            {
                found.push((alias.to_owned(), place.clone()));
            }
        }
        found.push((name, place));
    }
    found
}

/// Adds keys that the schemas of a chart and its subcharts declare and the defaults lack.
fn add_schemas(content: &ChartContent, below: &str, values: &mut Json) {
    if let Some(schema) = content.document(&format!("{below}values.schema.json")) {
        add_schema(values, &schema);
    }
    for (name, folder) in subcharts(content, below) {
        if let Some(values) = values.get_mut(&name) {
            add_schemas(content, &folder, values);
        }
    }
}

/// Adds keys that a schema declares and the defaults lack.
fn add_schema(values: &mut Json, schema: &Json) {
    let Some(properties) = schema.get("properties").and_then(Json::as_object) else { return };
    let Some(map) = values.as_object_mut() else { return };
    for (key, schema) in properties {
        add_schema(map.entry(key.clone()).or_insert(Json::Null), schema);
    }
}

pub(super) fn merge(into: &mut Json, from: &Json) {
    if let (Some(into), Some(from)) = (into.as_object_mut(), from.as_object()) {
        for (key, value) in from {
            match into.get_mut(key) {
                Some(slot) => merge(slot, value),
                None => {
                    into.insert(key.clone(), value.clone());
                }
            }
        }
    }
}

/// Words that stand in templates after a dot, or in values files before a colon, comments included: charts document many keys
/// only there.
struct Mentioned(BTreeSet<String>);

impl Mentioned {
    fn of(content: &ChartContent) -> Self {
        let mut words = BTreeSet::new();
        for template in content.templates() {
            for part in tokens(&template).flat_map(|token| token.split(['.', '$'])) {
                words.insert(part.to_owned());
            }
            // `index .Values "the-key"` and `hasKey . "theKey"`.
            let quoted = template.split('"').skip(1).step_by(2).filter(|text| text.len() < 64);
            words.extend(quoted.flat_map(|text| text.split('.')).map(str::to_owned));
        }
        for (path, _) in content.files().iter().filter(|(path, _)| path.ends_with("values.yaml")) {
            for line in content.text(path).unwrap_or_default().lines() {
                let line = line.trim_start_matches(['#', ' ', '-', '@']);
                if let Some((key, _)) = line.split_once(':') {
                    words.insert(key.trim_matches(['"', '\'']).to_owned());
                }
            }
        }
        Self(words)
    }
}

fn look(
    values: &Map<String, Json>,
    known: &Map<String, Json>,
    below: &str,
    mentioned: &Mentioned,
    lines: &mut Vec<String>,
) {
    for (key, value) in values {
        let path = format!("{below}{key}");
        match known.get(key) {
            Some(Json::Object(deeper)) if !deeper.is_empty() => {
                if let Some(value) = value.as_object() {
                    look(value, deeper, &format!("{path}."), mentioned, lines);
                }
            }
            Some(_) => {}
            None if HELMS.contains(&key.as_str()) || mentioned.0.contains(key) => {}
            None => {
                let near = nearest(key, known.keys().map(String::as_str));
                let meant =
                    near.map_or(String::new(), |near| format!("; did you mean `{below}{near}`?"));
                lines.push(format!("the chart does not know the values key `{path}`{meant}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::adapter::files;

    fn chart(files: &[(&str, &str)]) -> ChartContent {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            files::write(&folder.path().join(path), text).unwrap();
        }
        ChartContent::read(folder.path()).unwrap()
    }

    #[test]
    fn what_makes_renderings_differ_is_found_in_actions_only() {
        let content = chart(&[
            (
                "templates/a.yaml",
                "now: {{ .Values.x }} # randAlpha\nb: {{ \"lookup\" | quote }}\n{{/* genCA */}}",
            ),
            (
                "templates/b.tpl",
                "{{- $p := randAlphaNum 10 }}{{ $.Release.Revision }}{{ (lookup \"v1\" \"Secret\" \"\" \"\").items }}",
            ),
        ]);
        let findings = Findings::of(&content);
        let found: Vec<_> = findings.unstable.iter().map(String::as_str).collect();
        assert_eq!(found, [".Release.Revision", "lookup", "randAlphaNum"]);
        assert!(findings.asks_cluster);
        let plain = chart(&[("templates/a.yaml", "a: {{ .Release.Name }}")]);
        assert_eq!(Findings::of(&plain), Findings::default());
    }

    #[test]
    fn an_unknown_key_is_named_with_a_suggestion() {
        let content = chart(&[
            ("Chart.yaml", "name: c\nversion: 1.0.0\ndependencies: [{name: sub, alias: other}]\n"),
            ("values.yaml", "replicas: 1\nimage: {tag: a}\nextra: {}\n# hidden: true\n"),
            ("values.schema.json", r#"{"properties": {"declared": {"type": "string"}}}"#),
            (
                "templates/a.yaml",
                "{{ .Values.undocumented.deep }}{{ index .Values \"dashed-key\" }}",
            ),
            ("charts/sub/Chart.yaml", "name: sub\nversion: 1.0.0\n"),
            ("charts/sub/values.yaml", "size: 1Gi\n"),
        ]);
        let values = json!({
            "replcias": 2, "replicas": 2, "image": {"tga": "b"}, "extra": {"anything": 1}, "hidden": false,
            "declared": "x", "undocumented": {"deep": 1}, "dashed-key": 1, "global": {"x": 1},
            "sub": {"size": "2Gi", "sise": 1}, "other": {"size": "1Gi", "enabled": true},
        });
        let lines = unknown_keys(&content, &values, &[]);
        assert_eq!(
            lines,
            [
                "the chart does not know the values key `image.tga`; did you mean `image.tag`?",
                "the chart does not know the values key `replcias`; did you mean `replicas`?",
                "the chart does not know the values key `sub.sise`; did you mean `sub.size`?",
            ]
        );
    }

    #[test]
    fn a_key_of_another_chart_with_the_same_file_is_no_finding() {
        let (mine, other) =
            (chart(&[("values.yaml", "mine: {}\n")]), chart(&[("values.yaml", "other: {a: 1}\n")]));
        let values = json!({"mine": {"a": 1}, "other": {"b": 2}, "othre": {}});
        let lines = unknown_keys(&mine, &values, &[Arc::new(other)]);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("`othre`"), "{lines:?}");
    }
}
