//! Old keys of components' sections, translated by the data of `component.yaml`: moved, dropped, or said to be outside.

use crate::catalogue::{Component, Legacy, LegacyMeaning, LegacyWhen, UseOf};
use crate::config::reader::text_of;
use crate::yaml::{Entry, Located, Node, Problem, Problems, Span, sounds_secret};

/// An output of something outside of the platform, as old keys give it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outside {
    /// What the component calls it.
    pub(super) alias: String,
    /// The capability that it stands for.
    pub(super) capability: String,
    /// The output of the capability's contract.
    pub(super) output: String,
    /// Its value.
    pub(super) value: Located,
    /// Where it stands.
    pub(super) at: Span,
}

/// Moves old keys to where they are written now and drops those without a meaning; each is a warning.
pub(super) fn translate(
    section: Located,
    title: &str,
    component: &Component,
    problems: &mut Problems,
) -> (Located, Vec<Outside>) {
    let before = section.clone();
    let mut section = section;
    let mut outside = Vec::new();
    let (counting, passed): (Vec<&Legacy>, Vec<&Legacy>) = component
        .legacy()
        .iter()
        .partition(|old| old.when.as_ref().is_none_or(|when| holds(when, &before)));
    // All are taken before the first is put: a new place may be where an old map stands.
    let mut takes = |old: &Legacy| take(&mut section, &path(&old.key));
    let counting: Vec<_> =
        counting.into_iter().filter_map(|old| takes(old).map(|entry| (old, entry))).collect();
    let passed: Vec<_> =
        passed.into_iter().filter_map(|old| takes(old).map(|entry| (old, entry))).collect();
    for (old, entry) in counting {
        let problem = old_key(title, &old.key, &entry);
        let help = match &old.meaning {
            LegacyMeaning::MovedTo(new) => {
                let written = written(title, new);
                match moved(&mut section, new, entry, component) {
                    Moved::Here => format!("it is used; write `{written}` instead"),
                    Moved::Outside(part) => {
                        outside.push(part);
                        format!("it is used; write `{written}` instead")
                    }
                    Moved::Nowhere => format!("it is not used beside `{written}`; remove it"),
                }
            }
            LegacyMeaning::Dropped(_)
                if text_of(&entry.value).is_some_and(|text| old.quiet.contains(&text)) =>
            {
                continue;
            }
            LegacyMeaning::Dropped(why) => format!("it is not used: {why}; remove it"),
        };
        problems.push(problem.help(help));
    }
    for (old, entry) in passed {
        let by = old.when.as_ref().map(|when| when.key.as_str()).unwrap_or_default();
        let help = format!("it is not used with this `{title}.{by}`; remove it");
        problems.push(old_key(title, &old.key, &entry).help(help));
    }
    (section, outside)
}

/// What became of an old key's value.
enum Moved {
    /// It stands in the section.
    Here,
    /// It is about something outside of the platform.
    Outside(Outside),
    /// Something stands where it would go.
    Nowhere,
}

/// Says that a key is old; without a snippet where that might print a secret.
fn old_key(title: &str, key: &str, entry: &Entry) -> Problem {
    let message = format!("`{title}.{key}` is an old key");
    if sounds_secret(&entry.key) {
        let (file, line) = (entry.key_span.path().display(), entry.key_span.line());
        return Problem::warning("old-key", format!("{message} (`{file}`, line {line})"));
    }
    Problem::warning("old-key", message).at(&entry.key_span).label("old key")
}

/// How the new place of a key is written: in the section, or at the top of the flavour.
fn written(title: &str, new: &str) -> String {
    match new.strip_prefix("external.").and_then(|rest| rest.split_once('.')) {
        Some((alias, output)) => {
            format!(
                "external: {{NAME: {{outputs: {{{output}: …}}}}}}` and `{title}.bind.{alias}: NAME"
            )
        }
        None => format!("{title}.{new}"),
    }
}

fn path(key: &str) -> Vec<&str> {
    key.split('.').collect()
}

