//! Which values keys may hold still what a chart draws at random: those that its templates read and nobody has set. Whether one
//! does is for a rendering to show.

use serde_json::{Map, Value as Json};

use super::ChartContent;
use super::inspect::{actions, declared, is_random, merge, subcharts};

/// More keys than this are not tried.
const MOST: usize = 8;

/// The keys worth trying, dotted, the likeliest first. `files` are the templates (below the chart) whose objects differed;
/// `values` what the user set.
pub fn pins(content: &ChartContent, values: &Json, files: &[&str]) -> Vec<String> {
    let mut all = values.clone();
    if !all.is_object() {
        all = Json::Object(Map::new());
    }
    merge(&mut all, &declared(content, ""));
    let folders = charts(content, "", "");
    let mut near = Vec::new();
    let mut far = Vec::new();
    for path in content.files().keys() {
        // A subchart with an alias has two names.
        let prefixes: Vec<&String> = folders
            .iter()
            .filter(|(_, folder)| path.starts_with(&format!("{folder}templates/")))
            .map(|(prefix, _)| prefix)
            .collect();
        let text = content.text(path).unwrap_or_default();
        let helper = path.rsplit('/').next().is_some_and(|name| name.starts_with('_'));
        let counts = files.contains(&path.as_str()) || (helper && actions(&text).any(is_random));
        if !counts {
            continue;
        }
        for action in actions(&text) {
            let into = if is_random(action) { &mut near } else { &mut far };
            for key in mentioned(action) {
                into.extend(prefixes.iter().map(|prefix| format!("{prefix}{key}")));
            }
        }
    }
    let mut keys = Vec::new();
    for key in near.into_iter().chain(far) {
        if !keys.contains(&key) && is_open(&all, &key) {
            keys.push(key);
        }
    }
    // What names an object made elsewhere takes the drawn one away instead of holding it still.
    keys.retain(|key| !key.to_lowercase().contains("existing"));
    keys.truncate(MOST);
    keys
}

/// The values with one more key, which lies below maps.
pub fn with_key(values: &Json, key: &str, value: &str) -> Json {
    let mut values = values.clone();
    if !values.is_object() {
        values = Json::Object(Map::new());
    }
    let mut at = &mut values;
    for part in key.split('.') {
        if !at.is_object() {
            *at = Json::Object(Map::new());
        }
        let Some(map) = at.as_object_mut() else { return values };
        at = map.entry(part.to_owned()).or_insert(Json::Null);
    }
    *at = Json::String(value.to_owned());
    values
}

/// The chart and its subcharts: the beginning of their values' keys, and their folders.
fn charts(content: &ChartContent, prefix: &str, folder: &str) -> Vec<(String, String)> {
    let mut found = vec![(prefix.to_owned(), folder.to_owned())];
    for (name, place) in subcharts(content, folder) {
        found.extend(charts(content, &format!("{prefix}{name}."), &place));
    }
    found
}

/// Keys that an action reads: `.Values.a.b`, and texts that look like the path of one, as library charts take them.
fn mentioned(action: &str) -> impl Iterator<Item = String> {
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    let read = action.split(".Values.").skip(1).map(move |rest| {
        let end = rest.find(|c| !is_key(c)).unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default().trim_end_matches('.').to_owned()
    });
    let quoted = action.split('"').skip(1).step_by(2);
    let quoted = quoted.filter(move |text| text.contains('.') && text.chars().all(is_key));
    read.chain(quoted.map(str::to_owned)).filter(|key| !key.is_empty())
}

/// Whether nobody has set a key, and it may be a text.
fn is_open(values: &Json, key: &str) -> bool {
    let mut at = values;
    for part in key.split('.') {
        match at {
            Json::Object(map) => match map.get(part) {
                Some(next) => at = next,
                None => return true,
            },
            Json::Null => return true,
            Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => return false,
        }
    }
    matches!(at, Json::Null) || at.as_str() == Some("")
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
    fn keys_beside_the_drawing_come_first_and_set_ones_never() {
        let content = chart(&[
            ("Chart.yaml", "name: c\nversion: 1.0.0\ndependencies: [{name: sub, alias: db}]\n"),
            ("values.yaml", "auth: {password: '', user: admin, existingSecret: ''}\ntoken:\n"),
            (
                "templates/a.yaml",
                "{{ .Values.token }}{{ .Values.auth.user }}{{ .Values.auth.existingSecret }}\n{{ .Values.auth.password | default (randAlphaNum 9) }}",
            ),
            ("templates/quiet.yaml", "{{ .Values.quiet }}"),
            ("charts/sub/Chart.yaml", "name: sub\nversion: 1.0.0\n"),
            ("charts/sub/values.yaml", "postgres: {password: ''}\n"),
            (
                "charts/sub/templates/_lib.tpl",
                "{{ include \"x\" (dict \"key\" \"postgres.password\" \"r\" (randAlpha 3)) }}",
            ),
        ]);
        let keys = pins(&content, &json!({}), &["templates/a.yaml"]);
        assert_eq!(keys[..2], ["db.postgres.password", "sub.postgres.password"]);
        assert_eq!(keys[2..], ["auth.password", "token"]);
        let keys = pins(&content, &json!({"auth": {"password": "x"}}), &["templates/a.yaml"]);
        assert!(!keys.contains(&"auth.password".to_owned()), "{keys:?}");
    }

    #[test]
    fn a_key_is_laid_below_maps() {
        let values = json!({"a": {"b": 1}});
        assert_eq!(with_key(&values, "a.c", "x"), json!({"a": {"b": 1, "c": "x"}}));
        assert_eq!(with_key(&Json::Null, "p.q", "x"), json!({"p": {"q": "x"}}));
    }
}
