//! `external:` and the other top-level keys that are neither project, target nor section of a component.

use std::collections::BTreeMap;

use super::secret::plain_secret;
use super::section::without_effect;
use crate::catalogue::{Catalogue, External, OutputType};
use crate::config::reader::{Reader, text_of};
use crate::config::request::LoadRequest;
use crate::config::variables::substitute;
use crate::yaml::{Entry, Located, Node, Problem, Problems, Span};

/// The top-level keys that are no section of a component.
pub(crate) const TOP_LEVEL: [&str; 10] = [
    "project", "local", "remote", "hybrid", "storage", "external", "claims", "images", "mirrors",
    "version",
];

/// What the flavour says beside project, target and sections.
#[derive(Debug, Default)]
pub(super) struct Others {
    pub(super) external: BTreeMap<String, External>,
    pub(super) claims: Option<Located>,
    pub(super) storage: Option<Located>,
    pub(super) images: Option<Located>,
    pub(super) mirrors: BTreeMap<String, String>,
}

/// Reads them.
pub(super) fn read(flavour: &Located, request: &LoadRequest, problems: &mut Problems) -> Others {
    let filled = |key: &str, problems: &mut Problems| {
        let value = flavour.get(key).filter(|value| !value.is_null())?;
        Some(substitute(value, &request.environment, problems))
    };
    let external = filled("external", problems);
    let others = Others {
        external: external.map(|tree| externals(&tree, problems)).unwrap_or_default(),
        claims: filled("claims", problems),
        storage: filled("storage", problems),
        images: filled("images", problems),
        mirrors: filled("mirrors", problems)
            .map(|tree| mirrors(&tree, problems))
            .unwrap_or_default(),
    };
    if let Some(storage) = &others.storage {
        check_storage(storage, problems);
        for entry in storage.entries() {
            let meanwhile = "nothing is made for it: use storage that is there, under `external:`";
            let what = format!("`storage.{}`", entry.key);
            problems.push(without_effect(&what, &entry.key_span, meanwhile));
        }
    }
    if let Some(images) = &others.images {
        check_images(images, problems);
    }
    if let Some(version) = filled("version", problems)
        && text_of(&version).as_deref() != Some("1")
    {
        problems.push(
            Problem::error(
                "wrong-value",
                "this version of datamill reads flavours of `version: 1`",
            )
            .at(&version.span),
        );
    }
    others
}

/// Checks what lies outside against the contracts; warns of outputs that belong into a Secret and stand as plain text.
pub(super) fn check(
    externals: &BTreeMap<String, External>,
    catalogue: &Catalogue,
    problems: &mut Problems,
) {
    for (name, external) in externals {
        let contract = catalogue.contract_named(&external.capability, &external.at, problems);
        let Some(contract) = contract else { continue };
        for (output, value) in &external.outputs {
            let Some(described) = contract.outputs.get(output) else {
                let message = format!("`{}` has no output `{output}`", external.capability);
                let known = contract.outputs.keys().map(String::as_str);
                let problem = Problem::error("unknown-key", message).at(&value.span);
                problems.push(problem.suggest(output, known));
                continue;
            };
            let secret = described.kind == OutputType::Ref;
            let from_outside = ["env", "file"].iter().any(|key| value.get(key).is_some());
            if from_outside {
                let title = format!("external.{name}.outputs.{output}");
                problems.push(elsewhere(&title, secret, &value.span));
            } else if secret && text_of(value).is_some() {
                problems.push(plain_secret(&format!("external.{name}.{output}"), &value.span));
            }
        }
    }
}

/// An output has no Secret of its own in the cluster, so that a value from outside would stand in Helm values.
fn elsewhere(title: &str, secret: bool, at: &Span) -> Problem {
    let help = if secret {
        "put it into a Secret in the cluster and write `{secret: namespace/name, key: KEY}`, or `secretFrom: NAME` beside `outputs`"
    } else {
        "write `${env.NAME}`, which works in any text"
    };
    let message = format!("`{title}` cannot be `{{env: …}}` or `{{file: …}}`");
    Problem::error("wrong-value", message).at(at).help(help)
}

