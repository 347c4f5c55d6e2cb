//! What `kwokctl` and the control plane write into logs, in words for people. Pure.

use serde_json::Value as Json;

/// The words of a line: `msg` and `err` of a JSON line, else the line itself. Nothing for what is only noise.
pub(super) fn words(line: &str) -> Option<String> {
    let line = line.trim();
    if line.is_empty() {
        return None;
    }
    let Ok(Json::Object(fields)) = serde_json::from_str(line) else {
        return Some(line.to_owned());
    };
    let text = |key: &str| fields.get(key).and_then(Json::as_str);
    let says = text("msg").unwrap_or_default();
    match text("err").or_else(|| text("error")) {
        Some(error) => Some(format!("{}: {error}", lower(says))),
        None if says.is_empty() => None,
        None => Some(lower(says)),
    }
}

/// The last lines of a log that tell why a program ended.
pub(super) fn last_words(log: &str, most: usize) -> Vec<String> {
    let lines: Vec<_> = log.lines().filter_map(words).collect();
    let worth: Vec<_> = lines
        .iter()
        .filter(|line| {
            let line = line.to_ascii_lowercase();
            ["error", "fatal", "failed", "cannot", "in use", "refused"]
                .iter()
                .any(|w| line.contains(w))
        })
        .cloned()
        .collect();
    let chosen = if worth.is_empty() { lines } else { worth };
    let from = chosen.len().saturating_sub(most);
    chosen.into_iter().skip(from).collect()
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_lines_become_words() {
        let line = r#"{"time":"2026","level":"INFO","msg":"Cluster is creating","cluster":"x"}"#;
        assert_eq!(words(line).as_deref(), Some("cluster is creating"));
        let line = r#"{"level":"ERROR","msg":"Failed","err":"no such file"}"#;
        assert_eq!(words(line).as_deref(), Some("failed: no such file"));
        assert_eq!(words("plain text").as_deref(), Some("plain text"));
        assert_eq!(words("  "), None);
    }

    #[test]
    fn the_last_words_are_those_that_tell_why() {
        let log = "all is well\nlisten tcp 127.0.0.1:1: bind: address already in use\nbye\n";
        assert_eq!(last_words(log, 3), ["listen tcp 127.0.0.1:1: bind: address already in use"]);
        assert_eq!(last_words("one\ntwo\n", 1), ["two"]);
    }
}
