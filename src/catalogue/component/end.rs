//! Reads `delete`: what goes and what stays when an instance goes, and what must be so before.

use super::{Component, Delete, GoneWish, GuardWish, Keeping, SelectedWish};
use crate::catalogue::fields::{Fields, text_of};
use crate::model::check_selector;
use crate::yaml::{Located, Node, Problem, Problems};

/// Reads `delete`.
pub(super) fn delete(fields: &mut Fields<'_>, problems: &mut Problems) -> Delete {
    let Some(tree) = fields.value("delete") else { return Delete::default() };
    let Some(mut inner) = Fields::of(tree, "`delete`", problems) else {
        return Delete::default();
    };
    let pvcs_where = by_selector(&mut inner, problems);
    let mut found = Delete {
        pvcs: if pvcs_where.is_some() { None } else { keeping("pvcs", &mut inner, problems) },
        pvcs_where,
        secrets: keeping("secrets", &mut inner, problems),
        crds: keeping("crds", &mut inner, problems),
        claims: keeping("claims", &mut inner, problems),
        namespace: keeping("namespace", &mut inner, problems),
        wait_gone: each(&mut inner, "waitGone", gone, problems),
        guards: each(&mut inner, "guards", |tree, _| Some(guard(tree)), problems),
        timeout: inner.duration("timeout", problems),
        ..Delete::default()
    };
    for item in inner.list("before", problems) {
        before(item, &mut found, problems);
    }
    inner.finish(problems);
    found
}

fn each<T>(
    fields: &mut Fields<'_>,
    key: &'static str,
    read: impl Fn(&Located, &mut Problems) -> Option<T>,
    problems: &mut Problems,
) -> Vec<T> {
    let items = fields.list(key, problems);
    items.iter().filter_map(|item| read(item, problems)).collect()
}

/// A word; a selector chooses among volume claims only, since all else has a place to say it one by one.
fn keeping(key: &'static str, fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Keeping> {
    let value = fields.value(key)?;
    if matches!(value.node, Node::Map(_)) {
        let instead = match key {
            "secrets" => "write `keep: true` at the secret",
            "crds" => "write `onDelete: keep` or `remove` at the step",
            "claims" => "write a component's own volumes as claims that all stay or all go",
            _ => "write `keep` or `remove`",
        };
        let message = format!("`{key}` takes no selector: only `pvcs` does");
        problems.push(Problem::error("selector", message).at(&value.span).help(instead));
        return None;
    }
    let words = [("keep", Keeping::Keep), ("ask", Keeping::Keep), ("remove", Keeping::Remove)];
    fields.word(key, &words, problems)
}

/// `pvcs: {keep: SELECTOR}` or `{remove: SELECTOR}`.
fn by_selector(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<(Keeping, String)> {
    let value = fields.value("pvcs").filter(|value| matches!(value.node, Node::Map(_)))?;
    let mut inner = Fields::of(value, "`pvcs`", problems)?;
    let keep = inner.value("keep");
    let remove = inner.value("remove");
    inner.finish(problems);
    let (keeping, tree) = match (keep, remove) {
        (Some(tree), None) => (Keeping::Keep, tree),
        (None, Some(tree)) => (Keeping::Remove, tree),
        (Some(_), Some(_)) | (None, None) => {
            let message = "`pvcs` says either `keep` or `remove`, and a selector";
            problems.push(Problem::error("selector", message).at(&value.span));
            return None;
        }
    };
    let selector = text_of(tree, "pvcs", problems)?;
    if let Err(part) = check_selector(&selector) {
        let message = format!("`{part}` is no part of a label selector");
        problems.push(Problem::error("selector", message).at(&tree.span));
    }
    Some((keeping, selector))
}

fn gone(tree: &Located, problems: &mut Problems) -> Option<GoneWish> {
    let mut fields = Fields::of(tree, "`waitGone`", problems)?;
    let of = fields.need("ref", problems).cloned();
    let selector = fields.value("selector").cloned();
    let before = fields.value("before");
    let before =
        before.and_then(|value| Some((text_of(value, "before", problems)?, value.span.clone())));
    let timeout = fields.duration("timeout", problems);
    fields.finish(problems);
    Some(GoneWish { of: of?, selector, before, timeout })
}

/// A condition, and beside it `because`, which the condition itself does not know.
fn guard(tree: &Located) -> GuardWish {
    let mut test = tree.clone();
    let because = tree.get("because").cloned();
    if let Node::Map(entries) = &mut test.node {
        entries.retain(|entry| entry.key != "because");
    }
    GuardWish { test, because }
}

fn before(tree: &Located, found: &mut Delete, problems: &mut Problems) {
    let Some(mut fields) = Fields::of(tree, "an entry of `before`", problems) else { return };
    let wait = fields.bool("wait", problems).unwrap_or(true);
    let selected = fields.value("deleteSelected");
    for (key, what) in [
        ("patch", "`patch` in `delete.before`"),
        ("call", "`call` in `delete.before`"),
        ("pipelines", "`pipelines` in `delete.before`"),
    ] {
        found.later.extend(fields.value(key).map(|value| (what, value.span.clone())));
    }
    fields.finish(problems);
    let Some(selected) = selected else {
        if tree.entries().iter().all(|entry| entry.key == "wait") {
            let message =
                "an entry of `before` does one of: deleteSelected, patch, call, pipelines";
            problems.push(Problem::error("missing-key", message).at(&tree.span));
        }
        return;
    };
    let Some(mut inner) = Fields::of(selected, "`deleteSelected`", problems) else { return };
    let kind = inner.need("kind", problems).cloned();
    let selector = inner.need("selector", problems).cloned();
    inner.finish(problems);
    if let (Some(kind), Some(selector)) = (kind, selector) {
        found.selected.push(SelectedWish { kind, selector, wait });
    }
}

/// What `before` names is a step of the component, and without steps there is nothing to go before.
pub(super) fn check(component: &Component, problems: &mut Problems) {
    let steps: Vec<&str> = component.steps.iter().map(|step| step.id.as_str()).collect();
    for (id, at) in component.delete.wait_gone.iter().filter_map(|gone| gone.before.as_ref()) {
        if !steps.contains(&id.as_str()) {
            problems.push(
                Problem::error("unknown-step", format!("`{id}` is no step of this component"))
                    .at(at)
                    .suggest(id, steps.iter().copied()),
            );
        }
    }
}