fn holds(when: &LegacyWhen, section: &Located) -> bool {
    let value = path(&when.key).into_iter().try_fold(section, |tree, key| tree.get(key));
    match value.and_then(text_of) {
        Some(text) => when.words.contains(&text) == when.is,
        None => when.is,
    }
}

/// Puts an entry where it is written now; what is outside of the platform is given back.
fn moved(section: &mut Located, new: &str, entry: Entry, component: &Component) -> Moved {
    let Some(rest) = new.strip_prefix("external.") else {
        return if put(section, &path(new), entry) { Moved::Here } else { Moved::Nowhere };
    };
    let (alias, output) = rest.split_once('.').unwrap_or((rest, ""));
    let used = component.uses().iter().find(|wish| wish.alias == alias);
    let Some(UseOf::Capability(capability)) = used.map(|wish| &wish.of) else {
        return Moved::Nowhere;
    };
    Moved::Outside(Outside {
        alias: alias.to_owned(),
        capability: capability.clone(),
        output: output.to_owned(),
        at: entry.value.span.clone(),
        value: entry.value,
    })
}

/// Takes the entry at a path out of a tree; maps that are empty then go as well.
fn take(tree: &mut Located, path: &[&str]) -> Option<Entry> {
    let (first, rest) = path.split_first()?;
    let Node::Map(entries) = &mut tree.node else { return None };
    let at = entries.iter().position(|entry| entry.key == *first)?;
    if rest.is_empty() {
        return Some(entries.remove(at));
    }
    let inner = &mut entries.get_mut(at)?.value;
    let taken = take(inner, rest)?;
    if matches!(&inner.node, Node::Map(left) if left.is_empty()) {
        entries.remove(at);
    }
    Some(taken)
}

/// Puts an entry's value at a path, unless something stands there; says whether it did.
fn put(tree: &mut Located, path: &[&str], old: Entry) -> bool {
    let (Some((first, rest)), Node::Map(entries)) = (path.split_first(), &mut tree.node) else {
        return false;
    };
    let at = entries.iter().position(|entry| entry.key == *first);
    match (at.and_then(|at| entries.get_mut(at)), rest.is_empty()) {
        (Some(_), true) => false,
        (Some(inner), false) => put(&mut inner.value, rest, old),
        (None, true) => {
            entries.push(Entry { key: (*first).to_owned(), ..old });
            true
        }
        (None, false) => {
            let span = old.value.span.clone();
            let mut value = Located { node: Node::Map(Vec::new()), span: span.clone() };
            let done = put(&mut value, rest, old);
            entries.push(Entry { key: (*first).to_owned(), key_span: span, value });
            done
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::yaml::{Source, parse};

    fn tree(text: &str) -> Located {
        parse(&Source::new("x.yaml", text)).unwrap()
    }

    #[test]
    fn an_entry_is_taken_with_the_maps_it_leaves_empty() {
        let mut section = tree("a: {b: {c: 1}}\nd: {e: 2, f: 3}\n");
        assert_eq!(take(&mut section, &["a", "b", "c"]).unwrap().value.to_json(), json!(1));
        assert_eq!(take(&mut section, &["d", "e"]).unwrap().value.to_json(), json!(2));
        assert!(take(&mut section, &["d", "x"]).is_none());
        assert_eq!(section.to_json(), json!({"d": {"f": 3}}));
    }

    #[test]
    fn a_moved_entry_gives_way_to_what_is_written_there() {
        let mut section = tree("bind: {store: mine}\n");
        let old = tree("k: old\n").entries()[0].clone();
        assert!(!put(&mut section, &["bind", "store"], old.clone()));
        assert!(put(&mut section, &["bind", "db"], old.clone()));
        assert!(put(&mut section, &["deep", "er"], old));
        assert_eq!(
            section.to_json(),
            json!({"bind": {"store": "mine", "db": "old"}, "deep": {"er": "old"}})
        );
    }
}
