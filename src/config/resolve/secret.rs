//! Secret settings: `{env: NAME}`, `{file: PATH}`, `{secret: ns/name, key: k}`; plain text works with a warning.

use crate::config::overlay::Overlay;
use crate::config::reader::{Reader, text_of};
use crate::config::request::LoadRequest;
use crate::model::Secret;
use crate::yaml::{Entry, Node, Problem, Problems, Span};

/// What a section says about a secret parameter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum SecretSetting {
    /// Its value.
    Value(Secret),
    /// A reference to a key of a Secret, or `null`: stays in the tree as it is.
    Kept(Entry),
}

/// Reads a secret setting.
pub(super) fn read(
    entry: &Entry,
    title: &str,
    overlay: &Overlay<'_>,
    request: &LoadRequest,
    problems: &mut Problems,
) -> Option<SecretSetting> {
    let title = format!("{title}.{}", entry.key);
    let value = &entry.value;
    match &value.node {
        Node::Null => Some(SecretSetting::Kept(entry.clone())),
        Node::Map(_) => reference(entry, &title, overlay, request, problems),
        Node::Text(_) | Node::Number(_) | Node::Bool(_) => {
            let span = &value.span;
            let written = span.source.text.get(span.start..span.end).unwrap_or_default();
            if !written.contains("${env.") {
                problems.push(plain_secret(&title, span));
            }
            text_of(value).map(|text| SecretSetting::Value(Secret::new(text)))
        }
        Node::List(_) => {
            let message = format!("`{title}` is a secret, and here stands a list");
            problems.push(Problem::error("wrong-type", message).at(&value.span));
            None
        }
    }
}

/// Says that a secret stands in a file as plain text.
pub(super) fn plain_secret(title: &str, at: &Span) -> Problem {
    let (file, line) = (at.path().display(), at.line());
    let message =
        format!("`{title}` is a secret and stands in `{file}`, line {line}, as plain text");
    let help = "write `{env: NAME}`, `{file: PATH}` or `{secret: namespace/name, key: KEY}`";
    Problem::warning("plain-secret", message).at_secret(at).help(help)
}

fn reference(
    entry: &Entry,
    title: &str,
    overlay: &Overlay<'_>,
    request: &LoadRequest,
    problems: &mut Problems,
) -> Option<SecretSetting> {
    let at = &entry.value.span;
    let mut reader = Reader::of(&entry.value, title, problems)?;
    let env = reader.text("env", problems);
    let file = reader.text("file", problems);
    let secret = reader.text("secret", problems);
    let key = reader.text("key", problems);
    reader.finish(problems);
    match (env, file, secret, key) {
        (Some(name), None, None, None) => {
            let Some(value) = request.environment.get(&name) else {
                let message = format!("the environment variable `{name}` is not set");
                problems
                    .push(Problem::error("variable", message).at(at).help("set it before the run"));
                return None;
            };
            Some(SecretSetting::Value(Secret::new(value.as_str())))
        }
        (None, Some(path), None, None) => {
            let path = overlay.beside(&at.source, &path, &request.home);
            match overlay.read(&path) {
                Ok(source) => {
                    let text = source.text.trim_end_matches(['\n', '\r']);
                    Some(SecretSetting::Value(Secret::new(text)))
                }
                Err(problem) => {
                    problems.push(problem.at(at));
                    None
                }
            }
        }
        (None, None, Some(name), Some(_))
            if name.split('/').filter(|p| !p.is_empty()).count() == 2 =>
        {
            Some(SecretSetting::Kept(entry.clone()))
        }
        (_, _, _, _) => {
            problems.push(
                Problem::error("wrong-value", format!("`{title}` does not say where the secret is"))
                    .at(at)
                    .help("write one of `{env: NAME}`, `{file: PATH}` and `{secret: namespace/name, key: KEY}`"),
            );
            None
        }
    }
}