/// A map by name, or a list whose items say `as: NAME`.
fn externals(tree: &Located, problems: &mut Problems) -> BTreeMap<String, External> {
    let mut found = BTreeMap::new();
    match &tree.node {
        Node::Map(entries) => {
            for Entry { key, value, key_span } in entries {
                let external = external(value, key_span, problems).map(|(_, external)| external);
                found.extend(external.map(|external| (key.clone(), external)));
            }
        }
        Node::List(items) => {
            for item in items {
                match external(item, &item.span, problems) {
                    Some((Some(name), external)) => drop(found.insert(name, external)),
                    Some((None, _)) => problems.push(
                        Problem::error("missing-key", "an external needs a name")
                            .at(&item.span)
                            .help("write `as: NAME`"),
                    ),
                    None => {}
                }
            }
        }
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) => {
            let message = format!("`external` is a map, and here stands {}", tree.kind());
            problems.push(Problem::error("wrong-type", message).at(&tree.span));
        }
    }
    found
}

fn external(
    tree: &Located,
    at: &Span,
    problems: &mut Problems,
) -> Option<(Option<String>, External)> {
    let mut reader = Reader::of(tree, "external", problems)?;
    let name = reader.text("as", problems);
    let capability = reader.text("capability", problems);
    let outputs = reader.map("outputs", problems).iter();
    let outputs = outputs.map(|entry| (entry.key.clone(), entry.value.clone())).collect();
    let camel = reader.text("secretFrom", problems);
    let secret_from = reader.text("secret_from", problems).or(camel);
    let variants = reader.text_map("variants", problems);
    reader.finish(problems);
    if capability.is_none() {
        problems.push(
            Problem::error("missing-key", "an external lacks `capability`")
                .at(at)
                .help("write what it gives, such as `capability: s3`"),
        );
    }
    let at = at.clone();
    Some((name, External { capability: capability?, outputs, secret_from, variants, at }))
}

fn mirrors(tree: &Located, problems: &mut Problems) -> BTreeMap<String, String> {
    let holder = Located {
        node: Node::Map(vec![Entry {
            key: "mirrors".to_owned(),
            key_span: tree.span.clone(),
            value: tree.clone(),
        }]),
        span: tree.span.clone(),
    };
    let Some(mut reader) = Reader::of(&holder, "flavour", problems) else { return BTreeMap::new() };
    reader.text_map("mirrors", problems)
}

/// The kinds of `storage:`; the portable words first.
pub(crate) const STORAGE_KINDS: [&str; 6] = ["bucket", "filesystem", "s3", "gcs", "minio", "efs"];

/// Images by name: `{context, file, args}`.
fn check_images(tree: &Located, problems: &mut Problems) {
    if !matches!(tree.node, Node::Map(_)) {
        let message = format!("`images` is a map by name, and here stands {}", tree.kind());
        problems.push(Problem::error("wrong-type", message).at(&tree.span));
    }
    for entry in tree.entries() {
        let title = format!("images.{}", entry.key);
        let Some(mut reader) = Reader::of(&entry.value, &*title, problems) else { continue };
        if reader.text("context", problems).is_none() {
            let message = format!("`{title}` lacks `context`");
            problems.push(
                Problem::error("missing-key", message)
                    .at(&entry.key_span)
                    .help("write the folder it is built from, such as `context: images/mine`"),
            );
        }
        drop(reader.text("file", problems));
        drop(reader.text_map("args", problems));
        reader.finish(problems);
        let meanwhile =
            "no image is built: build and push it, and name it in the section of its component";
        problems.push(without_effect(&format!("`{title}`"), &entry.key_span, meanwhile));
    }
}

fn check_storage(tree: &Located, problems: &mut Problems) {
    if !matches!(tree.node, Node::Map(_)) {
        let message = format!("`storage` is a map by name, and here stands {}", tree.kind());
        problems.push(Problem::error("wrong-type", message).at(&tree.span));
    }
    for entry in tree.entries() {
        let kind = entry.value.get("kind");
        let word = kind.and_then(text_of);
        let at = kind.map_or(&entry.key_span, |kind| &kind.span);
        match word {
            Some(word) if STORAGE_KINDS.contains(&word.as_str()) => {}
            Some(word) => problems.push(
                Problem::error(
                    "wrong-value",
                    format!("`storage.{}.kind` cannot be `{word}`", entry.key),
                )
                .at(at)
                .suggest(&word, STORAGE_KINDS),
            ),
            None => problems.push(
                Problem::error("missing-key", format!("`storage.{}` lacks `kind`", entry.key))
                    .at(at)
                    .help(format!("known here: {}", STORAGE_KINDS.join(", "))),
            ),
        }
    }
}
